"""Import: an export of this product into a store, and events of others into a running Console.

An export goes straight into a store, SQLite or PostgreSQL, also while its Console runs; done twice it doubles nothing,
and what was interrupted is finished by doing it again. Events of Sentry, GlitchTip or Bugsink are what a client sends,
so they go through the door like any other: scrubbed, grouped, diagnosed, counted once an id.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any, Final

import msgspec

from fivehundred import limits
from fivehundred.console.export import event_columns, export_format, fault_columns, fault_tables
from fivehundred.console.store.base import Batch, Digested, StoreError
from fivehundred.console.store.bodies import Body
from fivehundred.console.store.intake import ExportedEvent
from fivehundred.console.store.relational import RelationalStore
from fivehundred.diagnosis.model import Diagnosis
from fivehundred.event import clean_id, parse
from fivehundred.fingerprint.model import Fingerprint, Key

_events_at_once: Final = 200
_line_bytes_max: Final = 64 * limits.MIB
_bytes: Final = {"last_event_id", "event_id", "identity", "data"}


class ImportRefused(Exception):
    """The file is none that can be taken in; the text says which line and why."""


@dataclass(slots=True)
class Imported:
    projects: int = 0  # new ones
    faults: int = 0  # new ones
    events: int = 0  # new ones, with payloads
    counted: int = 0  # new ones of faults that the store had of its own
    skipped: int = 0  # lines that say nothing this version knows


@dataclass(slots=True)
class _Taking:
    store: RelationalStore
    now: float
    done: Imported = field(default_factory=Imported)
    projects: dict[str, str] = field(default_factory=dict)  # id there -> id here
    new: set[str] = field(default_factory=set)  # projects made by this import, by their id here
    faults: dict[int, tuple[int, str, bool]] = field(default_factory=dict)  # there -> here, project here, its counts
    events: list[ExportedEvent] = field(default_factory=list)
    others: list[Digested] = field(default_factory=list)  # of faults that the store had of its own


def take(store: RelationalStore, lines: IO[bytes], *, now: float) -> Imported:
    """Raises ImportRefused; what was taken in before the line that is refused stays, and is not doubled later."""
    taking, number = _Taking(store, now), 0
    handlers: dict[str, Callable[[_Taking, Any], None]] = {
        "project": _project, "tally": _tally, "fault": _fault, "event": _event, "seen": _seen,
        "malformed": _malformed, "feedback": _feedback,
    }  # fmt: skip
    for number, line in enumerate(_lines(lines), 1):
        try:
            (name, row), *more = msgspec.json.decode(line, type=dict[str, Any]).items()
            if number == 1:
                _check_head(name, row)
            elif name in handlers and not more:
                handlers[name](taking, row)
            else:
                taking.done.skipped += 1
        except (ValueError, KeyError, TypeError, AttributeError, msgspec.MsgspecError) as error:
            raise ImportRefused(f"line {number} is damaged ({type(error).__name__}: {str(error)[:200]})") from error
        except StoreError as error:
            raise ImportRefused(f"line {number} could not be stored: {error}") from error
    if number == 0:
        raise ImportRefused("the file is empty")
    _flush(taking)
    return taking.done


def is_export(head: bytes) -> bool:
    """By its first bytes."""
    return re.match(rb'\s*\{\s*"export"\s*:', head) is not None


def _check_head(name: str, row: Any) -> None:
    if name != "export" or row.get("format") != export_format:
        raise ValueError(f"an export begins with format {export_format}; was it written by a newer version?")


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline(_line_bytes_max + 1):
        if len(line) > _line_bytes_max:
            raise ImportRefused(f"a line is longer than {_line_bytes_max:,} bytes")
        if line.strip():
            yield line


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Bytes come as base64."""
    return {k: base64.b64decode(v, validate=True) if k in _bytes and isinstance(v, str) else v for k, v in row.items()}


def _project(taking: _Taking, row: dict[str, Any]) -> None:
    here, is_new = taking.store.intake.project(row)
    taking.projects[str(row["id"])] = here
    if is_new:
        taking.new.add(here)
        taking.done.projects += 1
    if row.get("memory"):
        taking.store.intake.memory(here, json.dumps(row["memory"]))


def _tally(taking: _Taking, row: dict[str, Any]) -> None:
    project = taking.projects[row["project"]]
    if project in taking.new:
        words = (row["outcome"], row["item"], row["reason"], row["sdk"])
        taking.store.intake.tallies([(project, *words, int(row["quantity"]))])


def _fault(taking: _Taking, row: dict[str, Any]) -> None:
    _flush(taking)  # the events of the fault before
    project = taking.projects[row["project"]]
    columns = _plain({name: row[name] for name in fault_columns if name != "id"}) | {"project": project}
    hangs = {
        table: [_plain({name: one[name] for name in names}) for one in row.get(table, ())]
        for table, names in fault_tables.items()
    }
    before = taking.store.database.number("SELECT max(id) FROM fault") or 0
    here, counts = taking.store.intake.fault(columns, hangs, now=taking.now)
    taking.done.faults += here > before
    taking.faults[row["id"]] = (here, project, counts)


def _event(taking: _Taking, row: dict[str, Any]) -> None:
    here, project, counts = taking.faults[row["fault"]]
    columns = _plain({name: row[name] for name in event_columns})
    if counts:
        encode = msgspec.json.encode
        body = Body(encode(row["payload"]), encode(row["diagnosis"]), encode(row["fingerprint"]))
        taking.events.append(ExportedEvent(here, project, columns, body))
    else:
        taking.others.append(_digested(project, columns, row))
    if len(taking.events) + len(taking.others) >= _events_at_once:
        _flush(taking)


