"""Bodies in every encoding come out whole; broken and hostile ones cost little and are named."""

from __future__ import annotations

import contextlib
import gzip
import subprocess
import sys
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from fivehundred.console.inflate import InflateError, TooLarge, inflate


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def two_members(data: bytes) -> bytes:
    half = len(data) // 2
    return gzip.compress(data[:half]) + gzip.compress(data[half:])


def two_frames(data: bytes) -> bytes:
    half = len(data) // 2
    return zstd.compress(data[:half]) + zstd.compress(data[half:])


def brotli_of(data: bytes) -> bytes:
    return bytes(brotli.compress(data, quality=3))


packers: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("gzip", two_members),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("br", brotli_of),
    ("zstd", zstd.compress),
    ("zstd", two_frames),
    ("identity", bytes),
    ("", bytes),
    (" GZip ", gzip.compress),
]
every = pytest.mark.parametrize(("encoding", "pack"), packers)
packed = pytest.mark.parametrize(("encoding", "pack"), [p for p in packers if p[1] is not bytes])


@every
@pytest.mark.parametrize("size", [0, 1, 30_000, 256 * 1024, 9_000_000])
def test_a_body_comes_out_as_it_went_in(encoding: str, pack: Callable[[bytes], bytes], size: int) -> None:
    data = (b'{"a": "0123456789"}\n' * (size // 20 + 1))[:size]
    assert inflate(pack(data), encoding, 10_000_000) == data


@every
@pytest.mark.parametrize("size", [10, 9_000_000])
def test_one_byte_over_the_limit_is_too_large(encoding: str, pack: Callable[[bytes], bytes], size: int) -> None:
    body = pack(b"x" * size)
    assert len(inflate(body, encoding, size)) == size
    with pytest.raises(TooLarge, match=str(size - 1)):
        inflate(body, encoding, size - 1)


@packed
def test_a_body_that_is_cut_off_or_foreign_is_refused_by_name(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    body = pack(b"some text that is long enough to be packed")
    for broken in (body[:-1], b"\x00\xff\xfe" + body):
        with pytest.raises(InflateError, match=encoding.strip().lower()):
            inflate(broken, encoding, 10_000)


def test_an_unknown_encoding_is_named_with_those_that_are_known() -> None:
    with pytest.raises(InflateError, match=r"'lzma' is not known; use gzip, deflate, br, zstd"):
        inflate(b"x", "lzma", 10)


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate", "br", "zstd"]))
def test_hostile_bytes_give_bytes_or_an_inflate_error(data: bytes, encoding: str) -> None:
    with contextlib.suppress(InflateError):
        assert len(inflate(data, encoding, 1000)) <= 1000


_BOMB = """
import resource, sys, zlib, brotli
from backports import zstd
from fivehundred.console.inflate import TooLarge, inflate
gzip, frame, br = zlib.compressobj(1, zlib.DEFLATED, 31), zstd.ZstdCompressor(), brotli.Compressor(quality=1)
feed, end = {
    "gzip": (gzip.compress, gzip.flush),
    "zstd": (frame.compress, frame.flush),
    "br": (br.process, br.finish),
}[sys.argv[1]]
bomb = b"".join(feed(bytes(1 << 22)) for _ in range(256)) + end()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    inflate(bomb, sys.argv[1], 100 << 20)
except TooLarge:
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
def test_a_bomb_of_a_gigabyte_costs_less_than_fifty_megabytes(encoding: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", _BOMB, encoding], capture_output=True, text=True, timeout=60, check=True
    )
    assert int(run.stdout) < 50
