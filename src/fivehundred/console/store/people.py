"""The desk of people: accounts, sessions, tokens, teams, invites, and the audit log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from fivehundred.console.store.base import NotFound, StoreError
from fivehundred.console.store.database import Database, Value

session_idle_s_max: Final = 14 * 86_400.0
session_s_max: Final = 60 * 86_400.0
_used_again_s: Final = 60.0  # how exactly it is known when a session or token was last used
_audit_rows_max: Final = 100_000
_failures_kept_s: Final = 86_400.0
_invite_kept_s: Final = 90 * 86_400.0


class PersonRefused(StoreError):
    """What was asked for an account, a team or a token cannot be done; the text says why."""


class NameTaken(StoreError):
    """There is somebody, or a team, of that name."""


class LastOwner(StoreError):
    """Without an owner nobody could let anybody in."""


@dataclass(frozen=True, slots=True)
class Person:
    id: int
    name: str  # what is typed to sign in, in lower case
    shown: str
    role: str
    password: str  # argon2; empty: none yet, or by OIDC alone
    subject: str  # of the OIDC provider: "issuer subject"
    totp_sealed: str
    totp_used: int  # counter of the last code that was taken
    recovery: tuple[str, ...]  # hashes
    created_at: float
    signed_in_at: float | None
    disabled_at: float | None


@dataclass(frozen=True, slots=True)
class Session:
    id: int
    person: int
    created_at: float
    used_at: float
    address: str
    agent: str


@dataclass(frozen=True, slots=True)
class Token:
    id: int
    prefix: str
    person: int
    name: str
    scope: str
    project: str  # empty: all that the person sees
    created_at: float
    expires_at: float | None
    used_at: float | None


@dataclass(frozen=True, slots=True)
class TeamRole:
    """What a member may do with the team's projects, when it is not what their own role gives them."""

    person: int
    role: str  # "viewer", "member", "admin"


@dataclass(frozen=True, slots=True)
class Team:
    id: int
    name: str
    members: tuple[int, ...]
    projects: tuple[str, ...]
    roles: tuple[TeamRole, ...] = ()

    def role(self, person: int) -> str:
        return next((r.role for r in self.roles if r.person == person), "")


@dataclass(frozen=True, slots=True)
class AuditRow:
    id: int
    at: float
    who: str
    what: str
    about: str
    address: str


