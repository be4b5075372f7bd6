"""Grouping as a person changes it: merge, split, take back, the Console's rules, and trying a rule on real events."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fivehundred import limits
from fivehundred.console.access.identity import current
from fivehundred.console.commits import RepositoryRefused, checked
from fivehundred.console.site import Site
from fivehundred.console.store.base import FaultDetail, NotFound
from fivehundred.console.store.choices import ChoiceRefused, Choices, rule_of
from fivehundred.console.store.commits import Commits
from fivehundred.console.web import edge, render
from fivehundred.console.web.actor import actor, fault_to_change
from fivehundred.event import parse
from fivehundred.fingerprint.choices import applied, book, fields, rule_fits
from fivehundred.fingerprint.memory import Memory
from fivehundred.fingerprint.rule import fingerprint

_tried_max = 50


@dataclass(frozen=True, slots=True)
class Tried:
    """What a rule would do to one kept event."""

    event_id: str
    fault: int | None
    title: str
    message: str
    fits: bool
    key: str  # of the fault that it would belong to


def routes(site: Site) -> list[Route]:
    pages = GroupingPages(site)
    return [
        Route("/faults/{fault:int}/merge", edge.post(pages.merge), methods=["POST"]),
        Route("/faults/{fault:int}/split", edge.post(pages.split), methods=["POST"]),
        Route("/projects/{project:int}/repository", edge.post(pages.repository), methods=["POST"]),
        Route("/choices/{choice:int}/undo", edge.post(pages.undo), methods=["POST"]),
        Route("/grouping", edge.page(pages.rules), methods=["GET"]),
        Route("/grouping", edge.post(pages.add_rule), methods=["POST"]),
        Route("/grouping/{rule:int}", edge.post(pages.change_rule), methods=["POST"]),
    ]


def grouping_of(site: Site, detail: FaultDetail) -> dict[str, object]:
    """For the page of a fault: what was decided, what may be the same, by what it can be split."""
    desk, fault = Choices(site.store().database), detail.fault
    near = [(s, site.store().fault(s.fault, now=time.time()).fault) for s in desk.suggestions(fault.id)]
    tags = [f"tag:{name}" for name, values in detail.tags.items() if name not in fields and len(values) > 1]
    return {
        "merged_into": desk.merged_into(fault.id),
        "choices": desk.of_fault(fault.id),
        "suggestions": near,
        "fields": [*fields, *tags[:20]],
    }


class GroupingPages:
    def __init__(self, site: Site) -> None:
        self._site = site

    def merge(self, request: Request, sent: edge.Fields) -> Response:
        """The faults that are named, into the one of the address."""
        into = edge.fault_of(request)
        text = " ".join(sent.get("fault", [])).replace("#", " ").replace(",", " ")
        numbers = [int(n) for n in text.split() if n.isascii() and n.isdecimal() and len(n) < 16]
        if not numbers or len(numbers) != len(text.split()):
            return _refused(request, "Name the faults to merge by their numbers, as in #12.")
        for other in numbers[: limits.page_rows_max]:
            fault_to_change(self._site.store(), other)  # raises NotFound, MayNot
        try:
            with self._site.store().database.transaction():
                for other in numbers[: limits.page_rows_max]:
                    self._desk().merge(into, other, by=actor(request).name, now=time.time())
        except ChoiceRefused as e:
            return _refused(request, f"{e}.")
        return edge.back(sent, f"/faults/{into}")

    def split(self, request: Request, sent: edge.Fields) -> Response:
        fault, field = edge.fault_of(request), sent.get("field", [""])[0]
        try:
            self._desk().split(fault, field, sent.get("value", [""])[0], by=actor(request).name, now=time.time())
        except ChoiceRefused as e:
            return _refused(request, f"{e}.")
        return edge.back(sent, f"/faults/{fault}")

    def undo(self, request: Request, sent: edge.Fields) -> Response:
        number: int = request.path_params["choice"]
        if number >= 2**63:
            raise NotFound("There is no merge or split with such a number.")
        try:
            found = self._desk().undo(number, by=actor(request).name, now=time.time())
        except ChoiceRefused as e:
            return _refused(request, f"{e}.")
        return edge.back(sent, f"/faults/{found.fault}")

    def repository(self, request: Request, sent: edge.Fields) -> Response:
        """Where the project's source lies, for suspect commits."""
        try:
            path = checked(sent.get("path", [""])[0])
        except RepositoryRefused as e:
            return _refused(request, f"{e}.")
        Commits(self._site.store().database).set_repository(str(request.path_params["project"]), path)
        return edge.back(sent)

    def rules(self, request: Request, sent: edge.Fields | None = None, problem: str = "") -> Response:
        first = {name: values[0] for name, values in (sent or {}).items() if values}
        values: dict[str, object] = {
            "nav": "settings",
            "line": "",
            "rules": [r for r in self._desk().rules() if r.project == "" or current.get().sees(r.project)],
            "projects": self._site.store().projects(),
            "fields": fields,
            "entered": first,
            "problem": problem,
            "tried": None,
        }
        if sent is not None and not problem:
            try:
                values["tried"] = tried(
                    self._site, first.get("project", ""), matchers_of(first), first.get("fingerprint", "")
                )
            except ChoiceRefused as e:
                values["problem"] = f"{e}."
        return render.page(request, "grouping.html", values, status=400 if values["problem"] else 200)

    def add_rule(self, request: Request, sent: edge.Fields) -> Response:
        """Kept, or only tried on the newest events."""
        first = {name: values[0] for name, values in sent.items() if values}
        if first.get("act") == "test":
            return self.rules(request, sent)
        project = first.get("project", "")
        try:
            if project:
                self._site.store().project(project)
            self._desk().add_rule(
                project, matchers_of(first), first.get("fingerprint", ""), by=actor(request).name, now=time.time()
            )
        except ChoiceRefused as e:
            return self.rules(request, sent, f"No rule was added: {e}.")
        return edge.back({"back": ["/grouping"]}, "/grouping")

    def change_rule(self, request: Request, sent: edge.Fields) -> Response:
        rule, act = request.path_params["rule"], sent.get("act", [""])[0]
        if rule >= 2**63:
            raise NotFound("There is no rule with such a number.")
        if act == "remove":
            self._desk().remove_rule(rule)
        elif act in ("on", "off"):
            self._desk().enable_rule(rule, act == "on")
        else:
            return _refused(request, "A rule is turned on, off, or removed.")
        return edge.back({"back": ["/grouping"]}, "/grouping")

    def _desk(self) -> Choices:
        return Choices(self._site.store().database)


