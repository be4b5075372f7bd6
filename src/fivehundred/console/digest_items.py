"""What a record of the spool holds, and what becomes of each item: an event, a count, a drop that is counted.

Nothing is acknowledged and forgotten: every item ends as an event, as malformed, or in a tally that a page shows.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import msgspec

from fivehundred import envelope, limits
from fivehundred.console import digest_feedback, digest_nel, digest_otlp, digest_rates, otlp
from fivehundred.console.digest_outline import outline
from fivehundred.console.inflate import InflateError, inflate
from fivehundred.console.spool.base import Door, Received
from fivehundred.console.store.base import Batch, Malformed, Tally
from fivehundred.event import Json, clean, clean_id, cut, text

Outcome: TypeAlias = Literal["received", "kept", "counted", "dropped", "duplicate", "lost_by_sender"]

doors: Final[frozenset[Door]] = frozenset(
    ("envelope", "store", "security", "check_in", "otlp_logs", "otlp_traces", "nel")
)

_events: Final = frozenset(("event", "security"))
_counted: Final = frozenset(("transaction", "span", "session", "sessions", "trace_metric", "check_in", "client_report"))
_not_kept: Final[dict[str, str]] = {
    **dict.fromkeys(("profile", "profile_chunk"), "profiles are not kept"),
    **dict.fromkeys(("replay_event", "replay_recording", "replay_video"), "replays are not kept"),
    **dict.fromkeys(("statsd", "metric_buckets", "metric_meta"), "obsolete metrics are not kept"),
    **dict.fromkeys(("attachment", "log", "otel_log"), "this version does not keep them"),
}


class Unreadable(ValueError):
    """The bytes are not what their door promises; the text is the reason that a person reads."""


@dataclass(frozen=True, slots=True)
class Found:
    """One event of a record, decoded as far as it takes to group it, and not yet looked at."""

    record: Received
    offset: str  # of the record, which with the number makes ids for what has none
    number: int  # of the item within its record
    raw: dict[str, Json]
    whole: bool  # False: raw is an outline, and ``read`` reads the rest
    event_id: str  # the envelope header's, which wins over the payload's; may be empty
    sent_at: str  # by the sender's clock
    sdk: str
    size: int  # bytes of the payload as sent
    payload: bytes

    def read(self) -> dict[str, Json]:
        """All of the event. Raises Unreadable."""
        return self.raw if self.whole else _event(self.payload)

    def read_strictly(self) -> dict[str, Json] | None:
        """The same where its JSON is in order and holds no NUL, so that what it holds is clean; else None."""
        if self.whole or b"\\u0000" in self.payload:
            return None
        try:
            return msgspec.json.decode(self.payload, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None


def sort(record: Received, offset: str, batch: Batch) -> Iterator[Found]:
    """The events of a record; everything else of it goes into the batch's tallies and malformed."""
    try:
        body = inflate(record.body, record.meta.get("content_encoding", ""), limits.inflated_bytes_max)
        if record.door == "envelope" or _is_envelope(record, body):
            yield from _envelope(record, offset, body, batch)
        elif record.door == "store":
            yield _store_event(record, offset, body, batch)
        elif record.door == "security":
            yield from _security(record, offset, body, batch)
        elif record.door in ("otlp_logs", "otlp_traces"):
            yield from _otlp(record, offset, body, batch)
        elif record.door == "nel":
            yield from _nel(record, offset, body, batch)
        elif record.door == "check_in":
            _tally(batch, record, "received", "check_in", "", _client(record))
            _tally(batch, record, "counted", "check_in", "", _client(record))
        else:
            raise Unreadable(f"this version does not read what comes through the door {record.door}")
    except (InflateError, Unreadable, envelope.EnvelopeError, otlp.OtlpError) as e:
        batch.malformed.append(malformed(record, offset, 0, str(e)))


