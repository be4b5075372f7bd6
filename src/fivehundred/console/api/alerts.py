"""Alerts over the API: channels, rules, the outbox, a test, and another try. No secret is in an answer."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Annotated, Any

from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from fivehundred import limits
from fivehundred.console.access.audited import note
from fivehundred.console.api import operations
from fivehundred.console.api.bounds import Bound, Number
from fivehundred.console.api.edge import changes, decoded, limit_of, numbered, reads, removes
from fivehundred.console.api.operations import gets, in_path, in_query, sends
from fivehundred.console.api.shapes import Changed
from fivehundred.console.api.triage import Made, Nothing
from fivehundred.console.channels.base import BadSettings, Kind
from fivehundred.console.site import Site
from fivehundred.console.store.alerts import Alert, Alerts, Narrow, Rule
from fivehundred.console.store.alerts import Kind as Told
from fivehundred.console.web.alerts import add_channel, add_test, checked_rule


@dataclass(frozen=True, slots=True)
class ChannelSent:
    """``settings``: of a webhook url; of mail host, port, security, sender, receivers, user; of apprise none.

    ``secret``: the signing key, the password, or the service's address."""

    kind: Kind
    name: str = ""
    settings: dict[str, str] | None = None
    secret: str = ""
    hourly_max: int = 20


@dataclass(frozen=True, slots=True)
class ChannelAnswer:
    id: int
    name: str
    kind: str
    settings: dict[str, str]
    hourly_max: int
    created_at: float


@dataclass(frozen=True, slots=True)
class ChannelList:
    channels: tuple[ChannelAnswer, ...]


@dataclass(frozen=True, slots=True)
class AlertRuleSent:
    """What a channel is told; ``narrow`` empty means everything."""

    channel: Number
    kinds: Annotated[tuple[Told, ...], Bound(items_min=1)]
    name: str = ""
    narrow: Narrow | None = None
    threshold: Annotated[int, Bound(minimum=1, maximum=10_000_000)] = 100
    within_s: Annotated[float, Bound(minimum=60, maximum=86_400)] = 600.0
    again_s: Annotated[float, Bound(minimum=60, maximum=6_000_000)] = 3_600.0


@dataclass(frozen=True, slots=True)
class AlertRuleChange:
    enabled: bool


@dataclass(frozen=True, slots=True)
class AlertRuleList:
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class AlertList:
    """The outbox, the newest first."""

    alerts: tuple[Alert, ...]


sent: tuple[type, ...] = (ChannelSent, AlertRuleSent, AlertRuleChange, Narrow)
shown: tuple[type, ...] = (*sent, ChannelAnswer, ChannelList, AlertRuleList, AlertList)


def routes(site: Site) -> list[BaseRoute]:
    """Within the API's mount."""
    api = AlertApi(site)
    return [
        Route("/channels", reads(api.channels), methods=["GET"]),
        Route("/channels", changes(api.add_channel), methods=["POST"]),
        Route("/channels/{channel:int}", removes(api.remove_channel), methods=["DELETE"]),
        Route("/channels/{channel:int}/test", changes(api.test), methods=["POST"]),
        Route("/alerts/rules", reads(api.rules), methods=["GET"]),
        Route("/alerts/rules", changes(api.add_rule), methods=["POST"]),
        Route("/alerts/rules/{rule:int}", changes(api.change_rule), methods=["PATCH"]),
        Route("/alerts/rules/{rule:int}", removes(api.remove_rule), methods=["DELETE"]),
        Route("/alerts", reads(api.outbox, "project", "limit"), methods=["GET"]),
        Route("/alerts/{alert:int}/retry", changes(api.retry), methods=["POST"]),
    ]


