"""What every Spool must do. An implementation joins by adding its pair of writer and reader to ``spools``."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.console import natsd
from tests.console.natsd import Servers

from fivehundred.console.spool.base import Depth, Door, Received, SpoolFull, SpoolReader, SpoolWriter
from fivehundred.console.spool.format import doors
from fivehundred.console.spool.jetstream import Cluster, JetStreamReader, JetStreamWriter, Link
from fivehundred.console.spool.segments import SegmentReader, SegmentWriter


class Pair(NamedTuple):
    writer: Callable[[Path], SpoolWriter]
    small: Callable[[Path], SpoolWriter]  # with a backlog bound of 10,000 bytes
    reader: Callable[[Path], SpoolReader]
    on_disk: bool  # the backlog lies in the folder


class JetStream:
    """One server for all tests of this file; a stream for each folder."""

    def __init__(self) -> None:
        self._servers: Servers | None = None
        self._links: dict[tuple[Path, int], Link] = {}

    def link(self, folder: Path, bound: int = 1 << 30) -> Link:
        if self._servers is None:
            self._servers = Servers(Path(tempfile.mkdtemp(prefix="spool-"))).__enter__()
        if (folder, bound) not in self._links:
            name = f"s{zlib.crc32(str(folder).encode())}"
            self._links[folder, bound] = Link(Cluster(self._servers.urls, name, 1, 1, bound))
        return self._links[folder, bound]

    def close(self) -> None:
        for link in self._links.values():
            link.close()
        if self._servers is not None:
            self._servers.__exit__()
            shutil.rmtree(self._servers.folder, ignore_errors=True)


jetstream = JetStream()
spools = {
    "segments": Pair(
        SegmentWriter,
        lambda folder: SegmentWriter(folder, backlog_bytes_max=10_000, segment_bytes_max=2_000),
        SegmentReader,
        True,
    )
}
if natsd.binary() is not None:
    spools["jetstream"] = Pair(
        lambda folder: JetStreamWriter(folder, link=jetstream.link(folder)),
        lambda folder: JetStreamWriter(folder, link=jetstream.link(folder, 10_000)),
        lambda folder: JetStreamReader(jetstream.link(folder), 0),
        False,
    )


@pytest.fixture(autouse=True, scope="module")
def servers_end() -> Iterator[None]:
    yield
    jetstream.close()


@pytest.fixture(params=spools)
def pair(request: pytest.FixtureRequest) -> Pair:
    return spools[request.param]


def received(body: bytes = b"body", door: Door = "envelope", at: float = 1_700_000_000.25) -> Received:
    return Received("1", door, at, {"client": "sentry.python/2", "peer": "::1", "event_id": "ab" * 16}, body)


def append_all(make: Callable[[Path], SpoolWriter], folder: Path, records: list[Received]) -> None:
    async def go() -> None:
        writer = make(folder)
        await asyncio.gather(*(writer.append(r) for r in records))
        await writer.close()

    asyncio.run(go())


async def settled(writer: SpoolWriter, records: int) -> Depth:
    """The backlog once it has come to that many records: a cluster is told of them a moment later."""
    deadline = time.monotonic() + 10
    while (depth := await asyncio.to_thread(writer.depth)).records != records:
        assert time.monotonic() < deadline, depth
        await asyncio.sleep(0.02)
    return depth


async def some(reader: SpoolReader, records: int) -> list[tuple[str, Received]]:
    deadline = time.monotonic() + 10
    while len(found := await asyncio.to_thread(read_all, reader)) < records:
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.02)
    return found


async def fill(writer: SpoolWriter) -> None:
    for _ in range(100):
        await writer.append(received(b"x" * 1_000))


def read_all(reader: SpoolReader, offset: str = "") -> list[tuple[str, Received]]:
    found: list[tuple[str, Received]] = []
    while more := reader.read(offset, records_max=7, bytes_max=1 << 20):
        found += more
        offset = more[-1][0]
    return found


def bodies(found: list[tuple[str, Received]]) -> list[bytes]:
    return [record.body for _, record in found]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
records_of_any_kind = st.builds(
    Received,
    project=st.from_regex(r"[0-9]{1,20}", fullmatch=True),
    door=st.sampled_from(doors),
    received_at=st.floats(0, 4e9),
    meta=st.dictionaries(texts, texts, max_size=5),
    body=st.binary(max_size=5_000),
)


@given(st.lists(records_of_any_kind, max_size=20))
@settings(max_examples=30, deadline=None)
@pytest.mark.parametrize("name", spools)
def test_what_is_appended_is_read_back_in_order_and_unchanged(
    name: str, tmp_path_factory: pytest.TempPathFactory, records: list[Received]
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    append_all(spools[name].writer, folder, records)
    reader = spools[name].reader(folder)
    assert [r for _, r in read_all(reader)] == records
    reader.close()


def test_reading_goes_on_behind_any_offset(pair: Pair, tmp_path: Path) -> None:
    append_all(pair.small if pair.on_disk else pair.writer, tmp_path, [received(b"%d" % i * 100) for i in range(30)])
    found = read_all(pair.reader(tmp_path))
    for number, (offset, _) in enumerate(found):
        assert bodies(read_all(pair.reader(tmp_path), offset)) == bodies(found[number + 1 :])


def test_a_batch_obeys_its_bounds_but_holds_at_least_one_record(pair: Pair, tmp_path: Path) -> None:
    append_all(pair.writer, tmp_path, [received(b"x" * 1_000) for _ in range(10)])
    reader = pair.reader(tmp_path)
    assert len(reader.read("", records_max=3, bytes_max=1 << 20)) == 3
    assert len(reader.read("", records_max=100, bytes_max=2_500)) == 3
    assert len(reader.read("", records_max=100, bytes_max=1)) == 1


def test_a_reader_that_is_there_first_finds_nothing_and_does_not_fail(pair: Pair, tmp_path: Path) -> None:
    reader = pair.reader(tmp_path / "not-yet")
    assert list(reader.read("", records_max=1, bytes_max=1)) == []
    assert reader.wait("", 0.01) is False


def test_wait_returns_soon_after_an_append(pair: Pair, tmp_path: Path) -> None:
    append_all(pair.writer, tmp_path, [received(b"first")])
    reader = pair.reader(tmp_path)
    offset = read_all(reader)[-1][0]
    assert reader.wait(offset, 0.05) is False
    appending = threading.Timer(0.2, append_all, (pair.writer, tmp_path, [received(b"second")]))
    appending.start()
    assert reader.wait(offset, 20) is True
    appending.join()
    assert bodies(read_all(reader, offset)) == [b"second"]


def test_the_backlog_is_what_was_appended_and_not_committed(pair: Pair, tmp_path: Path) -> None:
    async def go() -> None:
        writer = pair.writer(tmp_path)
        assert (await settled(writer, 0)).oldest_at is None
        reader = pair.reader(tmp_path)
        for i in range(5):
            await writer.append(received(b"x" * 100, at=1_000.0 + i))
            await some(reader, i + 1)  # so that a cluster has each in a message of its own
        offset = reader.read("", records_max=2, bytes_max=1 << 20)[-1][0]
        reader.commit(offset)
        depth = await settled(writer, 3)
        assert depth.oldest_at == 1_002.0
        assert 300 < depth.bytes < 1_500
        await writer.close()
        again = pair.writer(tmp_path)  # a restart keeps count
        assert (await settled(again, 3)).oldest_at == 1_002.0
        reader.commit(read_all(reader, offset)[-1][0])
        assert (await settled(again, 0)).bytes == 0
        await again.close()

    asyncio.run(go())


def test_a_full_backlog_refuses_and_takes_again_once_it_is_digested(pair: Pair, tmp_path: Path) -> None:
    async def go() -> None:
        writer = pair.small(tmp_path)
        with pytest.raises(SpoolFull, match="10000 bytes"):
            await fill(writer)
        reader = pair.reader(tmp_path)
        found = await some(reader, 6)
        assert len(found) < 12
        reader.commit(found[-1][0])
        deadline = time.monotonic() + 5
        while True:
            try:
                await writer.append(received(b"after"))
                break
            except SpoolFull:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.02)
        await writer.close()
        assert bodies(read_all(reader, found[-1][0])) == [b"after"]

    asyncio.run(go())


def test_what_is_committed_is_given_back_to_the_disk(pair: Pair, tmp_path: Path) -> None:
    if not pair.on_disk:
        pytest.skip("the backlog of a cluster is asked for with depth")
    for _ in range(4):
        append_all(pair.small, tmp_path, [received(b"x" * 900) for _ in range(2)])
    before = sum(f.stat().st_size for f in tmp_path.rglob("*") if f.is_file())
    reader = pair.reader(tmp_path)
    found = read_all(reader)
    reader.commit(found[-1][0])
    after = sum(f.stat().st_size for f in tmp_path.rglob("*") if f.is_file())
    assert after < before / 2
    append_all(pair.small, tmp_path, [received(b"later")])
    assert bodies(read_all(reader, found[-1][0])) == [b"later"]


@pytest.mark.parametrize(
    "offset", ["", "nonsense", "99:99:99", "1:2", "-1:0:0", "1:99999999999999999999999:0", "js1;5;99;0"]
)
def test_a_foreign_offset_starts_at_the_beginning_of_what_is_kept(pair: Pair, tmp_path: Path, offset: str) -> None:
    append_all(pair.writer, tmp_path, [received(b"kept")])
    assert bodies(read_all(pair.reader(tmp_path), offset)) == [b"kept"]


def test_many_senders_at_once_lose_nothing(pair: Pair, tmp_path: Path) -> None:
    append_all(pair.writer, tmp_path, [received(b"%d" % i) for i in range(3_000)])
    assert sorted(bodies(read_all(pair.reader(tmp_path)))) == sorted(b"%d" % i for i in range(3_000))
