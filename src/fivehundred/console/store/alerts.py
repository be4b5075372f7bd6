"""The desk of the alerts: channels, rules, and the outbox. What is decided and said is in ``console.alerts``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, get_args

import msgspec

from fivehundred.console.store.base import NotFound
from fivehundred.console.store.database import Database, Value
from fivehundred.event import Json

Kind: TypeAlias = Literal["new", "regressed", "once", "spike", "threshold", "incident_opened", "incident_closed"]
kinds: Final[tuple[Kind, ...]] = get_args(Kind)
State: TypeAlias = Literal["waiting", "sent", "failed"]

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class ChannelRow:
    id: int
    name: str
    kind: str
    settings: dict[str, str]  # what may be shown
    sealed: str  # the secret, for the vault
    hourly_max: int  # messages; what is above it is folded into one
    created_at: float


@dataclass(frozen=True, slots=True)
class Narrow:
    """What a rule is about; empty: everything. Within one field any value fits, and all fields must."""

    project: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    cause: tuple[str, ...] = ()
    level: tuple[str, ...] = ()
    tag: tuple[tuple[str, str], ...] = ()
    team: tuple[str, ...] = ()  # that the fault is assigned to


@dataclass(frozen=True, slots=True)
class Rule:
    id: int
    name: str
    channel: int
    kinds: tuple[Kind, ...]
    narrow: Narrow = field(default_factory=Narrow)
    threshold: int = 100  # events, of "threshold" and "spike"
    within_s: float = 600.0  # in which they happen
    again_s: float = 3600.0  # how long the rule is quiet about the same subject
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Alert:
    """One message of the outbox."""

    id: int
    channel: int
    rule: int  # 0: a test, or a summary of folded ones
    kind: str
    project: str
    subject: str
    body: dict[str, Json]  # "text", "path" of the page, "data"
    state: State
    attempts: int
    due_at: float
    created_at: float
    sent_at: float | None
    error: str
    folded: int  # alerts that this one stands for


class Alerts:
    def __init__(self, database: Database) -> None:
        self._db = database

    # ---- channels

    def channels(self) -> list[ChannelRow]:
        return [_channel(row) for row in self._db.rows(f"{_CHANNEL} WHERE deleted_at IS NULL ORDER BY id")]

    def channel(self, channel: int) -> ChannelRow:
        """Raises NotFound."""
        found = self._db.rows(f"{_CHANNEL} WHERE deleted_at IS NULL AND id = ?", (channel,))
        if not found:
            raise NotFound(f"there is no channel {channel}")
        return _channel(found[0])

    def add_channel(
        self, name: str, kind: str, settings: Mapping[str, str], sealed: str, *, hourly_max: int, now: float
    ) -> int:
        row: dict[str, Value] = {
            "name": name,
            "kind": kind,
            "settings": _encode(settings).decode(),
            "sealed": sealed,
            "hourly_max": hourly_max,
            "created_at": now,
        }
        with self._db.transaction():
            made = self._db.insert("channel", row)
            self._db.changed()
        return made

    def remove_channel(self, channel: int, *, now: float) -> None:
        """With its rules; what waits for it is given up. Raises NotFound."""
        self.channel(channel)
        with self._db.transaction():
            self._db.execute("UPDATE channel SET deleted_at = ?, sealed = '' WHERE id = ?", (now, channel))
            self._db.execute("UPDATE alert_rule SET deleted_at = ? WHERE channel = ?", (now, channel))
            gone = "the channel was removed"
            self._db.execute(
                "UPDATE alert SET state = 'failed', error = ? WHERE channel = ? AND state = 'waiting'", (gone, channel)
            )
            self._db.changed()

    # ---- rules

    def rules(self, *, enabled_only: bool = False) -> list[Rule]:
        where = "deleted_at IS NULL" + (" AND enabled = 1" if enabled_only else "")
        return [_rule(row) for row in self._db.rows(f"{_RULE} WHERE {where} ORDER BY id")]

    def add_rule(self, rule: Rule, *, now: float) -> int:
        """``rule.id`` is ignored. Raises NotFound when there is no such channel."""
        self.channel(rule.channel)
        row: dict[str, Value] = {
            "name": rule.name,
            "channel": rule.channel,
            "kinds": " ".join(rule.kinds),
            "narrow": _encode(rule.narrow).decode(),
            "threshold": rule.threshold,
            "within_s": rule.within_s,
            "again_s": rule.again_s,
            "enabled": int(rule.enabled),
            "created_at": now,
        }
        with self._db.transaction():
            made = self._db.insert("alert_rule", row)
            self._db.changed()
        return made

    def enable_rule(self, rule: int, enabled: bool) -> None:
        self._changed_one("UPDATE alert_rule SET enabled = ? WHERE deleted_at IS NULL AND id = ?", int(enabled), rule)

    def remove_rule(self, rule: int, *, now: float) -> None:
        self._changed_one("UPDATE alert_rule SET deleted_at = ? WHERE deleted_at IS NULL AND id = ?", now, rule)

    def _changed_one(self, sql: str, value: Value, rule: int) -> None:
        with self._db.transaction():
            if not self._db.execute(sql, (value, rule)):
                raise NotFound(f"there is no rule {rule}")
            self._db.changed()

    # ---- what was told, and counts

    def told_at(self, rule: int, subject: str) -> float | None:
        found = self._db.rows("SELECT told_at FROM alert_told WHERE rule = ? AND subject = ?", (rule, subject))
        return float(found[0][0]) if found else None

    def tell(self, rule: int, subject: str, *, now: float) -> None:
        self._db.execute(
            "INSERT INTO alert_told (rule, subject, told_at) VALUES (?, ?, ?)"
            " ON CONFLICT (rule, subject) DO UPDATE SET told_at = excluded.told_at",
            (rule, subject, now),
        )

    def count(self, fault: int, events: int, *, now: float) -> None:
        self._db.execute(
            "INSERT INTO alert_minute (fault, minute, events) VALUES (?, ?, ?)"
            " ON CONFLICT (fault, minute) DO UPDATE SET events = alert_minute.events + excluded.events",
            (fault, int(now // 60), events),
        )

    def counted(self, fault: int, within_s: float, *, now: float) -> int:
        """Events of the fault in the last ``within_s``, to the minute."""
        sql = "SELECT sum(events) FROM alert_minute WHERE fault = ? AND minute > ?"
        return int(self._db.rows(sql, (fault, int((now - within_s) // 60)))[0][0] or 0)

    def normal(self, fault: int, within_s: float, *, now: float) -> float:
        """Events that ``within_s`` held on average in the 24 hours before this one, as far as the fault is that old."""
        hour = int(now // 3600)
        sql = "SELECT sum(events) FROM fault_hour WHERE fault = ? AND hour >= ? AND hour < ?"
        events = float(self._db.rows(sql, (fault, hour - 24, hour))[0][0] or 0)
        known_s = min(86_400.0, hour * 3600 - self.first_seen(fault))
        return events * within_s / max(known_s, within_s)

    def first_seen(self, fault: int) -> float:
        return float(self._db.rows("SELECT first_seen FROM fault WHERE id = ?", (fault,))[0][0])

    def forget(self, *, before: float, told_before: float) -> None:
        """What is older than any rule looks back."""
        with self._db.transaction():
            self._db.execute("DELETE FROM alert_minute WHERE minute < ?", (int(before // 60),))
            self._db.execute("DELETE FROM alert WHERE created_at < ? AND state <> 'waiting'", (told_before,))

    # ---- the outbox

    def recent(self, channel: int, *, since: float) -> int:
        """Messages to the channel since then, the folded ones counted as the one that stands for them."""
        sql = "SELECT count(*) FROM alert WHERE channel = ? AND created_at > ?"
        return self._db.number(sql, (channel, since)) or 0

    def add(
        self, channel: int, rule: int, kind: str, project: str, subject: str, body: Mapping[str, Json], *, now: float,
        due_at: float, folded: int = 0
    ) -> int:  # fmt: skip
        row: dict[str, Value] = {
            "channel": channel,
            "rule": rule,
            "kind": kind,
            "project": project,
            "subject": subject,
            "body": _encode(body).decode(),
            "state": "waiting",
            "attempts": 0,
            "due_at": due_at,
            "created_at": now,
            "error": "",
            "folded": folded,
        }
        return self._db.insert("alert", row)

    def summary(self, channel: int) -> Alert | None:
        """The message that folded alerts of the channel are being added to."""
        found = self._db.rows(
            f"{_ALERT} WHERE channel = ? AND kind = 'summary' AND state = 'waiting' AND attempts = 0"
            " ORDER BY id DESC LIMIT 1",
            (channel,),
        )
        return _alert(found[0]) if found else None

    def refill(self, alert: int, subject: str, body: Mapping[str, Json], folded: int) -> None:
        """Says more in a message that was not tried yet."""
        values = (subject, _encode(body).decode(), folded, alert)
        self._db.execute("UPDATE alert SET subject = ?, body = ?, folded = ? WHERE id = ?", values)

    def alerts(self, *, limit: int = 50, project: str | None = None) -> list[Alert]:
        """The newest first."""
        where, values = ("", ()) if project is None else (" WHERE project = ?", (project,))
        return [_alert(row) for row in self._db.rows(f"{_ALERT}{where} ORDER BY id DESC LIMIT ?", (*values, limit))]

    def alert(self, alert: int) -> Alert:
        found = self._db.rows(f"{_ALERT} WHERE id = ?", (alert,))
        if not found:
            raise NotFound(f"there is no alert {alert}")
        return _alert(found[0])

    def due(self, *, now: float, busy: Iterable[int] = ()) -> list[Alert]:
        """The oldest due message of each channel that is not in ``busy``."""
        found: dict[int, Alert] = {}
        skipped = set(busy)
        sql = f"{_ALERT} WHERE state = 'waiting' AND due_at <= ? ORDER BY due_at, id LIMIT 500"
        for row in self._db.rows(sql, (now,)):
            alert = _alert(row)
            if alert.channel not in skipped:
                found.setdefault(alert.channel, alert)
        return list(found.values())

    def claim(self, alert: Alert, *, until: float) -> bool:
        """Takes it for this process; False when another one was faster. Not done by then, it is due again."""
        with self._db.transaction():
            sql = (
                "UPDATE alert SET due_at = ?, attempts = attempts + 1"
                " WHERE id = ? AND state = 'waiting' AND attempts = ?"
            )
            return self._db.execute(sql, (until, alert.id, alert.attempts)) == 1

    def sent(self, alert: int, *, now: float) -> None:
        self._end("UPDATE alert SET state = 'sent', sent_at = ?, error = '' WHERE id = ?", now, alert)

    def later(self, alert: int, error: str, *, due_at: float) -> None:
        self._end("UPDATE alert SET due_at = ?, error = ? WHERE id = ?", due_at, error, alert)

    def failed(self, alert: int, error: str) -> None:
        self._end("UPDATE alert SET state = 'failed', error = ? WHERE id = ?", error, alert)

    def retry(self, alert: int, *, now: float) -> None:
        """A person tries a failed one again. Raises NotFound."""
        self.alert(alert)
        self._end("UPDATE alert SET state = 'waiting', attempts = 0, due_at = ? WHERE id = ?", now, alert)

    def _end(self, sql: str, *values: Value) -> None:
        with self._db.transaction():
            self._db.execute(sql, values)
            self._db.changed()


_CHANNEL: Final = "SELECT id, name, kind, settings, sealed, hourly_max, created_at FROM channel"
_RULE: Final = "SELECT id, name, channel, kinds, narrow, threshold, within_s, again_s, enabled FROM alert_rule"
_ALERT: Final = (
    "SELECT id, channel, rule, kind, project, subject, body, state, attempts, due_at, created_at, sent_at, error,"
    " folded FROM alert"
)


def _channel(row: Sequence[Any]) -> ChannelRow:
    values = [*row]
    values[3] = msgspec.json.decode(row[3], type=dict[str, str])
    return ChannelRow(*values)


def _rule(row: Sequence[Any]) -> Rule:
    known = tuple(kind for kind in kinds if kind in row[3].split())
    narrow = msgspec.json.decode(row[4], type=Narrow)
    return Rule(row[0], row[1], row[2], known, narrow, row[5], row[6], row[7], bool(row[8]))


def _alert(row: Sequence[Any]) -> Alert:
    values = [*row]
    values[6] = msgspec.json.decode(row[6], type=dict[str, Any])
    return Alert(*values)