def matchers_of(sent: dict[str, str]) -> list[tuple[str, str]]:
    """One a line, as in ``type: Payment*``; a tag's name may hold a colon of its own, a pattern anything."""
    found: list[tuple[str, str]] = []
    for line in sent.get("matchers", "").splitlines():
        if line.strip():
            name, _, pattern = line.strip().partition(": ")
            found.append((name.strip(), pattern.strip()))
    return found


def tried(site: Site, project: str, matchers: Sequence[tuple[str, str]], text: str) -> list[Tried]:
    """What a rule would do to the newest kept events. Raises ChoiceRefused and NotFound."""
    rule, store = rule_of(matchers, text), site.store()
    if project:
        store.project(project)
    recent, _ = store.events(None, project=project or None, cursor="", limit=_tried_max)
    found: list[Tried] = []
    memory, decided = Memory(), book([rule])
    for summary in (e for e in recent if e.kept):
        stored = store.event(summary.event_id, project=summary.project)
        event = parse(stored.payload, received_at=summary.received_at, event_id=summary.event_id)
        fp = fingerprint(event, memory)
        key = applied(event, fp, decided).primary.value
        found.append(
            Tried(summary.event_id, summary.fault, fp.title, summary.message[:300], rule_fits(rule, event, fp), key)
        )
    return found


def _refused(request: Request, text: str) -> Response:
    return edge.problem(request, 400, "Nothing was changed", text)
