"""What every Spool must do. An implementation joins by adding its pair of writer and reader to ``spools``."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fivehundred.console.spool.base import Door, Received, SpoolFull, SpoolReader, SpoolWriter
from fivehundred.console.spool.format import doors
from fivehundred.console.spool.segments import SegmentReader, SegmentWriter


class Pair(NamedTuple):
    writer: Callable[[Path], SpoolWriter]
    small: Callable[[Path], SpoolWriter]  # with a backlog bound of 10,000 bytes
    reader: Callable[[Path], SpoolReader]


spools = {
    "segments": Pair(
        SegmentWriter,
        lambda folder: SegmentWriter(folder, backlog_bytes_max=10_000, segment_bytes_max=2_000),
        SegmentReader,
    )
}


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
    append_all(pair.small, tmp_path, [received(b"%d" % i * 100) for i in range(30)])
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
        assert writer.depth().records == 0
        assert writer.depth().oldest_at is None
        for i in range(5):
            await writer.append(received(b"x" * 100, at=1_000.0 + i))
        reader = pair.reader(tmp_path)
        offset = reader.read("", records_max=2, bytes_max=1 << 20)[-1][0]
        reader.commit(offset)
        depth = writer.depth()
        assert (depth.records, depth.oldest_at) == (3, 1_002.0)
        assert 300 < depth.bytes < 1_000
        await writer.close()
        again = pair.writer(tmp_path)  # a restart keeps count
        assert (again.depth().records, again.depth().oldest_at) == (3, 1_002.0)
        reader.commit(read_all(reader, offset)[-1][0])
        assert again.depth().records == again.depth().bytes == 0
        await again.close()

    asyncio.run(go())


def test_a_full_backlog_refuses_and_takes_again_once_it_is_digested(pair: Pair, tmp_path: Path) -> None:
    async def go() -> None:
        writer = pair.small(tmp_path)
        with pytest.raises(SpoolFull, match="10000 bytes"):
            await fill(writer)
        reader = pair.reader(tmp_path)
        found = read_all(reader)
        assert 5 < len(found) < 12
        reader.commit(found[-1][0])
        deadline = time.monotonic() + 5
        while True:
            try:
                await writer.append(received(b"after"))
                break
            except SpoolFull:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.02)
        assert bodies(read_all(reader, found[-1][0])) == [b"after"]
        await writer.close()

    asyncio.run(go())


def test_what_is_committed_is_given_back_to_the_disk(pair: Pair, tmp_path: Path) -> None:
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


@pytest.mark.parametrize("offset", ["", "nonsense", "99:99:99", "1:2", "-1:0:0", "1:99999999999999999999999:0"])
def test_a_foreign_offset_starts_at_the_beginning_of_what_is_kept(pair: Pair, tmp_path: Path, offset: str) -> None:
    append_all(pair.writer, tmp_path, [received(b"kept")])
    assert bodies(read_all(pair.reader(tmp_path), offset)) == [b"kept"]


def test_many_senders_at_once_lose_nothing(pair: Pair, tmp_path: Path) -> None:
    append_all(pair.writer, tmp_path, [received(b"%d" % i) for i in range(3_000)])
    assert sorted(bodies(read_all(pair.reader(tmp_path)))) == sorted(b"%d" % i for i in range(3_000))