def decode(payload: bytes) -> Json:
    """JSON as senders write it: NaN, lone surrogates, bad UTF-8 and huge numbers included. Raises Unreadable."""
    try:
        found: Json = msgspec.json.decode(payload)
    except (msgspec.DecodeError, RecursionError):
        try:
            found = json.loads(payload.decode("utf-8-sig", "replace"), parse_int=_int)
        except RecursionError as e:
            raise Unreadable("the JSON is nested deeper than a thousand levels") from e
        except ValueError as e:
            raise Unreadable(f"the payload is not JSON: {e}") from e
    return found


def malformed(
    record: Received, offset: str, number: int, reason: str, data: bytes | None = None, event_id: str = ""
) -> Malformed:
    """As received, under the id the sender was told; else under one that a repeated batch makes again."""
    made = hashlib.blake2b(f"{record.project} {offset} {number}".encode(), digest_size=16).hexdigest()
    return Malformed(
        project=record.project,
        received_at=record.received_at,
        event_id=clean_id(event_id or record.meta.get("event_id")) or made,
        reason=cut(clean(reason), 500),
        data=(record.body if data is None else data)[: limits.malformed_bytes_max],
    )


def _envelope(record: Received, offset: str, body: bytes, batch: Batch) -> Iterator[Found]:
    parsed = envelope.parse(body)
    event_id, sent_at = clean_id(parsed.headers.get("event_id")), text(parsed.headers.get("sent_at"), 64)
    sdk = _sdk(parsed.headers.get("sdk")) or _client(record)
    for number, item in enumerate(parsed.items):
        kind = cut(clean(item.type), 64)
        _tally(batch, record, "received", kind, "", sdk)
        if kind not in _events:
            _other(batch, record, kind, item.payload, sdk, event_id)
            continue
        try:
            raw, whole = _outlined(item.payload)
        except Unreadable as e:
            batch.malformed.append(malformed(record, offset, number, str(e), item.payload, event_id))
            continue
        if raw.get("type") == "transaction":
            _tally(batch, record, "counted", "transaction", "", sdk)
        else:
            yield Found(record, offset, number, raw, whole, event_id, sent_at, sdk, len(item.payload), item.payload)


def _store_event(record: Received, offset: str, body: bytes, batch: Batch) -> Found:
    sdk = _client(record)
    _tally(batch, record, "received", "event", "", sdk)
    payload = _unwrapped(body)
    raw, whole = _outlined(payload)
    return Found(record, offset, 0, raw, whole, record.meta.get("event_id", ""), "", sdk, len(payload), payload)


def _outlined(payload: bytes) -> tuple[dict[str, Json], bool]:
    """(event, whether that is all of it)"""
    _check_size(payload)
    found = outline(payload) if len(payload) <= limits.kept_bytes_max else None
    return (_event(payload), True) if found is None else (found, False)


def _check_size(payload: bytes) -> None:
    """30 kB of gzip can hold an event that takes half a minute to read. Raises Unreadable."""
    if len(payload) > limits.event_read_bytes_max:
        raise Unreadable(f"the event has {len(payload)} bytes; up to {limits.event_read_bytes_max} are read")


def _event(payload: bytes) -> dict[str, Json]:
    raw = decode(payload)
    if not isinstance(raw, dict):
        raise Unreadable("the event is not a JSON object")
    return raw


def _unwrapped(body: bytes) -> bytes:
    """raven-node sends base64 of zlib of JSON, and says nothing of it in the headers."""
    if body.lstrip()[:1] == b"{":
        return body
    try:
        plain = base64.b64decode(body, validate=False)
    except binascii.Error as e:
        raise Unreadable("the body is neither JSON nor base64") from e
    if plain[:1] == b"{":
        return plain
    return inflate(plain, "deflate", limits.store_inflated_bytes_max)


def _is_envelope(record: Received, body: bytes) -> bool:
    """Some senders post envelopes to /store/ and say so in the Content-Type."""
    return record.door == "store" and record.meta.get("content_type", "").startswith("application/x-sentry-envelope")


# ---- OpenTelemetry -------------------------------------------------------------------------------


