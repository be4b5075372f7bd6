"""The first line of a body, unpacked no further than needed. Whole bodies are ``fivehundred.console.inflate``'s.

The ingest looks at an envelope's header line and leaves the rest packed. Memory stays bounded whatever is sent.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import brotli  # type: ignore[import-untyped]

try:
    from compression import zstd  # type: ignore[import-not-found,unused-ignore]
except ImportError:
    from backports import zstd

Step: TypeAlias = Callable[[bytes, int], bytes]  # (more input, output bytes at most) -> output

encodings: Final = ("br", "deflate", "gzip", "identity", "zstd")
_BROKEN: Final = (zlib.error, brotli.error, zstd.ZstdError, EOFError)
# Small, since a header line is some 100 to 200 bytes: 5 us with zlib at these sizes, 24 us with isal at 4 KiB.
_INPUT_FIRST: Final = 320
_INPUT_STEP: Final = 512
_OUTPUT_STEP: Final = 512


class PeekError(ValueError):
    """The body does not unpack; the text names the codec."""


def encoding_of(header: bytes | None) -> str | None:
    """The canonical name of a Content-Encoding; None when we do not know it."""
    if not header:
        return "identity"
    name = header.strip().lower()
    if name == b"gzip" or name == b"x-gzip":
        return "gzip"
    known = name.decode("latin-1") or "identity"
    return known if known in encodings else None


def first_line(body: bytes, encoding: str, bytes_max: int) -> bytes:
    """Up to the first newline, unpacked; at most ``bytes_max`` + 1 bytes of it. Raises PeekError."""
    if encoding == "identity":
        end = body.find(b"\n", 0, bytes_max + 1)
        return body[: end if end >= 0 else bytes_max + 1]
    if encoding == "gzip" and (line := _short_gzip_line(body)) is not None:
        return line
    step = _unpacker(encoding, body)
    out = b""
    at = 0
    while len(out) <= bytes_max:
        chunk = body[at : at + _INPUT_STEP]
        at += len(chunk)
        more = _checked(step, encoding, chunk, _OUTPUT_STEP)
        out += more
        if b"\n" in more:
            return out[: out.index(b"\n")]
        if not chunk and not more:
            break
    return out[: bytes_max + 1]


def _short_gzip_line(body: bytes) -> bytes | None:
    """What most SDKs send, in one step; None when it takes more."""
    try:
        start = zlib.decompressobj(31).decompress(body[:_INPUT_FIRST], _INPUT_FIRST)
    except zlib.error:
        return None
    end = start.find(b"\n")
    return start[:end] if end >= 0 else None


def first_lines(body: bytes, encoding: str, lines: int, bytes_max: int) -> list[bytes]:
    """Up to that many lines, unpacked; at most ``bytes_max`` bytes of them. Raises PeekError."""
    if encoding == "identity":
        return body[:bytes_max].split(b"\n", lines)[:lines]
    step = _unpacker(encoding, body)
    out = b""
    at = 0
    while len(out) <= bytes_max and out.count(b"\n") < lines:
        chunk = body[at : at + _INPUT_STEP]
        at += len(chunk)
        more = _checked(step, encoding, chunk, _OUTPUT_STEP)
        out += more
        if not chunk and not more:
            break
    return out[:bytes_max].split(b"\n", lines)[:lines]


def _checked(step: Step, encoding: str, chunk: bytes, bytes_max: int) -> bytes:
    try:
        return step(chunk, bytes_max)
    except _BROKEN as e:
        raise PeekError(f"the body is not {encoding}, although Content-Encoding says so") from e


def _unpacker(encoding: str, body: bytes) -> Step:
    if encoding == "br":
        return _brotli()
    if encoding == "zstd":
        return _zstd()
    return _zlib(_window_bits(encoding, body))


def _window_bits(encoding: str, body: bytes) -> int:
    if encoding == "gzip":
        return 31
    # "deflate" means zlib (RFC 1950); some clients send the bare stream. A zlib header is a multiple of 31.
    is_zlib = len(body) >= 2 and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
    return 15 if is_zlib else -15


def _zlib(bits: int) -> Step:
    state: Any = zlib.decompressobj(bits)

    def step(chunk: bytes, bytes_max: int) -> bytes:
        nonlocal state
        data = state.unconsumed_tail + chunk
        if state.eof:
            data = state.unused_data + chunk
            if bits != 31 or not data.startswith(b"\x1f"):
                return b""  # the end; what follows is not ours to judge
            state = zlib.decompressobj(bits)  # gzip may have several members
        return bytes(state.decompress(data, bytes_max))

    return step


def _brotli() -> Step:
    state: Any = brotli.Decompressor()
    kept = b""

    def step(chunk: bytes, bytes_max: int) -> bytes:
        nonlocal kept
        if state.is_finished():
            return b""
        data, kept = kept + chunk, b""
        if not state.can_accept_more_data():
            data, kept = b"", data
        return bytes(state.process(data, output_buffer_limit=bytes_max))

    return step


def _zstd() -> Step:
    state: Any = zstd.ZstdDecompressor()
    kept = b""

    def step(chunk: bytes, bytes_max: int) -> bytes:
        nonlocal state, kept
        kept += chunk
        if state.eof:
            kept = bytes(state.unused_data) + kept
            if not kept:
                return b""
            state = zstd.ZstdDecompressor()  # frames may follow one another
        data = b""
        if state.needs_input:
            data, kept = kept, b""
        return bytes(state.decompress(data, bytes_max))

    return step
