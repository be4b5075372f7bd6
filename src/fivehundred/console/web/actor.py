"""Who acts, and which projects they see: the identity that the gate found, in the words of pages and API."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request

from fivehundred.console.access.identity import MayNot, current
from fivehundred.console.access.roles import Need
from fivehundred.console.store.base import Fault, NotFound, Store
from fivehundred.console.store.database import Database
from fivehundred.console.store.people import People
from fivehundred.console.store.triage import Owner, Triage
from fivehundred.console.store.views import View, Views
from fivehundred.console.web import search


@dataclass(frozen=True, slots=True)
class Actor:
    name: str = "a person"
    id: int | None = None
    names: tuple[str, ...] = ()  # what "me" means in a search: the name and those of their teams


def actor(request: Request) -> Actor:
    found = current.get()
    if found.person is None:
        return Actor()
    return Actor(found.name, found.person, (found.name, *found.teams))


def seen_projects() -> tuple[str, ...] | None:
    """Those that whoever asks may see; None: all."""
    projects = current.get().projects
    return None if projects is None else tuple(sorted(projects))


def check_project(project: str, need: Need = "read") -> None:
    """Raises NotFound for a project that is not theirs to see, MayNot for one where they have not that right."""
    if not current.get().sees(project):
        raise NotFound(f"there is no project {project[:40]}")
    current.get().check(need, project)


def faults_to_change(database: Database, faults: Sequence[int]) -> list[int]:
    """Of these, the ones in projects where whoever asks may act. Raises MayNot when they see some of them and may
    change none."""
    who = current.get()
    if who.rights is None or not faults:
        return list(faults)
    sql = f"SELECT id, project FROM fault WHERE id IN ({', '.join('?' * len(faults))})"  # noqa: S608 - our own words
    seen = [(fault, project) for fault, project in database.rows(sql, faults) if who.sees(project)]
    found = [fault for fault, project in seen if who.may("act", project)]
    if seen and not found:
        who.check("act", seen[0][1])
    return found


def fault_to_change(store: Store, fault: int) -> Fault:
    """Raises NotFound, MayNot."""
    found = store.fault(fault, now=time.time()).fault
    current.get().check("act", found.project)
    return found


def check_comment(desk: Triage, fault: Fault, comment: int) -> None:
    """That whoever asks may remove it: who wrote it, and who manages the project. Raises NotFound, MayNot."""
    who, author = current.get(), desk.author_of(fault.id, comment)
    if not who.may("manage", fault.project) and (author is None or author != who.person):
        raise MayNot("a comment is removed by who wrote it, or by an admin")


def seen_views(store: Store, member: int | None) -> list[View]:
    """Shared ones and one's own, without those whose line names a project that is not theirs to see."""
    found, projects = Views(store.database).views(member), store.projects()
    return found if seen_projects() is None else [v for v in found if not search.parse(v.line, projects).problems]


def owners(database: Database) -> list[Owner]:
    """Who a fault can be given to: people and teams, else the names that were given before."""
    people = People(database)
    known = [Owner(p.shown or p.name, "member", p.id) for p in people.people() if p.disabled_at is None]
    teams = [Owner(team.name, "team", team.id) for team in people.teams()]
    named = {owner.name.lower() for owner in (*known, *teams)}
    if seen_projects() is not None:  # names that were given to faults of other projects are not theirs to see
        return [*known, *teams]
    return [*known, *teams, *(o for o in Triage(database).known_owners() if o.name.lower() not in named)]


def owner_named(database: Database, name: str, kind: str = "") -> Owner:
    """The person or team of that name, with its number; else the bare name."""
    for owner in owners(database):
        if owner.name.lower() == name.strip().lower() and kind in ("", owner.kind):
            return owner
    return Owner(name.strip(), "team" if kind == "team" else "member")