class People:
    def __init__(self, database: Database) -> None:
        self._db = database

    # ---- accounts

    def any(self) -> bool:
        """Whether there is an account; until then a Console of this machine is open."""
        return bool(self._db.rows("SELECT 1 FROM person WHERE disabled_at IS NULL LIMIT 1"))

    def people(self) -> list[Person]:
        return [_person(row) for row in self._db.rows(f"{_PERSON} ORDER BY name")]

    def person(self, person: int) -> Person:
        """Raises NotFound."""
        return self._one("id", person)

    def by_name(self, name: str) -> Person | None:
        found = self._db.rows(f"{_PERSON} WHERE name = ?", (folded(name),))
        return _person(found[0]) if found else None

    def by_subject(self, subject: str) -> Person | None:
        found = self._db.rows(f"{_PERSON} WHERE subject = ?", (subject,)) if subject else []
        return _person(found[0]) if found else None

    def add(self, name: str, role: str, *, password: str = "", subject: str = "", shown: str = "", now: float) -> int:
        """Raises NameTaken."""
        with self._db.transaction():
            if self.by_name(name) is not None:
                raise NameTaken(f"there is somebody called {folded(name)} already")
            row: dict[str, Value] = {
                "name": folded(name),
                "shown": shown or name.strip(),
                "role": role,
                "password": password,
                "subject": subject,
                "totp_sealed": "",
                "totp_used": 0,
                "recovery": "[]",
                "created_at": now,
            }
            made = self._db.insert("person", row)
            self._db.changed()
        return made

    def set_role(self, person: int, role: str) -> None:
        """Counts from their next request on: sessions and tokens ask for it each time. Raises NotFound, LastOwner."""
        with self._db.transaction():
            self._keep_an_owner(person, still=role == "owner")
            self._set(person, role=role)

    def set_password(self, person: int, password: str) -> None:
        self._set(person, password=password)

    def set_subject(self, person: int, subject: str) -> None:
        self._set(person, subject=subject)

    def set_totp(self, person: int, sealed: str, recovery: Iterable[str], *, used: int = 0) -> None:
        """``recovery``: hashes; ``used``: counter of the code that proved the key. An empty ``sealed`` turns it off."""
        self._set(person, totp_sealed=sealed, totp_used=used, recovery=_encode(list(recovery)))

    def use_totp(self, person: int, counter: int) -> bool:
        """False when another sign-in has used the code, or a later one, in this moment."""
        sql = "UPDATE person SET totp_used = ? WHERE id = ? AND totp_used < ?"
        with self._db.transaction():
            return self._db.execute(sql, (counter, person, counter)) == 1

    def use_recovery(self, person: int, used: str) -> bool:
        with self._db.transaction():
            known = self.person(person).recovery
            if used not in known:
                return False
            self._set(person, recovery=_encode([r for r in known if r != used]))
        return True

    def signed_in(self, person: int, *, now: float) -> None:
        self._set(person, signed_in_at=now)

    def disable(self, person: int, *, now: float) -> None:
        """Their sessions, tokens and invites end with it. Raises NotFound, LastOwner."""
        with self._db.transaction():
            self._keep_an_owner(person, still=False)
            self._set(person, disabled_at=now)
            for table in ("session", "token", "invite"):
                self._db.execute(f"DELETE FROM {table} WHERE person = ?", (person,))  # noqa: S608 - our own names

    def enable(self, person: int) -> None:
        self._set(person, disabled_at=None)

    def _keep_an_owner(self, person: int, *, still: bool) -> None:
        if still or self.person(person).role != "owner":
            return
        sql = "SELECT count(*) FROM person WHERE role = 'owner' AND disabled_at IS NULL AND id <> ?"
        if not self._db.number(sql, (person,)):
            raise LastOwner("this is the only owner; make somebody else an owner first")

    def _set(self, person: int, **columns: Value) -> None:
        sets = ", ".join(f"{name} = ?" for name in columns)
        with self._db.transaction():
            if not self._db.execute(f"UPDATE person SET {sets} WHERE id = ?", (*columns.values(), person)):  # noqa: S608
                raise NotFound(f"there is no account {person}")
            self._db.changed()

    def _one(self, column: str, value: Value) -> Person:
        found = self._db.rows(f"{_PERSON} WHERE {column} = ?", (value,))
        if not found:
            raise NotFound(f"there is no account {value!r}")
        return _person(found[0])

    # ---- invites

    def invite(self, person: int, hashed: str, *, expires_at: float) -> None:
        """One at a time for a person: a new one ends the old."""
        with self._db.transaction():
            old = expires_at - _invite_kept_s
            self._db.execute("DELETE FROM invite WHERE person = ? OR expires_at < ?", (person, old))
            sql = "INSERT INTO invite (hash, person, expires_at) VALUES (?, ?, ?)"
            self._db.execute(sql, (hashed, person, expires_at))

    def invited(self, hashed: str, *, now: float) -> Person | None:
        sql = "SELECT person FROM invite WHERE hash = ? AND expires_at > ?"
        found = self._db.rows(sql, (hashed, now))
        return self.person(found[0][0]) if found else None

    def take_invite(self, hashed: str, password: str, *, now: float) -> Person | None:
        """Sets the password and ends the invite; None when it is used or out of date."""
        with self._db.transaction():
            person = self.invited(hashed, now=now)
            if person is None or self._db.execute("DELETE FROM invite WHERE hash = ?", (hashed,)) != 1:
                return None
            self.set_password(person.id, password)
            self.end_sessions(person.id)
        return person

    # ---- sessions

    def begin_session(self, person: int, hashed: str, *, address: str, agent: str, now: float) -> int:
        with self._db.transaction():
            ended = (now - session_idle_s_max, now - session_s_max)
            self._db.execute("DELETE FROM session WHERE used_at < ? OR created_at < ?", ended)
            row: dict[str, Value] = {
                "hash": hashed,
                "person": person,
                "created_at": now,
                "used_at": now,
                "address": address[:100],
                "agent": agent[:200],
            }
            return self._db.insert("session", row)

    def session(self, hashed: str, *, now: float) -> tuple[Session, Person] | None:
        """Of somebody who may still sign in; what is out of date is none."""
        sql = f"{_SESSION} WHERE hash = ? AND used_at > ? AND created_at > ?"
        found = self._db.rows(sql, (hashed, now - session_idle_s_max, now - session_s_max))
        if not found:
            return None
        session, person = Session(*found[0]), self.person(found[0][1])
        if person.disabled_at is not None:
            return None
        if now - session.used_at > _used_again_s:
            self._db.execute("UPDATE session SET used_at = ? WHERE id = ?", (now, session.id))
        return session, person

    def sessions(self, person: int, *, now: float) -> list[Session]:
        sql = f"{_SESSION} WHERE person = ? AND used_at > ? ORDER BY used_at DESC"
        return [Session(*row) for row in self._db.rows(sql, (person, now - session_idle_s_max))]

    def end_session(self, person: int, session: int) -> None:
        self._db.execute("DELETE FROM session WHERE person = ? AND id = ?", (person, session))

    def end_sessions(self, person: int, *, but: int | None = None) -> None:
        self._db.execute("DELETE FROM session WHERE person = ? AND id <> ?", (person, but or 0))

    # ---- tokens

    def add_token(
        self, person: int, name: str, hashed: str, prefix: str, *, scope: str, project: str, expires_at: float | None,
        now: float
    ) -> int:  # fmt: skip
        row: dict[str, Value] = {
            "hash": hashed,
            "prefix": prefix,
            "person": person,
            "name": name,
            "scope": scope,
            "project": project,
            "created_at": now,
            "expires_at": expires_at,
        }
        with self._db.transaction():
            return self._db.insert("token", row)

    def token(self, hashed: str, *, now: float) -> tuple[Token, Person] | None:
        found = self._db.rows(f"{_ACCESS} WHERE hash = ? AND (expires_at IS NULL OR expires_at > ?)", (hashed, now))
        if not found:
            return None
        token, person = Token(*found[0]), self.person(found[0][2])
        if person.disabled_at is not None:
            return None
        if token.used_at is None or now - token.used_at > _used_again_s:
            self._db.execute("UPDATE token SET used_at = ? WHERE id = ?", (now, token.id))
        return token, person

    def tokens(self, person: int | None = None) -> list[Token]:
        where, values = ("", ()) if person is None else (" WHERE person = ?", (person,))
        return [Token(*row) for row in self._db.rows(f"{_ACCESS}{where} ORDER BY id", values)]

    def revoke_token(self, token: int, *, person: int | None = None) -> Token:
        """Of that person, or of anybody. Raises NotFound."""
        found = next((t for t in self.tokens(person) if t.id == token), None)
        if found is None:
            raise NotFound(f"there is no token {token}")
        self._db.execute("DELETE FROM token WHERE id = ?", (token,))
        return found

    # ---- teams

    def teams(self) -> list[Team]:
        members = self._db.rows("SELECT team, person, role FROM team_member ORDER BY person")
        projects = self._db.rows("SELECT team, project FROM team_project ORDER BY project")
        return [
            Team(
                team,
                name,
                tuple(p for t, p, _ in members if t == team),
                tuple(p for t, p in projects if t == team),
                tuple(TeamRole(p, role) for t, p, role in members if t == team and role),
            )
            for team, name in self._db.rows("SELECT id, name FROM team ORDER BY name")
        ]

    def add_team(self, name: str) -> int:
        """Raises NameTaken."""
        with self._db.transaction():
            if self._db.rows("SELECT 1 FROM team WHERE lower(name) = lower(?)", (name,)):
                raise NameTaken(f"there is a team called {name} already")
            made = self._db.insert("team", {"name": name})
            self._db.changed()
        return made

    def set_team(
        self, team: int, members: Sequence[int], projects: Sequence[str], roles: Iterable[TeamRole] = ()
    ) -> None:
        """``roles``: of those members who have one in the team. Raises NotFound."""
        given = {found.person: found.role for found in roles}
        with self._db.transaction():
            if not self._db.rows("SELECT 1 FROM team WHERE id = ?", (team,)):
                raise NotFound(f"there is no team {team}")
            self._db.execute("DELETE FROM team_member WHERE team = ?", (team,))
            self._db.execute("DELETE FROM team_project WHERE team = ?", (team,))
            for person in dict.fromkeys(members):
                self._db.execute(
                    "INSERT INTO team_member (team, person, role) VALUES (?, ?, ?)",
                    (team, person, given.get(person, "")),
                )
            for project in dict.fromkeys(projects):
                self._db.execute("INSERT INTO team_project (team, project) VALUES (?, ?)", (team, project))
            self._db.changed()

    def remove_team(self, team: int) -> None:
        with self._db.transaction():
            for table, column in (("team_member", "team"), ("team_project", "team"), ("team", "id")):
                self._db.execute(f"DELETE FROM {table} WHERE {column} = ?", (team,))  # noqa: S608 - our own names
            self._db.changed()

    def team_roles_of(self, person: int) -> dict[str, list[str]] | None:
        """For somebody who does not see all by role: the projects of their teams, each with their roles there (empty:
        none of its own). None: no team has a project yet, so nothing is kept from anybody."""
        if not self._db.rows("SELECT 1 FROM team_project LIMIT 1"):
            return None
        sql = "SELECT p.project, m.role FROM team_project p JOIN team_member m ON m.team = p.team WHERE m.person = ?"
        found: dict[str, list[str]] = {}
        for project, role in self._db.rows(sql, (person,)):
            found.setdefault(project, []).append(role)
        return found

    def teams_of(self, person: int) -> tuple[str, ...]:
        sql = "SELECT t.name FROM team t JOIN team_member m ON m.team = t.id WHERE m.person = ? ORDER BY t.name"
        return tuple(row[0] for row in self._db.rows(sql, (person,)))

    # ---- failed sign-ins

    def may_try(self, bounds: Mapping[str, int], *, window_s: float, now: float) -> bool:
        """Counts the try as failed before anything is compared, so that many at once are not more than allowed."""
        with self._db.transaction():
            self._db.lock(f"sign-in {key}" for key in sorted(bounds))
            self._db.execute("DELETE FROM failed_sign_in WHERE at < ?", (now - _failures_kept_s,))
            sql = "SELECT count(*) FROM failed_sign_in WHERE key = ? AND at > ?"
            if any((self._db.number(sql, (key, now - window_s)) or 0) >= most for key, most in bounds.items()):
                return False
            self._db.many("INSERT INTO failed_sign_in (key, at) VALUES (?, ?)", [(key, now) for key in bounds])
        return True

    def succeeded(self, keys: Iterable[str], *, at: float) -> None:
        """The try of that moment was none that failed."""
        self._db.many("DELETE FROM failed_sign_in WHERE key = ? AND at = ?", [(key, at) for key in keys])

    def forgive(self, key: str) -> None:
        self._db.execute("DELETE FROM failed_sign_in WHERE key = ?", (key,))

    # ---- audit

    def audit(self, who: str, what: str, about: str = "", *, address: str = "", now: float) -> None:
        row: dict[str, Value] = {"at": now, "who": who, "what": what, "about": about[:500], "address": address[:100]}
        with self._db.transaction():
            made = self._db.insert("audit", row)
            if made % 1_000 == 0:
                self._db.execute("DELETE FROM audit WHERE id <= ?", (made - _audit_rows_max,))

    def audited(self, *, before: int | None = None, limit: int = 100) -> list[AuditRow]:
        """The newest first; ``before`` is an id."""
        where, values = ("", ()) if before is None else (" WHERE id < ?", (before,))
        sql = f"SELECT id, at, who, what, about, address FROM audit{where} ORDER BY id DESC LIMIT ?"  # noqa: S608
        return [AuditRow(*row) for row in self._db.rows(sql, (*values, limit))]


def folded(name: str) -> str:
    """Names are compared without regard to case and spaces around them."""
    return name.strip().casefold()


def _encode(found: list[str]) -> str:
    return msgspec.json.encode(found).decode()


def _person(row: Sequence[Any]) -> Person:
    values = [*row]
    values[8] = tuple(msgspec.json.decode(row[8], type=list[str]))
    return Person(*values)


_PERSON: Final = (
    "SELECT id, name, shown, role, password, subject, totp_sealed, totp_used, recovery, created_at, signed_in_at,"
    " disabled_at FROM person"
)
_SESSION: Final = "SELECT id, person, created_at, used_at, address, agent FROM session"
_ACCESS: Final = "SELECT id, prefix, person, name, scope, project, created_at, expires_at, used_at FROM token"
