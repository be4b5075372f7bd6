"""An event read whole, piece by piece: what repeats from event to event is decoded, scrubbed and typed once.

Most of an event is the frames of its stacks, and of those everything but the variables is the same in every event of an
application. A frame's bytes are cut around its variables; the rest is looked up. The variables go through ``Shapes``
and are decoded when somebody asks for them. An event of any other form than the usual one is left to the plain way, so
that nothing is decided here.
"""

from __future__ import annotations

import marshal
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from fivehundred import limits
from fivehundred.console.digest_shapes import Shapes
from fivehundred.event import Event, Frame, Json, parse
from fivehundred.fingerprint.chain import Chain
from fivehundred.scrub import scrub, scrub_frame

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(slots=True)
class Stack:
    frames: list[Frame]
    image: bytes  # of all of them, as JSON
    statics: tuple[_Static | None, ...]


@dataclass(slots=True)
class Pieces:
    """``wire`` is scrubbed and holds all of the event but what has a place of its own here."""

    wire: dict[str, Json]
    stacks: list[Stack | None]  # of each exception, the oldest first
    notes: dict[str, object]  # on the exceptions
    stable: _Known  # see ``_stable``
    modules: _Known | None
    extra: _Known | None

    def put(self, event: Event) -> None:
        """Gives the event what was left out; the parser keeps the newest exceptions, and none that is null."""
        stacks = [stack for x, stack in zip(self._exceptions(), self.stacks, strict=True) if isinstance(x, dict)]
        for x, stack in zip(reversed(event.exceptions), reversed(stacks), strict=False):
            x.frames = stack.frames if stack else []
        event.exceptions = Chain(event.exceptions, self.notes)
        stable = self.stable.event
        event.level, event.platform, event.logger = stable.level, stable.platform, stable.logger
        event.server_name, event.release, event.dist = stable.server_name, stable.release, stable.dist
        event.environment, event.fingerprint, event.sdk = stable.environment, stable.fingerprint, stable.sdk
        event.tags, event.type = dict(stable.tags), stable.type
        if self.modules is not None:
            event.modules = self.modules.event.modules
        if self.extra is not None:
            event.extra = self.extra.event.extra

    def payload(self, event: Event) -> bytes:
        """The event as it is kept, as JSON."""
        wire = {**self.wire, "event_id": event.event_id, "timestamp": event.timestamp}
        exception = wire.pop("exception", None)
        parts = [_encode(wire)[:-1], self.stable.image]
        for name, known in ((b"modules", self.modules), (b"extra", self.extra)):
            if known is not None:
                parts += [b',"', name, b'":', known.image]
        if exception is not None:
            rows = zip(self._exceptions(), self.stacks, strict=True)
            images = b",".join([_exception_image(x, stack) for x, stack in rows])
            parts += [b',"exception":{"values":[', images, b"]}"]
        return b"".join((*parts, b"}"))

    def _exceptions(self) -> list[Json]:
        """As they are on the wire, nulls among them."""
        exception = self.wire.get("exception")
        values = exception.get("values") if isinstance(exception, dict) else None
        return values if isinstance(values, list) else []


def _exception_image(x: Json, stack: Stack | None) -> bytes:
    image: bytes = _encode(x)
    if stack is None:
        return image
    comma = b"," if len(image) > 2 else b""
    return b"".join((image[:-1], comma, b'"stacktrace":{"frames":[', stack.image, b"]}}"))


# ---- the usual form --------------------------------------------------------------------------------


class _Stacktrace(Struct, forbid_unknown_fields=True):
    frames: list[Raw]


class _Exception(Struct, forbid_unknown_fields=True):
    type: Any = UNSET
    value: Any = UNSET
    module: Any = UNSET
    mechanism: Any = UNSET
    thread_id: Any = UNSET
    stacktrace: _Stacktrace | UnsetType | None = UNSET


class _Exceptions(Struct, forbid_unknown_fields=True):
    values: list[_Exception | None]


