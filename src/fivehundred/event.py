"""Event: one failure, reported. Its parts, and a tolerant parser of what comes over the wire.

The wire form is Sentry's public event payload, so every Sentry SDK's events parse, and ours can be sent to any
Sentry-compatible server. What only ``fivehundred`` knows travels in ``contexts["fivehundred"]`` and in each
exception's ``mechanism`` (``meta.errno``, ``data``), which foreign servers keep and show.

``parse`` is the one door: past it nobody asks ``isinstance(x, dict)`` of an event's own fields. It refuses only what
is not an object at all; every field may be missing, null, of a wrong type, huge or hostile.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Collection, Mapping
from typing import Final, TypeAlias, TypeVar

from fivehundred import limits
from fivehundred.record import field, record

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
T = TypeVar("T")

context_name: Final = "fivehundred"  # contexts[...] of an event that holds what our Guard adds

levels: Final = ("debug", "info", "warning", "error", "fatal")


class EventError(ValueError):
    """The value is no event at all (not a JSON object)."""


@record(slots=True)
class Frame:
    """One frame of a stack. Lists of frames run from the caller to the raising frame, as on the wire."""

    filename: str = ""
    abs_path: str = ""
    module: str = ""
    function: str = ""
    lineno: int | None = None
    colno: int | None = None
    context_line: str = ""
    pre_context: list[str] = field(default_factory=list)
    post_context: list[str] = field(default_factory=list)
    in_app: bool | None = None
    vars: dict[str, Json] = field(default_factory=dict)
    platform: str = ""


@record(slots=True)
class Mechanism:
    """How an exception was caught and how it hangs together with the others of its chain or group."""

    type: str = "generic"
    handled: bool | None = None
    synthetic: bool = False
    source: str = ""  # "__cause__", "__context__", "exceptions[1]"
    exception_id: int | None = None
    parent_id: int | None = None
    is_exception_group: bool = False
    meta: dict[str, Json] = field(default_factory=dict)  # {"errno": {"number": 111, "name": "ECONNREFUSED"}}
    data: dict[str, Json] = field(default_factory=dict)  # ours: {"mro": [...], "sqlstate": "53300", "notes": [...]}


@record(slots=True)
class ExceptionItem:
    """One exception of the chain. Lists of them run from the oldest (the root) to the one that was raised last."""

    type: str = ""
    value: str = ""
    module: str = ""
    mechanism: Mechanism | None = None
    frames: list[Frame] = field(default_factory=list)
    thread_id: str = ""


@record(slots=True)
class Request:
    """The request that failed, scrubbed. Header names keep their case; look-ups go through ``header``."""

    method: str = ""
    url: str = ""
    query_string: str = ""
    data: Json = None
    cookies: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    env: dict[str, Json] = field(default_factory=dict)

    def header(self, name: str) -> str:
        lowered = name.lower()
        return next((v for k, v in self.headers.items() if k.lower() == lowered), "")


@record(slots=True)
class User:
    id: str = ""
    username: str = ""
    email: str = ""
    ip_address: str = ""

    @property
    def identity(self) -> str:
        """The most telling of the four, for counting users; empty when nothing is known."""
        return self.id or self.username or self.email or self.ip_address


@record(slots=True)
class Breadcrumb:
    timestamp: float | None = None  # seconds since 1970
    type: str = ""
    category: str = ""
    message: str = ""
    level: str = "info"
    data: dict[str, Json] = field(default_factory=dict)


@record(slots=True)
class Sdk:
    name: str = ""
    version: str = ""


@record(slots=True)
class Event:
    """One failure, reported. Times are seconds since 1970 (UTC)."""

    event_id: str
    timestamp: float
    platform: str = "other"
    level: str = "error"
    logger: str = ""
    transaction: str = ""
    server_name: str = ""
    release: str = ""
    dist: str = ""
    environment: str = "production"
    message: str = ""  # of the log entry, with parameters filled in
    message_template: str = ""  # the same before they were filled in; empty when there is none
    exceptions: list[ExceptionItem] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)  # the stack of an event without an exception
    request: Request | None = None
    user: User | None = None
    breadcrumbs: list[Breadcrumb] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    contexts: dict[str, dict[str, Json]] = field(default_factory=dict)
    extra: dict[str, Json] = field(default_factory=dict)
    modules: dict[str, str] = field(default_factory=dict)
    fingerprint: list[str] = field(default_factory=list)
    sdk: Sdk = field(default_factory=Sdk)
    type: str = "event"  # "event", "transaction", "feedback", "csp" ...

    @property
    def ours(self) -> dict[str, Json]:
        """What our Guard added; empty for events of other SDKs."""
        return self.contexts.get(context_name, {})


def new_id() -> str:
    """A fresh event id: 32 lower-case hex digits of a random UUID, so ``urn:uuid:`` may stand before it."""
    # as uuid.uuid4() makes it; that module costs every importer of this one 5 ms
    try:
        drawn = _drawn.pop()
    except IndexError:
        many = os.urandom(16 * _drawn_at_once)  # a system call each would let other threads go first each time
        _drawn.extend(many[i : i + 16] for i in range(16, len(many), 16))
        drawn = many[:16]
    digits = drawn.hex()
    return f"{digits[:12]}4{digits[13:16]}{'89ab'[drawn[8] >> 6]}{digits[17:]}"


_drawn: list[bytes] = []
_drawn_at_once: Final = 64
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drawn.clear)  # else parent and child would give the same ids


# ---- from the wire -------------------------------------------------------------------------------


def parse(raw: object, *, received_at: float, event_id: str = "", is_clean: bool = False) -> Event:
    """The typed event of a decoded JSON payload. Raises EventError only when ``raw`` is not an object.

    ``event_id`` is the envelope header's, which wins over the payload's; one is made when both are missing or bad.
    ``received_at`` (seconds since 1970) stands in for a missing or unreadable timestamp. ``is_clean`` is the promise
    that no text holds a NUL or a lone surrogate, that numbers are finite and the depth is bounded: trees are then
    taken as they are, which saves half of the time.
    """
    branch = _as_it_is if is_clean else _json_dict
    if not isinstance(raw, dict):
        raise EventError(f"an event is a JSON object, this is {_kind(raw)}")
    exceptions = _first(raw, "exception", "sentry.interfaces.Exception")
    stack = _first(raw, "stacktrace", "sentry.interfaces.Stacktrace")
    message, template = _message(raw)
    request = _first(raw, "request", "sentry.interfaces.Http")
    user = _first(raw, "user", "sentry.interfaces.User")
    sdk = _dict(raw.get("sdk"))
    return Event(
        event_id=clean_id(event_id) or clean_id(raw.get("event_id")) or new_id(),
        timestamp=seconds(raw.get("timestamp"), received_at) or received_at,
        platform=_name(raw.get("platform")) or "other",
        level=_level(raw.get("level")),
        logger=_name(raw.get("logger")),
        transaction=_name(_first(raw, "transaction", "culprit")),
        server_name=_name(raw.get("server_name")),
        release=_name(raw.get("release")),
        dist=_name(raw.get("dist")),
        environment=_name(raw.get("environment")) or "production",
        message=message,
        message_template=template,
        exceptions=[_exception(x, branch) for x in _values(exceptions)[-limits.exceptions_max :]],
        frames=_frames(stack, branch),
        request=_request(request) if isinstance(request, dict) else None,
        user=_user(user) if isinstance(user, dict) else None,
        breadcrumbs=_breadcrumbs(raw.get("breadcrumbs"), received_at, branch),
        tags=dict(list(_pairs(raw.get("tags"), _tag).items())[: limits.tags_max]),
        contexts={clean(k): branch(v) for k, v in _dict(raw.get("contexts")).items() if isinstance(v, dict)},
        extra=branch(raw.get("extra")),
        modules=_pairs(raw.get("modules"), _name),
        fingerprint=[text(x) for x in _list(raw.get("fingerprint"))[:50] if x is not None],
        sdk=Sdk(_name(sdk.get("name")), _name(sdk.get("version"))),
        type=_name(raw.get("type")) or "event",
    )


def clean(value: str) -> str:
    """Without NUL, which databases refuse, and with lone surrogates replaced, which cannot be encoded."""
    if value.isascii():
        return value.replace("\0", "") if "\0" in value else value
    try:
        value.encode()
    except UnicodeEncodeError:
        value = value.encode("utf-8", "replace").decode()
    return value.replace("\0", "")


def cut(value: str, chars_max: int) -> str:
    """At most ``chars_max`` characters, the last one an ellipsis when something was cut."""
    return value if len(value) <= chars_max else value[: chars_max - 1] + "…"


def text(value: object, chars_max: int = limits.text_chars_max) -> str:
    """Any JSON value as text: strings as they are, nothing for null, other values as a person would write them."""
    if isinstance(value, str):
        if len(value) <= chars_max and value.isascii() and "\0" not in value:
            return value  # nearly all of them
        return cut(clean(value[: chars_max + 1]), chars_max)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return cut(_number(value), chars_max)
    return cut(_flat(value, 4), chars_max)


def clean_id(value: object) -> str:
    """An event id as 32 lower-case hex digits, from that or from the dashed form; empty when it is neither."""
    if not isinstance(value, str):
        return ""
    candidate = value.strip().replace("-", "").lower()
    return candidate if _ID.fullmatch(candidate) else ""


_ID = re.compile(r"[0-9a-f]{32}")


def tree(value: object, depth: int = limits.json_depth_max) -> Json:
    """Any decoded JSON with clean strings, finite numbers and a bounded depth."""
    if isinstance(value, str):
        return value if value.isascii() and "\0" not in value else clean(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else _number(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth <= 0:
        return "…"
    if isinstance(value, dict):
        return _branch(value, depth - 1)
    if isinstance(value, list | tuple):
        return _row(value, depth - 1)
    return clean(str(value))


# The two below are ``tree`` of every value, written out for what is most of every event: a call saved each.


def _branch(value: dict[object, object], depth: int) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for key, inner in value.items():
        name = key if isinstance(key, str) and key.isascii() and "\0" not in key else clean(str(key))
        if isinstance(inner, str):
            found[name] = inner if inner.isascii() and "\0" not in inner else clean(inner)
        elif isinstance(inner, dict) and depth > 0:
            found[name] = _branch(inner, depth - 1)
        elif isinstance(inner, list) and depth > 0:
            found[name] = _row(inner, depth - 1)
        else:
            found[name] = tree(inner, depth)
    return found


def _row(value: list[object] | tuple[object, ...], depth: int) -> list[Json]:
    return [
        inner if isinstance(inner, str) and inner.isascii() and "\0" not in inner else tree(inner, depth)
        for inner in value
    ]


def _number(value: int | float) -> str:
    # Python refuses to print integers beyond 4,300 digits; such a "number" is hostile, its size is all that is worth
    if isinstance(value, int) and value.bit_length() > 4096:
        return f"an integer of {value.bit_length()} bits"
    return str(value)


def _flat(value: object, depth: int) -> str:
    if depth == 0:
        return "…"
    if isinstance(value, dict):
        inner = ", ".join(f"{clean(str(k))}: {_flat(v, depth - 1)}" for k, v in list(value.items())[:50])
        return "{" + inner + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flat(v, depth - 1) for v in value[:50]) + "]"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value)
    return clean(str(value)) if isinstance(value, str) else str(value)


def _kind(value: object) -> str:
    names = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list"}
    return names.get(type(value), type(value).__name__)


def _first(raw: Mapping[str, object], *names: str) -> object:
    return next((raw[n] for n in names if raw.get(n) is not None), None)


def _dict(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _values(value: object) -> list[dict[str, object]]:
    """``{values: [..]}``, a flat list, or one object; null and foreign entries dropped."""
    if isinstance(value, dict):
        value = value.get("values", [value])
    return [x for x in _list(value) if isinstance(x, dict)]


def _name(value: object) -> str:
    if isinstance(value, str) and len(value) <= limits.name_chars_max and value.isascii() and "\0" not in value:
        return value
    return text(value, limits.name_chars_max)


def _tag(value: object) -> str:
    return text(value, limits.tag_chars_max)


def _int(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if 0 <= value < 2**31 else None
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10:
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return _int(int(value))
    return None


def _bool(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


_Branch: TypeAlias = "Callable[[object], dict[str, Json]]"  # what becomes of a tree that is kept as one


def _as_it_is(value: object) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _json_dict(value: object) -> dict[str, Json]:
    return _branch(value, limits.json_depth_max) if isinstance(value, dict) else {}


def _pairs(value: object, convert: Callable[[object], T]) -> dict[str, T]:
    """An object, a list of ``[k, v]`` or a list of ``{key, value}``; nulls skipped."""
    found: dict[str, T] = {}
    if isinstance(value, dict):
        if _are_clean(value, limits.tag_chars_max) and _are_clean(value.values(), limits.tag_chars_max):
            return value.copy()  # text to short clean text, which every converter leaves as it is
        pairs: list[tuple[object, object]] = list(value.items())
    else:
        pairs = []
        for entry in _list(value):
            if isinstance(entry, list) and len(entry) == 2:
                pairs.append((entry[0], entry[1]))
            elif isinstance(entry, dict):
                pairs.append((entry.get("key"), entry.get("value")))
    for key, item in pairs:
        if key is not None and item is not None:
            found[_tag(key)] = convert(item)
    return found


def _are_clean(values: Collection[object], chars_max: int) -> bool:
    """Whether all are texts that need neither cleaning nor cutting; cheaper than asking each of them."""
    try:
        joined = "".join(values)  # type: ignore[arg-type]  # that this fails is the answer
    except TypeError:
        return False
    if not joined.isascii() or "\0" in joined:
        return False
    return len(joined) <= chars_max or max(map(len, values)) <= chars_max  # type: ignore[arg-type]


_LEVELS: Final = {
    "warn": "warning",
    "critical": "fatal",
    "log": "info",
    "10": "debug",
    "20": "info",
    "30": "warning",
    "40": "error",
    "50": "fatal",
}


def _level(value: object) -> str:
    name = text(value, 20).lower()
    name = _LEVELS.get(name, name)
    return name if name in levels else "error"


def seconds(value: object, received_at: float) -> float | None:
    """Seconds since 1970 from a number or RFC 3339; None when unreadable or absurd (before 1990, > 1 day ahead)."""
    found: float | None = None
    if isinstance(value, int | float) and not isinstance(value, bool):
        # an int beyond what a float holds raises; such a time is absurd anyway
        found = float(value) if abs(value) < 1e15 else None
    elif isinstance(value, str) and len(value) <= 64:
        found = _rfc3339(value)
    if found is None or not math.isfinite(found) or not 631_152_000 < found < received_at + 86_400:
        return None
    return found


def _rfc3339(value: str) -> float | None:
    try:
        from datetime import UTC, datetime  # here: a process under guard reads no times, and it takes 2 ms to load

        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        try:
            return float(value)
        except ValueError:
            return None
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError):
        return None


def _message(raw: Mapping[str, object]) -> tuple[str, str]:
    """(message, template) from ``logentry``, ``message`` as string or object, or raven's key."""
    entry = _first(raw, "logentry", "sentry.interfaces.Message", "message")
    if not isinstance(entry, dict):
        return text(entry), ""
    template = text(entry.get("message"))
    return text(entry.get("formatted")) or _filled(template, entry.get("params")), template


