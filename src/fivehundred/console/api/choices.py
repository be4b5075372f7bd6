"""The API of what people decide about grouping: merge, split, take back, rules and their tester."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Route

from fivehundred import limits
from fivehundred.console.access.identity import current
from fivehundred.console.api import shapes
from fivehundred.console.api.bounds import Bound, Field, Matcher, Pattern, SomeFaults
from fivehundred.console.api.edge import changes, decoded, reads, removes
from fivehundred.console.api.triage import Nothing
from fivehundred.console.site import Site
from fivehundred.console.store.base import NotFound
from fivehundred.console.store.choices import Choice, ChoiceRefused, Choices, GroupingRule
from fivehundred.console.web import edge
from fivehundred.console.web.actor import actor, fault_to_change
from fivehundred.console.web.grouping import Tried, tried
from fivehundred.event import Json
from fivehundred.fingerprint.suggest import Suggestion

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Grouping:
    """Why a fault is one: the newest fingerprint, what people decided, and which faults may be the same."""

    fault: int
    merged_into: int | None
    fingerprint: dict[str, Json]
    choices: tuple[Choice, ...]
    suggestions: tuple[Suggestion, ...]


@dataclass(frozen=True, slots=True)
class MergeWish:
    """The faults that are to become part of the one in the address."""

    faults: SomeFaults


@dataclass(frozen=True, slots=True)
class SplitWish:
    """``field`` is type, message, route ... or tag:NAME; with a value, only events that have it leave."""

    field: Field
    value: str = ""


@dataclass(frozen=True, slots=True)
class RuleWish:
    """``project`` empty: of all. A pattern fits the whole value, with * and ?, in any case."""

    matchers: Annotated[tuple[Matcher, ...], Bound(items_min=1, items_max=10)]
    fingerprint: Pattern
    project: str = ""


@dataclass(frozen=True, slots=True)
class RuleSwitch:
    enabled: bool


@dataclass(frozen=True, slots=True)
class GroupingRuleList:
    rules: tuple[GroupingRule, ...]


@dataclass(frozen=True, slots=True)
class RuleTest:
    """What the rule would do to the newest kept events; nothing is changed."""

    tried: tuple[Tried, ...]
    fitting: int


shown: tuple[type, ...] = (MergeWish, SplitWish, RuleWish, RuleSwitch, Grouping, Choice, GroupingRuleList, RuleTest)
sent: tuple[type, ...] = (MergeWish, SplitWish, RuleWish, RuleSwitch)


def routes(site: Site) -> list[Route]:
    api = ChoiceApi(site)
    return [
        Route("/faults/{fault:int}/grouping", reads(api.grouping), methods=["GET"]),
        Route("/faults/{fault:int}/merge", changes(api.merge), methods=["POST"]),
        Route("/faults/{fault:int}/split", changes(api.split), methods=["POST"]),
        Route("/choices/{choice:int}/undo", changes(api.undo), methods=["POST"]),
        Route("/grouping-rules", reads(api.rules), methods=["GET"]),
        Route("/grouping-rules", changes(api.add_rule), methods=["POST"]),
        Route("/grouping-rules/test", changes(api.test_rule), methods=["POST"]),
        Route("/grouping-rules/{rule:int}", changes(api.switch_rule), methods=["PATCH"]),
        Route("/grouping-rules/{rule:int}", removes(api.remove_rule), methods=["DELETE"]),
    ]


class ChoiceApi:
    def __init__(self, site: Site) -> None:
        self._site = site

    def grouping(self, request: Request) -> Grouping:
        fault = edge.fault_of(request)
        detail, desk = self._site.store().fault(fault, now=time.time()), self._desk()
        return Grouping(
            fault,
            desk.merged_into(fault),
            detail.fingerprint,
            tuple(desk.of_fault(fault)),
            tuple(desk.suggestions(fault)),
        )

    def merge(self, request: Request, body: bytes) -> Grouping:
        into, wish, by = edge.fault_of(request), decoded(body, MergeWish), actor(request).name
        if not 1 <= len(wish.faults) <= limits.page_rows_max or any(not 0 < f < 2**63 for f in wish.faults):
            raise HTTPException(422, f"faults is a list of 1 to {limits.page_rows_max} numbers; nothing was changed")
        for other in wish.faults:
            fault_to_change(self._site.store(), other)  # raises NotFound, MayNot
        with self._site.store().database.transaction():
            for other in wish.faults:
                _refusing(partial(self._desk().merge, into, other, by=by, now=time.time()))
        return self.grouping(request)

    def split(self, request: Request, body: bytes) -> Grouping:
        fault, wish, by = edge.fault_of(request), decoded(body, SplitWish), actor(request).name
        _refusing(partial(self._desk().split, fault, wish.field, wish.value, by=by, now=time.time()))
        return self.grouping(request)

    def undo(self, request: Request, body: bytes) -> Choice:
        decoded(body, Nothing)
        number, by = _numbered(request, "choice"), actor(request).name
        return _refusing(partial(self._desk().undo, number, by=by, now=time.time()))

    def rules(self, request: Request) -> GroupingRuleList:
        seen = current.get().sees
        return GroupingRuleList(tuple(r for r in self._desk().rules() if r.project == "" or seen(r.project)))

    def add_rule(self, request: Request, body: bytes) -> GroupingRuleList:
        wish, by = decoded(body, RuleWish), actor(request).name
        if wish.project:
            self._site.store().project(wish.project)  # raises NotFound
        add = partial(self._desk().add_rule, wish.project, wish.matchers, wish.fingerprint, by=by, now=time.time())
        _refusing(add)
        return self.rules(request)

    def switch_rule(self, request: Request, body: bytes) -> GroupingRuleList:
        self._desk().enable_rule(_numbered(request, "rule"), decoded(body, RuleSwitch).enabled)
        return self.rules(request)

    def remove_rule(self, request: Request) -> shapes.Changed:
        self._desk().remove_rule(_numbered(request, "rule"))
        return shapes.Changed(1)

    def test_rule(self, request: Request, body: bytes) -> RuleTest:
        wish = decoded(body, RuleWish)
        found = _refusing(partial(tried, self._site, wish.project, wish.matchers, wish.fingerprint))
        return RuleTest(tuple(found), sum(one.fits for one in found))

    def _desk(self) -> Choices:
        return Choices(self._site.store().database)


def _refusing(act: Callable[[], T]) -> T:
    try:
        return act()
    except ChoiceRefused as e:
        raise HTTPException(422, f"{e}; nothing was changed") from e


def _numbered(request: Request, name: str) -> int:
    number: int = request.path_params[name]
    if number >= 2**63:
        raise NotFound(f"there is no {name} with such a number")
    return number
