"""Protobuf's wire format, as far as OTLP needs it: the fields of one message, whatever their meaning.

Knows no schema but the one it is handed, and reads one level at a time: an inner message stays bytes until somebody
asks for its fields. Groups, which no OTLP sender writes, are refused. Unknown fields, and known ones of another wire
type, are passed over, as every protobuf reader does.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from fivehundred import limits

Wire: TypeAlias = int | bytes
Schema: TypeAlias = "dict[int, Field]"

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_NUMBER_MAX: Final = 2**29 - 1


class WireError(ValueError):
    """The bytes are no protobuf message."""


class Field(NamedTuple):
    """What a field number means: a name (that of the JSON mapping), its wire type and how to read its value."""

    name: str
    kind: int
    convert: Callable[[Wire], object]
    repeated: bool = False


def message(data: bytes, schema: Schema) -> dict[str, object]:
    """The known fields by name, repeated ones as lists; of a single one that stands twice the last. WireError."""
    found: dict[str, object] = {}
    for number, kind, value in fields(data):
        known = schema.get(number)
        if known is None or known.kind != kind:
            continue
        if not known.repeated:
            found[known.name] = known.convert(value)
            continue
        values = found.setdefault(known.name, [])
        if isinstance(values, list):
            values.append(known.convert(value))
    return found


def fields(data: bytes) -> list[tuple[int, int, Wire]]:
    """(field number, wire type, value) of one message, inner messages as bytes. Raises WireError."""
    found: list[tuple[int, int, Wire]] = []
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at, end)
        kind, number = tag & 7, tag >> 3
        if not 0 < number <= _NUMBER_MAX:
            raise WireError(f"{number} is no field number")
        value, at = _value(data, at, end, kind)
        found.append((number, kind, value))
        if len(found) > limits.otlp_fields_max:
            raise WireError(f"one message has more than {limits.otlp_fields_max} fields")
    return found


def _value(data: bytes, at: int, end: int, kind: int) -> tuple[Wire, int]:
    if kind == _VARINT:
        return _varint(data, at, end)
    if kind == _BYTES:
        length, at = _varint(data, at, end)
        stop = at + length
    elif kind == _FIXED64:
        stop = at + 8
    elif kind == _FIXED32:
        stop = at + 4
    else:
        raise WireError(f"wire type {kind} is not read")
    if stop > end:
        raise WireError(f"a field of {stop - at} bytes begins {end - at} bytes before the end")
    return (data[at:stop] if kind == _BYTES else int.from_bytes(data[at:stop], "little")), stop


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    if at < end and data[at] < 128:  # nearly all of them
        return data[at], at + 1
    found = 0
    for shift in range(0, 70, 7):
        if at >= end:
            raise WireError("the message ends within a number")
        byte = data[at]
        at += 1
        found |= (byte & 127) << shift
        if byte < 128:
            return found & 0xFFFF_FFFF_FFFF_FFFF, at
    raise WireError("a number is longer than ten bytes")


# ---- the kinds of fields that OTLP has -----------------------------------------------------------


def text(name: str) -> Field:
    return Field(name, _BYTES, lambda v: v.decode("utf-8", "replace") if isinstance(v, bytes) else "")


def raw(name: str, *, repeated: bool = False) -> Field:
    """Bytes, or an inner message that is read when it is asked for."""
    return Field(name, _BYTES, lambda v: v, repeated)


def hexadecimal(name: str) -> Field:
    return Field(name, _BYTES, lambda v: v.hex() if isinstance(v, bytes) else "")


def whole(name: str) -> Field:
    """int32, int64 and enums: negative ones are two's complement."""
    return Field(name, _VARINT, lambda v: v - 2**64 if isinstance(v, int) and v >= 2**63 else v)


def boolean(name: str) -> Field:
    return Field(name, _VARINT, bool)


def fixed64(name: str) -> Field:
    return Field(name, _FIXED64, lambda v: v)


def double(name: str) -> Field:
    return Field(name, _FIXED64, lambda v: struct.unpack("<d", v.to_bytes(8, "little"))[0] if isinstance(v, int) else v)