_names: Final = (
    "type", "level", "platform", "logger", "transaction", "transaction_info", "culprit", "server_name", "release",
    "dist", "environment", "logentry", "message", "fingerprint", "tags", "user", "request", "contexts", "sdk",
    "breadcrumbs", "threads", "stacktrace", "debug_meta", "start_timestamp", "received", "version", "event_id",
    "timestamp", "_meta",
)  # fmt: skip
_Event: Final[Any] = msgspec.defstruct(
    "_Event",
    [
        *((name, Any, UNSET) for name in _names),
        ("exception", _Exceptions | UnsetType, UNSET),
        ("modules", Raw, Raw()),
        ("extra", Raw, Raw()),
    ],
    forbid_unknown_fields=True,
)
_decode_event: Final = msgspec.json.Decoder(_Event).decode


class _Variables(Struct):
    vars: Raw = Raw()


_decode_variables: Final = msgspec.json.Decoder(_Variables).decode


# Of these hardly any differ between the events of an application.
_stable: Final = frozenset(
    (
        "level",
        "platform",
        "logger",
        "server_name",
        "release",
        "dist",
        "environment",
        "fingerprint",
        "tags",
        "sdk",
        "type",
    )
)

# ---- what is remembered ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Known:
    """A part of an event that is equal in many: scrubbed, as JSON, and in the event it was parsed into."""

    image: bytes
    event: Event


@dataclass(frozen=True, slots=True, eq=False)
class _Static:
    """A frame without its variables."""

    image: bytes  # up to where the variables go; all of it where there are none
    frame: Frame
    is_cut: bool  # else the bytes of the variables stand somewhere else in the frame as well


class Reader:
    """Reads events, and remembers their pieces within bounds."""

    def __init__(self) -> None:
        self._shapes = Shapes()
        self._statics: dict[tuple[bytes, bytes], _Static] = {}  # by what stands before and after the variables
        self._parts: dict[tuple[str, bytes], _Known] = {}
        self._notes: dict[tuple[object, ...], dict[str, object]] = {}
        self._size = 0

    def read(self, payload: bytes) -> Pieces | None:
        """None when the event has another form than the usual one, or may hold what has to be cleaned."""
        if b"\\u0000" in payload:
            return None
        try:
            found = _decode_event(payload)
            wire: dict[str, Json] = {}
            stable: dict[str, Json] = {}
            for name in _names:
                value = getattr(found, name)
                if value is not UNSET:
                    (stable if name in _stable else wire)[name] = value
            stacks: list[Stack | None] = []
            notes: dict[str, object] = {}
            if found.exception is not UNSET:
                values: list[Json] = [_without_stack(x) for x in found.exception.values]
                stacks = [self._stack(x) for x in found.exception.values]
                wire["exception"] = {"values": values}
                notes = self._notes_on(values, stacks)
            modules, extra = self._part("modules", found.modules), self._part("extra", found.extra)
            return Pieces(scrub(wire), stacks, notes, self._stable_of(stable), modules, extra)
        except (ValueError, RecursionError):  # msgspec's own errors are ValueErrors
            return None

    def _notes_on(self, values: list[Json], stacks: list[Stack | None]) -> dict[str, object]:
        """Of exceptions that were told in the same words, with the same stacks but for the variables."""
        image = marshal.dumps(values, 2)
        key = image, *[stack.statics if stack else None for stack in stacks]
        found = self._notes.get(key)
        if found is None:
            self._make_room(2 * len(image))
            found = self._notes[key] = {}
        return found

    def _stable_of(self, raw: dict[str, Json]) -> _Known:
        image = marshal.dumps(raw, 2)
        found = self._parts.get(("", image))
        if found is None:
            wire = scrub(raw)
            inner = _encode(wire)[1:-1]
            found = _Known(b"," + inner if inner else b"", parse(wire, received_at=0.0, is_clean=True))
            self._make_room(2 * len(image))
            self._parts["", image] = found
        return found

    def _part(self, name: str, raw: Raw) -> _Known | None:
        image = bytes(raw)
        if not image:
            return None
        found = self._parts.get((name, image))
        if found is None:
            wire = scrub({name: msgspec.json.decode(image)})
            found = _Known(_encode(wire[name]), parse(wire, received_at=0.0, is_clean=True))
            self._make_room(3 * len(image))
            self._parts[name, image] = found
        return found

    def _stack(self, x: _Exception | None) -> Stack | None:
        if x is None or x.stacktrace is UNSET or x.stacktrace is None:
            return None
        statics: list[_Static | None] = []
        variables: list[bytes] = []  # of those that are cut, one after the other
        for raw in x.stacktrace.frames:
            image = bytes(raw)
            static = None if image == b"null" else self._static(image, bytes(_decode_variables(raw).vars), variables)
            statics.append(static)
        scrubbed = iter(self._shapes.scrub(variables))
        frames: list[Frame] = []
        images: list[bytes] = []
        for static in statics:
            if static is None:
                images.append(b"null,")
            elif static.is_cut:
                held = next(scrubbed)
                images += [static.image, held, b"},"]
                frames.append(LazyFrame(static.frame, held))
            else:
                images += [static.image, b","]
                frames.append(static.frame)
        if len(frames) > limits.frames_max:
            half = limits.frames_max // 2
            frames = frames[:half] + frames[-half:]
        return Stack(frames, b"".join(images).removesuffix(b","), tuple(statics))

    def _static(self, image: bytes, held: bytes, variables: list[bytes]) -> _Static:
        """What is known of a frame. Where it is cut, ``held``, its variables, are added to the others'."""
        if held[:1] != b"{" or len(held) == 2:
            key = image, b""
            return self._statics.get(key) or self._learn(key)
        at = image.find(_before_variables) + len(_before_variables)
        if not image.startswith(held, at):
            at = image.find(held)
        key = image[:at], image[at + len(held) :]
        static = self._statics.get(key) or self._learn(key)
        if static.is_cut:
            variables.append(held)
            return static
        return _Static(*_read_alone(image), False)

    def _learn(self, key: tuple[bytes, bytes]) -> _Static:
        before, after = key
        if after:
            raw = _decode(before + b"null" + after)
            is_cut = raw.pop("vars", after) is None
            made = _Static(_encode(scrub_frame(raw))[:-1] + (b',"vars":' if raw else b'"vars":'), _typed(raw), is_cut)
        else:
            image, frame = _read_alone(before)
            made = _Static(image, frame, False)
        self._make_room(2 * len(before) + len(after))
        self._statics[key] = made
        return made

    def _make_room(self, size: int) -> None:
        if self._size > limits.stacks_remembered_bytes_max:
            for held in (self._statics, self._parts, self._notes):
                held.clear()
            self._size = 0
        self._size += size + _overhead_bytes