def _otlp(record: Received, offset: str, body: bytes, batch: Batch) -> Iterator[Found]:
    """Failures among log records and spans are events; each further record is counted."""
    is_logs = record.door == "otlp_logs"
    groups = otlp.groups(body, record.meta.get("content_type", ""), "logs" if is_logs else "traces")
    made = (digest_otlp.of_logs if is_logs else digest_otlp.of_spans)(groups, record.project)
    item = "otlp log" if is_logs else "otlp span"
    _tally(batch, record, "received", item, "", made.sdk, made.counted)
    _tally(batch, record, "counted", item, "", made.sdk, made.counted)
    _tally(batch, record, "received", "event", "", made.sdk, len(made.events) + made.repeated)
    _tally(batch, record, "duplicate", "event", "one exception on several spans", made.sdk, made.repeated)
    if not (made.events or made.counted or made.unreadable):  # damaged ones read like this, too: it is said
        _tally(batch, record, "received", "otlp export", "", made.sdk)
        _tally(batch, record, "counted", "otlp export", "it holds no record", made.sdk)
    for number, (reason, data) in enumerate(made.unreadable, len(made.events)):
        batch.malformed.append(malformed(record, offset, number, reason, data))
    for number, (event_id, raw) in enumerate(made.events):
        payload = msgspec.json.encode(raw)
        yield Found(record, offset, number, raw, True, event_id, "", made.sdk, len(payload), payload)


# ---- what browsers report by themselves ----------------------------------------------------------


def _security(record: Received, offset: str, body: bytes, batch: Batch) -> Iterator[Found]:
    """A CSP violation as an event: grouped by directive and blocked origin."""
    _check_size(body)
    raw = decode(body)
    reports = raw if isinstance(raw, list) else [raw]
    for number, report in enumerate(reports[: limits.reports_max]):
        sdk = _client(record)
        _tally(batch, record, "received", "security", "", sdk)
        inner = report.get("csp-report") or report.get("body") if isinstance(report, dict) else None
        if not isinstance(inner, dict):
            data = json.dumps(report).encode()
            batch.malformed.append(malformed(record, offset, number, "no csp-report in the report", data))
            continue
        yield Found(record, offset, number, _csp_event(inner, record), True, "", "", sdk, len(body), body)
    rest = len(reports) - limits.reports_max
    _tally(batch, record, "received", "security", "", _client(record), rest)
    _tally(batch, record, "dropped", "security", "too many reports in one request", _client(record), rest)


def _nel(record: Received, offset: str, body: bytes, batch: Batch) -> Iterator[Found]:
    """Answers of 5xx are events; names that do not resolve, connections that break and the like are counted."""
    _check_size(body)
    raw, sdk = decode(body), _client(record)
    reports = raw if isinstance(raw, list) else [raw]
    for number, report in enumerate(reports):
        _tally(batch, record, "received", "nel", "", sdk)
        if not isinstance(report, dict):
            data = json.dumps(report).encode()
            batch.malformed.append(malformed(record, offset, number, "the report is not a JSON object", data))
            continue
        event = digest_nel.event_of(report, record.received_at) if number < limits.reports_max else None
        if event is None:
            _tally(batch, record, "counted", "nel", _kind_of(report), sdk)
        else:
            payload = msgspec.json.encode(event)
            yield Found(record, offset, number, event, True, "", "", sdk, len(payload), payload)


def _kind_of(report: dict[str, Json]) -> str:
    body = report.get("body")
    return cut(clean(text(body.get("type"), 64)), 64) if isinstance(body, dict) else ""


def _csp_event(report: dict[str, Json], record: Received) -> dict[str, Json]:
    directive = text(report.get("effective-directive") or report.get("violated-directive"), 100) or "unknown"
    blocked = text(report.get("blocked-uri"), 200) or "inline"
    origin = "/".join(blocked.split("/")[:3])
    return {
        "type": "csp",
        "platform": "javascript",
        "level": "warning",
        "logger": "csp",
        "message": f"Blocked '{directive}' from '{origin}'",
        "fingerprint": ["csp", directive, origin],
        "request": {"url": text(report.get("document-uri")), "headers": {"Referer": text(report.get("referrer"))}},
        "extra": {"csp": report},
        "timestamp": record.received_at,
    }


