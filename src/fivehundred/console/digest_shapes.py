"""Shapes: variables in which scrubbing finds nothing, whatever their digits, UUIDs and memory addresses are.

The variables of a frame are other ones in every event and yet alike: a path holds another number, an object lies at
another address. A value in which scrubbing changed nothing is remembered with those masked, and the next one of its
shape is kept as it came, without being decoded. Masked is only what cannot make a secret of a text or end one; where
that is not certain, the value is walked through. Works on JSON that a strict decoder has let pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from fivehundred import limits
from fivehundred.event import Json
from fivehundred.scrub import hints_with_digits, is_plain_name, scrub_variables, suspicious

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_decode_parts: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Shapes:
    """Scrubs the variables of frames, and remembers within bounds in what there was nothing to scrub."""

    def __init__(self) -> None:
        self._whole = _Remembered()  # all the variables of a frame
        self._single = _Remembered()  # one variable's value, under a name that says nothing
        self._exact = _Exact()  # what became of single ones that hold something, or may

    def scrub(self, images: Sequence[bytes]) -> list[bytes]:
        """JSON objects, each of which holds the variables of a frame, without secrets. Raises ValueError.

        All of a stack's are masked at once.
        """
        shapes = shape_of(b"\0".join(images)).split(b"\0") if images else []
        whole = self._whole
        return [
            image if shape in whole or whole.has(shape) else self._parts(image, shape)
            for image, shape in zip(images, shapes, strict=True)
        ]

    def _parts(self, image: bytes, shape: bytes) -> bytes:
        parts, harmless = [], True
        for name, raw in _decode_parts(image).items():
            part, plain = self._one(name, bytes(raw))
            parts.append(part)
            harmless = harmless and plain and not _masks.search(name.encode())
        joined = b"{" + b",".join(parts) + b"}"
        if harmless and joined == image and not _has_digit_hint(shape) and not _many_digits.search(image):
            self._whole.remember(shape)
        return joined

    def _one(self, name: str, image: bytes) -> tuple[bytes, bool]:
        """(a variable with its name, whether any of this shape stays as it is)"""
        known = self._exact.get((name, image))
        if known is not None:
            return known, False
        head, plain = _encode(name) + b":", is_plain_name(name)
        shape = shape_of(image)
        if plain and self._single.has(shape):
            return head + image, True
        value = _decode(image)
        part: bytes = _encode(scrub_variables({name: value}))[1:-1]
        if plain and part == head + image and _is_harmless(image, shape, value):
            self._single.remember(shape)
            return part, True
        self._exact.remember((name, image), part)
        return part, False


class _Remembered(set[bytes]):
    """When they become too many, they grow old, and what is not met again is forgotten with the next ones."""

    older: frozenset[bytes] = frozenset()
    size = 0

    def has(self, shape: bytes) -> bool:
        if shape in self:
            return True
        if shape in self.older:
            self.remember(shape)
            return True
        return False

    def remember(self, shape: bytes) -> None:
        if len(shape) <= limits.shape_bytes_max:
            if self.size > limits.shapes_remembered_bytes_max:
                self.older, self.size = frozenset(self), 0
                self.clear()
            self.size += len(shape) + limits.text_overhead_chars
            self.add(shape)


class _Exact(dict[tuple[str, bytes], bytes]):
    size = 0

    def remember(self, key: tuple[str, bytes], part: bytes) -> None:
        if len(part) <= limits.shape_bytes_max:
            if self.size > limits.shapes_remembered_bytes_max:
                self.size = 0
                self.clear()
            self.size += len(key[1]) + len(part) + 2 * limits.text_overhead_chars
            self[key] = part


# ---- what is masked --------------------------------------------------------------------------------


def shape_of(image: bytes) -> bytes:
    """The text with each digit as 0. Addresses, UUIDs and users of mail addresses are one byte that no JSON has."""
    if b"0x" in image:
        image = _address.sub(b"\x01", image)
    if b"-" in image:
        image = _without_uuids(image)
    if b"@" in image:
        image = _without_mails(image)
    return image.translate(_zeros)


_zeros: Final = bytes.maketrans(b"123456789", b"000000000")
# As values print them. What follows ends every pattern of a secret that could have gone on across the address.
_address: Final = re.compile(rb"0x(?<=\W0x)[0-9a-f]{12}(?=[>),'\"\]])")
_uuid_image: Final = b"hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh"
_hexed: Final = bytes.maketrans(b"0123456789abcdef", b"h" * 16)
_many_digits: Final = re.compile(rb"\d(?:[ -]*\d){12}")  # it may be the number of a card
_masks: Final = re.compile(rb"0x[0-9a-f]{12}|-[0-9a-f]{4}-|@")


def _without_uuids(image: bytes) -> bytes:
    hexed = image.translate(_hexed)
    pieces, at = [], 0
    start = hexed.find(_uuid_image)
    while start >= 0:
        end = start + len(_uuid_image)
        if start >= at + 2 and _stands_apart(image, start, end) and not _may_be_card(image[start:end]):
            pieces += [image[at:start], b"\x02"]
            at = end
        start = hexed.find(_uuid_image, start + 1)
    return b"".join((*pieces, image[at:])) if pieces else image


def _stands_apart(image: bytes, start: int, end: int) -> bool:
    """Neither within a name nor beside digits: then it is no part of a number, of a name before a value, of a token."""
    before = image[start - 1]
    if before not in _apart and not (before == _blank and image[start - 2] in _apart_before_blank):
        return False
    after = image[end : end + 2]
    return after[:1] in _ends and not (after[:1] == b" " and after[1:] in _goes_on)


_blank: Final = ord(" ")
_apart: Final = frozenset(b"'\"/=(,:<[{&?#%+;>)]}|*!$@^`~\x00")
_apart_before_blank: Final = _apart | frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_ends: Final = frozenset(bytes([c]) for c in b"'\"/\\(,<[{&?#%+;>)]}|*!$@^`~ \x00") | {b""}
_goes_on: Final = frozenset(bytes([c]) for c in b"0123456789=:- ")


@lru_cache(maxsize=1_000)
def _may_be_card(uuid: bytes) -> bool:
    return _many_digits.search(uuid) is not None


_mail_chars_max: Final = 64
_mail: Final = re.compile(rb"['\"]([A-Za-z0-9_.+-]{1,64})\Z")


def _without_mails(image: bytes) -> bytes:
    """Only right behind a quote: there it is the user of no URL and the value of no name."""
    pieces, at = [], 0
    end = image.find(b"@")
    while end >= 0:
        found = _mail.search(image, max(at, end - _mail_chars_max - 1), end)
        sign = _sign_of(found[1]) if found else b""
        if found and sign:
            pieces += [image[at : found.start() + 1], sign]
            at = end
        end = image.find(b"@", end + 1)
    return b"".join((*pieces, image[at:])) if pieces else image


@lru_cache(maxsize=1_000)
def _sign_of(user: bytes) -> bytes:
    """What stands for this user; nothing when it must not be masked."""
    name = user.decode()
    if suspicious(name):
        return b""
    return b"\x03" if any(c.isdigit() for c in name) else b"\x04"  # digits decide whether a sentence tells a secret


# ---- what must not be masked -----------------------------------------------------------------------


def _is_harmless(image: bytes, shape: bytes, value: Json) -> bool:
    """Whether scrubbing, which left this value as it is, leaves each of its shape as it is."""
    return not (
        b"\\u" in image  # digits there are letters
        or _many_digits.search(image)
        or _has_digit_hint(shape)
        or any(not any(48 <= c < 58 for c in found[0][1:]) for found in _uuid_like.finditer(image))
        or any(_is_special(name) for name in _names(value))
    )


_uuid_like: Final = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_digit_hints: Final = tuple(hint.encode().translate(_zeros) for hint in hints_with_digits)


def _has_digit_hint(shape: bytes) -> bool:
    """Whether other digits could make a known kind of token of it."""
    return any(hint in shape for hint in _digit_hints)


def _is_special(name: str) -> bool:
    return not is_plain_name(name) or _masks.search(name.encode()) is not None


def _names(value: Json) -> Iterator[str]:
    """Names of members and of pairs; and a number that is written with an exponent as one that is special."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _names(inner)
    elif isinstance(value, list):
        if len(value) == 2 and isinstance(value[0], str):
            yield value[0].strip("b'\"")
        for inner in value:
            yield from _names(inner)
    elif isinstance(value, float) and "e" in repr(value):
        yield "password"