def _digested(project: str, columns: dict[str, Any], row: dict[str, Any]) -> Digested:
    raw = dict(row["fingerprint"])
    keys = tuple(Key(key["kind"], key["value"], tuple(map(tuple, key["parts"]))) for key in raw["keys"])
    fingerprint = Fingerprint(**{**raw, "keys": keys, "why": tuple(raw["why"])})
    event = parse({**row["payload"], "event_id": columns["event_id"].hex()}, received_at=columns["received_at"])
    payload, diagnosis = msgspec.json.encode(row["payload"]), Diagnosis.from_json(row["diagnosis"])
    return Digested(project, columns["received_at"], event, payload, fingerprint, diagnosis)


def _flush(taking: _Taking) -> None:
    if taking.events:
        taking.done.events += taking.store.intake.events(taking.events, now=taking.now)
    if taking.others:
        counted: list[int] = []
        taking.store.write(
            Batch(events=taking.others), now=taking.now, within=lambda news: counted.extend(n.events for n in news)
        )
        taking.done.counted += sum(counted)
    taking.events, taking.others = [], []


def _seen(taking: _Taking, rows: list[Any]) -> None:
    _flush(taking)
    known = [(*taking.faults[fault], event_id, at) for fault, event_id, at in rows if fault in taking.faults]
    taking.store.intake.seen(
        [(base64.b64decode(event_id), project, here, at) for here, project, counts, event_id, at in known if counts]
    )


def _malformed(taking: _Taking, row: dict[str, Any]) -> None:
    columns = _plain(row)
    taking.store.intake.malformed(
        (taking.projects[row["project"]], columns["event_id"], row["received_at"], row["reason"], columns["data"])
    )


def _feedback(taking: _Taking, row: dict[str, Any]) -> None:
    columns = _plain(row)
    words = (row["name"], row["email"], row["message"])
    taking.store.intake.feedback((taking.projects[row["project"]], columns["event_id"], row["received_at"], *words))


# ---- events of others ------------------------------------------------------------------------------


def foreign_events(file: IO[bytes]) -> Iterator[dict[str, Any]]:
    """Events as clients send them: one a line, or one JSON document that is a list of them, or of API answers."""
    for line in _lines(file):
        try:
            found = msgspec.json.decode(line)
        except msgspec.DecodeError as error:
            rest = line + file.read(_line_bytes_max)
            try:
                found = msgspec.json.decode(rest)  # a document over several lines
            except msgspec.DecodeError:
                raise ImportRefused(f"the file is neither JSON lines nor one JSON document ({error})") from error
        for one in found if isinstance(found, list) else [found]:
            event = sent(one)
            if event is not None:
                yield event


def sent(raw: Any) -> dict[str, Any] | None:
    """The event as a client would have sent it; None when it is none. Answers of the API are turned back into it."""
    if not isinstance(raw, dict):
        return None
    if "entries" in raw:
        raw = _from_api(raw)
    elif isinstance(raw.get("data"), dict) and "event_id" in raw["data"]:
        raw = raw["data"]  # as Bugsink's API wraps it
    elif "digest_order" in raw:
        return None  # a row of the list of Bugsink's API: it says that there is an event, not what is in it
    return raw if clean_id(str(raw.get("event_id") or "")) else None


def _from_api(raw: dict[str, Any]) -> dict[str, Any]:
    entries = {str(one.get("type")): _dict(one.get("data")) for one in _list(raw["entries"]) if isinstance(one, dict)}
    event: dict[str, Any] = {
        "event_id": raw.get("eventID") or raw.get("id"),
        "timestamp": raw.get("dateCreated") or raw.get("dateReceived"),
        "platform": raw.get("platform"),
        "logger": raw.get("logger"),
        "message": entries.get("message", {}).get("formatted") or raw.get("message"),
        "tags": [(str(tag.get("key")), tag.get("value")) for tag in _list(raw.get("tags")) if isinstance(tag, dict)],
        "contexts": raw.get("contexts"),
        "user": raw.get("user"),
        "sdk": raw.get("sdk"),
        "release": _dict(raw.get("release")).get("version"),
        "exception": _snake(entries.get("exception")),
        "breadcrumbs": _snake(entries.get("breadcrumbs")),
        "request": entries.get("request"),
        "extra": raw.get("context"),
    }
    named = dict(event["tags"])
    event |= {"environment": named.get("environment"), "server_name": named.get("server_name"),
              "transaction": named.get("transaction"), "level": named.get("level")}  # fmt: skip
    event["release"] = event["release"] or named.get("release")
    return {name: value for name, value in event.items() if value is not None}


def _dict(found: Any) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}


def _list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []


_RENAMED: Final = {"absPath": "abs_path", "lineNo": "lineno", "colNo": "colno", "inApp": "in_app",
                   "threadId": "thread_id", "rawFunction": "raw_function"}  # fmt: skip


def _snake(raw: Any) -> Any:
    """Frames of the API have other names than on the wire, and their source in one list of (number, line)."""
    if isinstance(raw, list):
        return [_snake(one) for one in raw]
    if not isinstance(raw, dict):
        return raw
    found = {_RENAMED.get(name, name): _snake(value) for name, value in raw.items() if name != "context"}
    lines = raw.get("context")
    if isinstance(lines, list) and isinstance(raw.get("lineNo"), int):
        pairs = [one for one in lines if isinstance(one, list) and len(one) == 2 and isinstance(one[0], int)]
        found["pre_context"] = [text for number, text in pairs if number < raw["lineNo"]]
        found["context_line"] = next((text for number, text in pairs if number == raw["lineNo"]), "")
        found["post_context"] = [text for number, text in pairs if number > raw["lineNo"]]
    return found
