"""What people do with faults on the pages: acts on one or many, and comments. The words of an act are in store.acts."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fivehundred.console.access.audited import note
from fivehundred.console.site import Site
from fivehundred.console.store import acts
from fivehundred.console.store.base import Fault, FaultState, NotFound
from fivehundred.console.store.database import Database
from fivehundred.console.store.triage import Owner, Triage, Triaged, TriageRefused, faults_at_once_max
from fivehundred.console.web import edge, render
from fivehundred.console.web.actor import Actor, actor, check_comment, fault_to_change, faults_to_change, owner_named


@dataclass(frozen=True, slots=True)
class Button:
    act: str
    words: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Menu:
    """A button that opens more of them."""

    words: str
    label: str
    buttons: tuple[Button, ...]
    key: str = ""
    asks: str = ""  # the name of a text field in it
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Acts:
    """What can be done with faults in one state; ``main`` is what is meant most of the time."""

    main: Button
    menus: tuple[Menu, ...]
    others: tuple[Button, ...] = ()


def routes(site: Site) -> list[Route]:
    triage = TriagePages(site)
    return [
        Route("/faults/state", edge.post(triage.change), methods=["POST"]),
        Route("/faults/{fault:int}/comments", edge.post(triage.comment), methods=["POST"]),
        Route("/faults/{fault:int}/comments/{comment:int}/remove", edge.post(triage.uncomment), methods=["POST"]),
    ]


class TriagePages:
    def __init__(self, site: Site) -> None:
        self._site = site

    def change(self, request: Request, fields: edge.Fields) -> Response:
        """One act on one or many faults."""
        numbers = [int(n) for n in fields.get("fault", []) if n.isascii() and n.isdecimal() and len(n) < 16]
        if not numbers:
            return edge.problem(request, 400, "Nothing was changed", "Select at least one fault first.")
        desk, database = self._desk(), self._site.store().database
        try:
            act = _owned(acts.parse(_words(fields)), database)
            seen = faults_to_change(database, numbers[:faults_at_once_max])
            acts.perform(desk, act, seen, by=actor(request).name, now=time.time())
            note(acts.told(_words(fields), seen))
        except TriageRefused as e:
            return edge.problem(request, 400, "Nothing was changed", f"{_sentence(str(e))}")
        return edge.back(fields)

    def comment(self, request: Request, fields: edge.Fields) -> Response:
        fault, who = edge.fault_of(request), actor(request)
        self._site.store().fault(fault, now=time.time())  # raises NotFound for what is not theirs to see
        try:
            body = fields.get("body", [""])[0]
            self._desk().comment(fault, body, by=who.name, author=who.id, now=time.time())
        except TriageRefused as e:
            return edge.problem(request, 400, "Nothing was written", _sentence(str(e)))
        return RedirectResponse(f"/faults/{fault}#history", 303, render.headers)

    def uncomment(self, request: Request, fields: edge.Fields) -> Response:
        fault = edge.fault_of(request)
        number: int = request.path_params["comment"]
        if number >= 2**63:
            raise NotFound("There is no comment with such a number.")
        check_comment(self._desk(), fault_to_change(self._site.store(), fault), number)
        self._desk().remove_comment(fault, number)
        return RedirectResponse(f"/faults/{fault}#history", 303, render.headers)

    def _desk(self) -> Triage:
        return Triage(self._site.store().database)


def acts_on(state: FaultState, *, release: str, owners: list[Owner], who: Actor) -> Acts:
    """``release``: the newest one, empty when there is none; ``owners``: who can be chosen."""
    if state == "resolved":
        return Acts(Button("reopen", "Reopen", "e"), (_assign(owners, who),))
    later = [Button("resolve next", "in the next release")]
    if release:
        later.insert(0, Button("resolve this", f"in this release, {release[:40]}"))
    menus = [Menu("Resolve …", "Resolve in a release", tuple(later))] if release else []
    if state == "open":
        menus.append(_mute())
    menus += [_assign(owners, who), _priority()]
    others = (Button("reopen", "Unmute", "m"),) if state == "muted" else ()
    return Acts(Button("resolve", "Resolve", "e"), tuple(menus), others)


def until_words(triaged: Triaged, fault: Fault, now: float) -> str:
    """What the state of a fault depends on, for its page; empty when on nothing."""
    if fault.state == "resolved" and triaged.resolved_in:
        return f"in the release after {triaged.resolved_in}" if triaged.resolved_next else f"in {triaged.resolved_in}"
    if fault.state != "muted":
        return ""
    parts = []
    if triaged.mute_until is not None:
        parts.append(f"for {render.duration(max(0.0, triaged.mute_until - now))} more")
    if triaged.mute_events is not None:
        parts.append(f"until {triaged.mute_events:,} events")
    if triaged.mute_users is not None:
        parts.append(f"until {triaged.mute_users:,} users")
    return " or ".join(parts)


def _mute() -> Menu:
    spans = (("mute 1h", "for an hour"), ("mute 1d", "for a day"), ("mute 7d", "for a week"))
    counts = (("mute 100 events", "until 100 more events"), ("mute 10 users", "until 10 more users"))
    buttons = [Button(act, words) for act, words in (*spans, *counts)]
    return Menu(
        "Mute", "Mute", (*buttons, Button("mute", "until unmuted", "m")), "m", asks="until", hint="3d or 500 events"
    )


def _assign(owners: list[Owner], who: Actor) -> Menu:
    known = [
        Button(_assigned(owner), owner.name[:40] + (" (team)" if owner.kind == "team" else "")) for owner in owners
    ]
    me = [Button(f"assign {who.name}", "me")] if who.id is not None else []
    buttons = (*me, *known[:20], Button("assign nobody", "nobody"))
    return Menu("Assign", "Assign", buttons, "a", asks="owner", hint="a name")


def _assigned(owner: Owner) -> str:
    return f"assign-team {owner.name}" if owner.kind == "team" else f"assign {owner.name}"


def _priority() -> Menu:
    names = [Button(f"priority {name}", name) for name in ("high", "medium", "low")]
    return Menu("Priority", "Priority", (*names, Button("priority", "by impact")))


def _owned(act: acts.Act, database: Database) -> acts.Act:
    """With the number of the person or team that was named."""
    return replace(act, owner=owner_named(database, act.owner.name, _kind(act.owner))) if act.owner else act


def _kind(owner: Owner) -> str:
    return "team" if owner.kind == "team" else ""


def _words(fields: edge.Fields) -> str:
    """A button that goes with a text field says only the beginning of its act."""
    words = fields.get("act", [""])[0]
    for act, name in (("assign", "owner"), ("mute", "until")):
        if words == f"{act} …":
            rest = fields.get(name, [""])[0].strip()
            if not rest:
                raise TriageRefused(f"{act}: the field beside the button is empty")
            return f"{act} {rest}"
    return words


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