_before_variables: Final = b'"vars":'
_overhead_bytes: Final = 1_500  # of a frame or an event beside its texts


def _without_stack(x: _Exception | None) -> Json:
    if x is None:
        return None
    wire: dict[str, Json] = {}
    for name in ("type", "value", "module", "mechanism", "thread_id"):
        value = getattr(x, name)
        if value is not UNSET:
            wire[name] = value
    if x.stacktrace is None:
        wire["stacktrace"] = None
    return wire


def _read_alone(image: bytes) -> tuple[bytes, Frame]:
    raw = _decode(image)
    return _encode(scrub_frame(raw)), _typed(raw)


def _typed(raw: dict[str, Json]) -> Frame:
    return parse({"stacktrace": [scrub_frame(raw)]}, received_at=0.0, is_clean=True).frames[0]


_held: Final[Any] = Frame.__dict__["vars"]  # the slot, which the property below stands before


class LazyFrame(Frame):
    """A frame that shares all but its variables, which are decoded when they are first asked for."""

    __slots__ = ("_image",)

    def __init__(self, like: Frame, image: bytes) -> None:
        self._image = image
        self.filename, self.abs_path, self.module = like.filename, like.abs_path, like.module
        self.function, self.lineno, self.colno = like.function, like.lineno, like.colno
        self.context_line, self.in_app, self.platform = like.context_line, like.in_app, like.platform
        self.pre_context, self.post_context = like.pre_context, like.post_context

    @property
    def vars(self) -> dict[str, Json]:
        try:
            found: dict[str, Json] = _held.__get__(self)
        except AttributeError:
            found = _decode(self._image)
            _held.__set__(self, found)
        return found

    @vars.setter
    def vars(self, value: dict[str, Json]) -> None:
        _held.__set__(self, value)