# ---- items that are no events --------------------------------------------------------------------


def _other(batch: Batch, record: Received, kind: str, payload: bytes, sdk: str, event_id: str) -> None:
    if kind in digest_feedback.kinds:
        _feedback(batch, record, kind, payload, sdk, event_id)
    elif kind == digest_rates.item_type:
        _rates(batch, record, payload, sdk)
    elif kind not in _counted:
        _tally(batch, record, "dropped", kind, _not_kept.get(kind, "the item type is not known"), sdk)
    elif kind in ("session", "sessions", "client_report") and not _figures(batch, record, kind, payload, sdk):
        _tally(batch, record, "dropped", kind, "not a JSON object", sdk)
    else:
        _tally(batch, record, "counted", kind, "", sdk)


def _feedback(batch: Batch, record: Received, kind: str, payload: bytes, sdk: str, event_id: str) -> None:
    """The Store tallies what it keeps."""
    try:
        raw = _event(payload)
    except Unreadable as e:
        _tally(batch, record, "dropped", kind, str(e), sdk)
        return
    found = digest_feedback.read(kind, raw, event_id, record.project, record.received_at)
    if found is None:
        _tally(batch, record, "dropped", kind, "it names no event, or says nothing", sdk)
    else:
        batch.feedback.append(found)


def _rates(batch: Batch, record: Received, payload: bytes, sdk: str) -> None:
    try:
        found = digest_rates.read(decode(payload), record.project, record.received_at)
    except Unreadable:
        found = None
    if found is None:
        _tally(batch, record, "dropped", digest_rates.item_type, "it counts nothing", sdk)
    else:
        batch.rates.append(found)
        _tally(batch, record, "counted", digest_rates.item_type, "", sdk)


def _figures(batch: Batch, record: Received, kind: str, payload: bytes, sdk: str) -> bool:
    """Adds what sessions and client reports count; False when the payload cannot be read."""
    try:
        raw = decode(payload)
    except Unreadable:
        return False
    if not isinstance(raw, dict):
        return False
    if kind == "session":
        if raw.get("init") is True or raw.get("status") in ("crashed", "abnormal"):
            _tally(batch, record, "counted", "session status", text(raw.get("status"), 20) or "ok", sdk)
    elif kind == "sessions":
        for entry in _dicts(raw.get("aggregates")):
            for status in ("exited", "errored", "abnormal", "crashed"):
                _tally(batch, record, "counted", "session status", status, sdk, _quantity(entry.get(status)))
    else:
        for entry in _dicts(raw.get("discarded_events")):
            category, reason = text(entry.get("category"), 64), text(entry.get("reason"), 64)
            _tally(batch, record, "lost_by_sender", category, reason, sdk, _quantity(entry.get("quantity")))
    return True


def _tally(
    batch: Batch, record: Received, outcome: Outcome, item: str, reason: str, sdk: str, quantity: int = 1
) -> None:
    if quantity > 0:
        batch.tallies.append(Tally(record.project, outcome, item, reason, sdk, quantity))


def _quantity(value: Json) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31 else 0


def _dicts(value: Json) -> list[dict[str, Json]]:
    found = value if isinstance(value, list) else []
    return [entry for entry in found[: limits.reports_max] if isinstance(entry, dict)]


def _sdk(value: Json) -> str:
    if not isinstance(value, dict):
        return ""
    name, version = text(value.get("name"), 100), text(value.get("version"), 50)
    return f"{name}/{version}" if name else ""


def _client(record: Received) -> str:
    """By its own word; browsers send only a User-Agent, whose first word is enough to tell them apart."""
    return cut(clean(record.meta.get("client", "")).partition(" ")[0], 100)


def _int(digits: str) -> int | str:
    return int(digits) if len(digits) < 4000 else f"a number of {len(digits)} digits"