def paths() -> dict[str, Any]:
    channel, rule, alert = (
        in_path(n, {"type": "integer", "minimum": 1}, f"the number of the {n}") for n in ("channel", "rule", "alert")
    )
    project = in_query("project", {"type": "string"}, "the number of a project; all when missing")
    limit = in_query("limit", {"type": "integer", "minimum": 1, "maximum": limits.page_rows_max}, "rows at most")
    return {
        "/channels": {
            "get": gets("where messages go", "ChannelList"),
            "post": sends("add a channel; its secret is sealed and not shown again", "ChannelSent", "Made"),
        },
        "/channels/{channel}": {"delete": operations.removes("remove a channel with its rules", channel)},
        "/channels/{channel}/test": {
            "post": sends("send a test through the outbox; the answer is its number there", "Nothing", "Made", channel)
        },
        "/alerts/rules": {
            "get": gets("what channels are told", "AlertRuleList"),
            "post": sends("add a rule", "AlertRuleSent", "Made"),
        },
        "/alerts/rules/{rule}": {
            "patch": sends("turn a rule on or off", "AlertRuleChange", "Changed", rule),
            "delete": operations.removes("remove a rule", rule),
        },
        "/alerts": {"get": gets("messages with what became of them", "AlertList", project, limit)},
        "/alerts/{alert}/retry": {"post": sends("try one that failed again", "Nothing", "Changed", alert)},
    }


class AlertApi:
    def __init__(self, site: Site) -> None:
        self._site = site

    def channels(self, request: Request) -> ChannelList:
        found = self._desk().channels()
        return ChannelList(
            tuple(ChannelAnswer(c.id, c.name, c.kind, c.settings, c.hourly_max, c.created_at) for c in found)
        )

    def add_channel(self, request: Request, body: bytes) -> Made:
        wish = decoded(body, ChannelSent)
        secret = {"webhook": "key", "mail": "password", "apprise": "url"}[wish.kind]
        fields = {"name": wish.name, "kind": wish.kind, "hourly_max": str(wish.hourly_max), **(wish.settings or {})}
        return Made(add_channel(self._site, {**fields, secret: wish.secret}, now=time.time()))

    def remove_channel(self, request: Request) -> Changed:
        self._desk().remove_channel(numbered(request, "channel"), now=time.time())
        return Changed(1)

    def test(self, request: Request, body: bytes) -> Made:
        decoded(body, Nothing)
        return Made(add_test(self._site, numbered(request, "channel"), now=time.time()))

    def rules(self, request: Request) -> AlertRuleList:
        return AlertRuleList(tuple(self._desk().rules()))

    def add_rule(self, request: Request, body: bytes) -> Made:
        wish = decoded(body, AlertRuleSent)
        narrow = wish.narrow or Narrow()
        rule = Rule(0, wish.name, wish.channel, wish.kinds, narrow, wish.threshold, wish.within_s, wish.again_s)
        if not 0 < wish.channel < 2**63:
            raise BadSettings("channel is the number of one")
        for project in narrow.project:
            self._site.store().project(project)  # raises NotFound
        checked = checked_rule(self._desk(), rule)
        note(checked.name)
        return Made(self._desk().add_rule(checked, now=time.time()))

    def change_rule(self, request: Request, body: bytes) -> Changed:
        self._desk().enable_rule(numbered(request, "rule"), decoded(body, AlertRuleChange).enabled)
        return Changed(1)

    def remove_rule(self, request: Request) -> Changed:
        self._desk().remove_rule(numbered(request, "rule"), now=time.time())
        return Changed(1)

    def outbox(self, request: Request) -> AlertList:
        project = request.query_params.get("project")
        if project is not None:
            self._site.store().project(project)  # raises NotFound
        return AlertList(tuple(self._desk().alerts(limit=limit_of(request), project=project)))

    def retry(self, request: Request, body: bytes) -> Changed:
        decoded(body, Nothing)
        self._desk().retry(numbered(request, "alert"), now=time.time())
        return Changed(1)

    def _desk(self) -> Alerts:
        return Alerts(self._site.store().database)
