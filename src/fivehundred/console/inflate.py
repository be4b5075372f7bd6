"""Unpack a request body: gzip, deflate, br, zstd or identity, whole, under a ceiling that counts while it unpacks.

A bomb costs little: past ``_held_bytes_max`` the rest is counted without being kept, and only what is known to fit is
unpacked again to be held.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

import brotli  # type: ignore[import-untyped]
from isal import igzip_lib, isal_zlib

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_held_bytes_max: Final = 8 * 1024 * 1024  # held before it is known that all of it fits
_chunk_bytes: Final = 256 * 1024
# isal's stub has its error as a value, and brotli has no types
_errors: Final[tuple[Any, ...]] = (zlib.error, igzip_lib.IsalError, brotli.error, zstd.ZstdError, EOFError)


class InflateError(ValueError):
    """The body does not unpack; the text names the codec and fits into an answer."""


class TooLarge(InflateError):
    """Unpacked, the body is larger than the limit."""


def inflate(body: bytes, encoding: str, bytes_max: int) -> bytes:
    """The unpacked body; ``encoding`` is a Content-Encoding, "" is identity. Raises InflateError, TooLarge."""
    name = encoding.strip().lower() or "identity"
    if name == "identity":
        return _fits(body, bytes_max)
    if name == "gzip" and (whole := _small_gzip(body, bytes_max)):
        return whole
    pieces = _pieces_of(name)
    held: list[bytes] = []
    size = 0
    for piece in _guarded(pieces(body), name):
        size += len(piece)
        if size > bytes_max:
            raise _too_large(bytes_max)
        held.append(piece)
        if size > _held_bytes_max:
            del held, piece
            return _inflate_counted(body, name, bytes_max)
    return held[0] if len(held) == 1 else b"".join(held)


def _small_gzip(body: bytes, bytes_max: int) -> bytes:
    """What nearly every sender sends: one member that is not large. Nothing when it is anything else."""
    state = isal_zlib.decompressobj(31)
    try:
        whole: bytes = state.decompress(body, min(_chunk_bytes, bytes_max))
    except _errors:
        return b""
    return whole if state.eof and not state.unused_data else b""


def _inflate_counted(body: bytes, name: str, bytes_max: int) -> bytes:
    size = 0
    for piece in _guarded(_pieces_of(name)(body), name):
        size += len(piece)
        if size > bytes_max:
            raise _too_large(bytes_max)
    whole = bytearray(size)
    at = 0
    for piece in _guarded(_pieces_of(name)(body), name):
        whole[at : at + len(piece)] = piece
        at += len(piece)
    return bytes(whole)


def _fits(body: bytes, bytes_max: int) -> bytes:
    if len(body) > bytes_max:
        raise _too_large(bytes_max)
    return body


def _too_large(bytes_max: int) -> TooLarge:
    return TooLarge(f"the unpacked body is over the limit of {bytes_max} bytes")


def _guarded(pieces: Iterator[bytes], name: str) -> Iterator[bytes]:
    try:
        yield from pieces
    except _errors as e:
        raise InflateError(f"the body is not {name}, although Content-Encoding says so, or it is cut off") from e


def _pieces_of(name: str) -> Callable[[bytes], Iterator[bytes]]:
    known: dict[str, Callable[[bytes], Iterator[bytes]]] = {
        "gzip": _gzip,
        "x-gzip": _gzip,
        "deflate": _deflate,
        "br": _brotli,
        "zstd": _zstd,
    }
    if name not in known:
        raise InflateError(f"Content-Encoding {name[:50]!r} is not known; use gzip, deflate, br, zstd or identity")
    return known[name]


def _gzip(body: bytes) -> Iterator[bytes]:
    """All members, one after the other; what follows the last one and is none is not ours to judge."""
    yield from _zlib(body, 31)


def _deflate(body: bytes) -> Iterator[bytes]:
    """zlib (RFC 1950); some clients send the bare stream. A zlib header is a multiple of 31."""
    is_zlib = len(body) >= 2 and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
    yield from _zlib(body, 15 if is_zlib else -15)


class _Zlib(Protocol):
    eof: bool
    unused_data: bytes
    unconsumed_tail: bytes

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def _zlib(body: bytes, bits: int) -> Iterator[bytes]:
    data = body
    while data:
        state: _Zlib = isal_zlib.decompressobj(bits)
        yield from _one_stream(state, data)
        data = state.unused_data if bits == 31 and state.unused_data.startswith(b"\x1f\x8b") else b""


def _one_stream(state: _Zlib, data: bytes) -> Iterator[bytes]:
    while not state.eof:
        piece = state.decompress(data, _chunk_bytes)
        data = state.unconsumed_tail
        if not piece and not data and not state.eof:
            raise EOFError("the stream ends in the middle")
        if piece:
            yield piece


def _brotli(body: bytes) -> Iterator[bytes]:
    state = brotli.Decompressor()
    data = body
    while not state.is_finished():
        piece: bytes = state.process(data, output_buffer_limit=_chunk_bytes)
        data = b""
        if not piece and not state.is_finished() and state.can_accept_more_data():
            raise EOFError("the stream ends in the middle")
        yield piece


def _zstd(body: bytes) -> Iterator[bytes]:
    data = body
    while data:
        state = zstd.ZstdDecompressor()
        while not state.eof:
            piece = state.decompress(data, _chunk_bytes)
            data = b""
            if not piece and state.needs_input and not state.eof:
                raise EOFError("the stream ends in the middle")
            yield piece
        data = state.unused_data