def _filled(template: str, params: object) -> str:
    """A log template with its parameters, only where that is plain ``%s``; anything else is left as it stands."""
    if not isinstance(params, list) or not template.count("%") == template.count("%s") == len(params):
        return template
    parts = template.split("%s")
    return cut("".join(p + text(v) for p, v in zip(parts, [*params, ""], strict=True)), limits.text_chars_max)


def _exception(raw: dict[str, object], branch: _Branch) -> ExceptionItem:
    mechanism = raw.get("mechanism")
    return ExceptionItem(
        type=_name(raw.get("type")),
        value=text(raw.get("value")),
        module=_name(raw.get("module")),
        mechanism=_mechanism(mechanism, branch) if isinstance(mechanism, dict) else None,
        frames=_frames(raw.get("stacktrace"), branch),
        thread_id=_name(raw.get("thread_id")),
    )


def _mechanism(raw: dict[str, object], branch: _Branch) -> Mechanism:
    return Mechanism(
        type=_name(raw.get("type")) or "generic",
        handled=_bool(raw.get("handled")),
        synthetic=raw.get("synthetic") is True,
        source=_name(raw.get("source")),
        exception_id=_int(raw.get("exception_id")),
        parent_id=_int(raw.get("parent_id")),
        is_exception_group=raw.get("is_exception_group") is True,
        meta=branch(raw.get("meta")),
        data=branch(raw.get("data")),
    )


