"""The page of the alerts: channels with a test button, rules, and the outbox with what became of each message."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fivehundred import limits
from fivehundred.console import alerts_words as words
from fivehundred.console.access.audited import note
from fivehundred.console.channels.base import BadSettings, kinds
from fivehundred.console.channels.make import fields, make
from fivehundred.console.site import Site
from fivehundred.console.store.alerts import Alerts, Kind, Narrow, Rule
from fivehundred.console.store.alerts import kinds as rule_kinds
from fivehundred.console.store.base import NotFound
from fivehundred.console.web import account, edge, people, render, trackers
from fivehundred.diagnosis.model import causes

_hourly_max: Final = 20
_name_chars_max: Final = 60
_rules_max: Final = 200
_channels_max: Final = 100


def routes(site: Site) -> list[Route]:
    pages = AlertPages(site)
    return [
        Route("/alerts", edge.page(pages.show), methods=["GET"]),
        Route("/alerts/channels", edge.post(pages.add_channel), methods=["POST"]),
        Route("/alerts/channels/{channel:int}/test", edge.post(pages.test), methods=["POST"]),
        Route("/alerts/channels/{channel:int}/remove", edge.post(pages.remove_channel), methods=["POST"]),
        Route("/alerts/rules", edge.post(pages.add_rule), methods=["POST"]),
        Route("/alerts/rules/{rule:int}", edge.post(pages.change_rule), methods=["POST"]),
        Route("/alerts/{alert:int}/retry", edge.post(pages.retry), methods=["POST"]),
        *trackers.routes(site),
        *account.routes(site),
        *people.routes(site),
    ]


class AlertPages:
    def __init__(self, site: Site) -> None:
        self._site = site

    def show(self, request: Request, problem: str = "", status: int = 200) -> Response:
        desk = self._desk()
        channels = desk.channels()
        values = {
            "nav": "alerts",
            "line": "",
            "channels": channels,
            "rules": desk.rules(),
            "alerts": desk.alerts(limit=limits.rows_max),
            "names": {c.id: c.name for c in channels},
            "projects": self._site.store().projects(),
            "causes": causes,
            "kinds": rule_kinds,
            "problem": problem,
        }
        return render.page(request, "alerts.html", values, status=status)

    def add_channel(self, request: Request, sent: edge.Fields) -> Response:
        """What was entered is tried as settings first; the secret is sealed and not shown again."""
        try:
            add_channel(self._site, {name: found[0] for name, found in sent.items()}, now=time.time())
        except BadSettings as e:
            return self.show(request, f"No channel was added: {e}.", 400)
        return _back()

    def test(self, request: Request, sent: edge.Fields) -> Response:
        """A message of its own through the same outbox: what is shown there is what happened."""
        add_test(self._site, request.path_params["channel"], now=time.time())
        return _back("#outbox")

    def remove_channel(self, request: Request, sent: edge.Fields) -> Response:
        self._desk().remove_channel(request.path_params["channel"], now=time.time())
        return _back()

    def add_rule(self, request: Request, sent: edge.Fields) -> Response:
        try:
            rule = checked_rule(self._desk(), rule_of(sent))
            self._desk().add_rule(rule, now=time.time())
            note(rule.name)
        except (BadSettings, NotFound) as e:
            return self.show(request, f"No rule was added: {e}.", 400)
        return _back()

    def change_rule(self, request: Request, sent: edge.Fields) -> Response:
        rule, act = request.path_params["rule"], sent.get("act", [""])[0]
        if act == "remove":
            self._desk().remove_rule(rule, now=time.time())
        elif act in ("on", "off"):
            self._desk().enable_rule(rule, act == "on")
        else:
            return edge.problem(request, 400, "Nothing was changed", "A rule is turned on, off, or removed.")
        return _back()

    def retry(self, request: Request, sent: edge.Fields) -> Response:
        self._desk().retry(request.path_params["alert"], now=time.time())
        return _back("#outbox")

    def _desk(self) -> Alerts:
        return Alerts(self._site.store().database)


def add_channel(site: Site, sent: dict[str, str], *, now: float) -> int:
    """From the fields of a form or of the API. Raises BadSettings."""
    desk = Alerts(site.store().database)
    kind = next((k for k in kinds if k == sent.get("kind")), None)
    if kind is None:
        raise BadSettings(f"the kind of a channel is one of {', '.join(kinds)}")
    if len(desk.channels()) >= _channels_max:
        raise BadSettings(f"there are {_channels_max} channels already; remove one first")
    shown, secret_name = fields[kind]
    settings = {name: sent[name].strip()[:2_000] for name in shown if sent.get(name, "").strip()}
    secret = sent.get(secret_name, "").strip()[:2_000]
    make(kind, settings, secret)
    if kind == "apprise":
        settings["service"] = secret.partition("://")[0]
    name = _name(sent.get("name", "")) or kind
    hourly_max = _number(sent.get("hourly_max", "") or str(_hourly_max), "messages an hour", 1, 1_000)
    sealed = site.vault.seal(secret) if secret else ""
    note(name)
    return desk.add_channel(name, kind, settings, sealed, hourly_max=hourly_max, now=now)


def add_test(site: Site, channel: int, *, now: float) -> int:
    """Its number in the outbox. Raises NotFound."""
    database = site.store().database
    desk = Alerts(database)
    found = desk.channel(channel)
    subject, body = words.test(found.name)
    with database.transaction():
        return desk.add(found.id, 0, "test", "", subject, body, now=now, due_at=now)


def checked_rule(desk: Alerts, rule: Rule) -> Rule:
    """Within bounds and with a name. Raises BadSettings."""
    if not rule.kinds:
        raise BadSettings(f"a rule tells of at least one of {', '.join(rule_kinds)}")
    if len(desk.rules()) >= _rules_max:
        raise BadSettings(f"there are {_rules_max} rules already; remove one first")
    narrow = rule.narrow
    words_of = [narrow.project, narrow.environment, narrow.cause, narrow.level, narrow.team]
    if any(len(found) > 50 for found in (*words_of, narrow.tag)):
        raise BadSettings("a rule is narrowed to at most 50 values of each kind")
    if any(len(value) > 200 for found in (*words_of, *narrow.tag) for value in found):
        raise BadSettings("what a rule is narrowed to has at most 200 characters")
    if any(cause not in causes for cause in narrow.cause):
        raise BadSettings(f"a cause is one of {', '.join(causes)}")
    if not (1 <= rule.threshold <= 10_000_000 and 60 <= rule.within_s <= 86_400 and 60 <= rule.again_s <= 6_000_000):
        raise BadSettings("threshold, within_s or again_s is out of bounds: 1 event, 60 s to a day, 60 s")
    return replace(rule, name=_name(rule.name) or ", ".join(kind.replace("_", " ") for kind in rule.kinds))


def rule_of(sent: edge.Fields) -> Rule:
    """From the fields of a form. Raises BadSettings."""
    first = {name: values[0] for name, values in sent.items() if values}
    wanted: tuple[Kind, ...] = tuple(k for k in rule_kinds if k in sent.get("on", []))
    if not wanted:
        raise BadSettings(f"a rule tells of at least one of {', '.join(rule_kinds)}")
    narrow = Narrow(
        project=_values(sent.get("project", [])),
        environment=_values(first.get("environment", "").split(",")),
        cause=tuple(c for c in causes if c in sent.get("cause", [])),
        level=_values(first.get("level", "").split(",")),
        tag=_tags(first.get("tag", "")),
        team=_values(first.get("team", "").split(",")),
    )
    return Rule(
        id=0,
        name=_name(first.get("name", "")) or ", ".join(kind.replace("_", " ") for kind in wanted),
        channel=_number(first.get("channel", ""), "channel", 1, 2**62),
        kinds=wanted,
        narrow=narrow,
        threshold=_number(first.get("threshold", "") or "100", "events", 1, 10_000_000),
        within_s=60.0 * _number(first.get("minutes", "") or "10", "minutes", 1, 1_440),
        again_s=60.0 * _number(first.get("again", "") or "60", "minutes until it tells again", 1, 100_000),
    )


def _values(found: list[str]) -> tuple[str, ...]:
    return tuple(value.strip()[:200] for value in found if value.strip())[:50]


def _tags(text: str) -> tuple[tuple[str, str], ...]:
    found = []
    for part in _values(text.split(",")):
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise BadSettings(f"a tag is written as name=value, and {part[:60]!r} is not")
        found.append((name.strip(), value.strip()))
    return tuple(found)


def _number(text: str, what: str, least: int, most: int) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdecimal() and len(text) < 19 and least <= int(text) <= most):
        raise BadSettings(f"{what} is a whole number from {least} to {most}, and {text[:20]!r} is not")
    return int(text)


def _name(text: str) -> str:
    name = " ".join(text.split())
    if len(name) > _name_chars_max:
        raise BadSettings(f"a name has at most {_name_chars_max} characters")
    return name


def _back(part: str = "") -> Response:
    return RedirectResponse(f"/alerts{part}", 303, render.headers)