def _frames(stack: object, branch: _Branch) -> list[Frame]:
    raw = stack.get("frames") if isinstance(stack, dict) else stack
    found = [x for x in _list(raw) if isinstance(x, dict)]
    if len(found) > limits.frames_max:
        half = limits.frames_max // 2
        found = found[:half] + found[-half:]
    return [_frame(x, branch) for x in found]


def _frame(raw: dict[str, object], branch: _Branch) -> Frame:
    return Frame(
        filename=_name(raw.get("filename")),
        abs_path=_name(raw.get("abs_path")),
        module=_name(raw.get("module")),
        function=_name(raw.get("function")),
        lineno=_int(raw.get("lineno")),
        colno=_int(raw.get("colno")),
        context_line=text(raw.get("context_line"), limits.line_chars_max),
        pre_context=_lines(raw.get("pre_context"))[-limits.context_lines_max :],
        post_context=_lines(raw.get("post_context"))[: limits.context_lines_max],
        in_app=_bool(raw.get("in_app")),
        vars=branch(raw.get("vars")),
        platform=_name(raw.get("platform")),
    )


def _lines(value: object) -> list[str]:
    if isinstance(value, list) and _are_clean(value, limits.line_chars_max):
        return value.copy()
    return [text(x, limits.line_chars_max) for x in _list(value)]


def _request(raw: dict[str, object]) -> Request:
    query = raw.get("query_string")
    return Request(
        method=text(raw.get("method"), 32),
        url=text(raw.get("url")),
        query_string=text(query) if not isinstance(query, dict | list) else _joined(query, "="),
        data=tree(raw.get("data")),
        cookies=_cookies(raw.get("cookies")),
        headers=_headers(raw.get("headers")),
        env=_json_dict(raw.get("env")),
    )


def _joined(value: object, between: str) -> str:
    joined = "&".join(f"{k}{between}{v}" for k, v in _pairs(value, text).items())
    return cut(joined, limits.text_chars_max)


def _headers(value: object) -> dict[str, str]:
    if isinstance(value, str):
        lines = (line.partition(":") for line in value.splitlines())
        return {clean(k.strip()): text(v.strip()) for k, _, v in lines if k.strip()}
    return _pairs(value, _header_value)


def _header_value(value: object) -> str:
    if isinstance(value, list):  # some SDKs send one list a name
        return text(", ".join(text(v) for v in value))
    return text(value)


def _cookies(value: object) -> dict[str, str]:
    if isinstance(value, str):
        crumbs = (crumb.partition("=") for crumb in value.split(";"))
        return {clean(k.strip()): text(v.strip()) for k, _, v in crumbs if k.strip()}
    return _pairs(value, text)


def _user(raw: dict[str, object]) -> User:
    return User(_name(raw.get("id")), _name(raw.get("username")), _name(raw.get("email")), _name(raw.get("ip_address")))


def _breadcrumbs(value: object, received_at: float, branch: _Branch) -> list[Breadcrumb]:
    return [
        Breadcrumb(
            timestamp=seconds(x.get("timestamp"), received_at),
            type=_name(x.get("type")),
            category=_name(x.get("category")),
            message=text(x.get("message")),
            level=_level(x.get("level") or "info"),
            data=branch(x.get("data")),
        )
        for x in _values(value)[-limits.breadcrumbs_max :]
    ]
