"""What crashes, full disks and bad sectors leave in segment files, and what the reader makes of it."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import resource
import signal
import stat
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fivehundred import limits
from fivehundred.console.spool import format as fmt
from fivehundred.console.spool.base import Received, SpoolFull
from fivehundred.console.spool.segments import SegmentReader, SegmentWriter


def record(body: bytes) -> Received:
    return Received("1", "envelope", 1_700_000_000.0, {"event_id": "ab" * 16}, body)


def write(folder: Path, bodies: list[bytes], segment_bytes_max: int = 1 << 20, group: int = 1) -> None:
    async def go() -> None:
        writer = SegmentWriter(folder, segment_bytes_max=segment_bytes_max)
        for at in range(0, len(bodies), group):
            await asyncio.gather(*(writer.append(record(body)) for body in bodies[at : at + group]))
        await writer.close()

    asyncio.run(go())


def read(folder: Path, offset: str = "") -> tuple[list[bytes], int, str]:
    """(bodies, records lost to damage, the last offset)"""
    reader = SegmentReader(folder)
    found: list[bytes] = []
    while more := reader.read(offset, records_max=5, bytes_max=1 << 20):
        found += [r.body for _, r in more]
        offset = more[-1][0]
    reader.close()
    return found, reader.damaged, offset


def newest(folder: Path) -> Path:
    return fmt.segment_path(folder, fmt.segments(folder)[-1])


def test_a_tail_torn_at_any_byte_costs_only_the_torn_record(tmp_path: Path) -> None:
    write(tmp_path, [b"first", b"second", b"third"])
    whole = newest(tmp_path).read_bytes()
    third = len(whole) - fmt.record_header_bytes - len(fmt.encode_payload(record(b"third")))
    for length in range(len(whole)):
        newest(tmp_path).write_bytes(whole[:length])
        found, damaged, _ = read(tmp_path)
        assert damaged == 0
        assert found == [b"first", b"second", b"third"][: len(found)]
        assert len(found) == 2 or length < third


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_the_writer_goes_on_behind_a_torn_tail_and_the_reader_passes_over_it(tmp_path: Path, cut: int) -> None:
    write(tmp_path, [b"first", b"second", b"torn"])
    path = newest(tmp_path)
    os.truncate(path, path.stat().st_size - cut)
    _, _, offset = read(tmp_path)
    write(tmp_path, [b"after the crash"])
    assert read(tmp_path) == ([b"first", b"second", b"after the crash"], 0, read(tmp_path)[2])
    assert read(tmp_path, offset)[0] == [b"after the crash"]


def test_a_record_that_is_still_being_written_is_waited_for(tmp_path: Path) -> None:
    write(tmp_path, [b"first", b"second"])
    whole = newest(tmp_path).read_bytes()
    newest(tmp_path).write_bytes(whole[:-3])
    reader = SegmentReader(tmp_path)
    offset = reader.read("", records_max=9, bytes_max=1 << 20)[-1][0]
    assert reader.wait(offset, 0.05) is False
    newest(tmp_path).write_bytes(whole)
    assert reader.wait(offset, 5) is True
    assert [r.body for _, r in reader.read(offset, records_max=9, bytes_max=1 << 20)] == [b"second"]


@pytest.mark.parametrize("cut", [3, 20, 90])
def test_a_record_that_is_completed_while_it_is_looked_at_is_no_damage(
    tmp_path: Path, cut: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of it was there at the first look, all of it and the next one at the second."""
    write(tmp_path, [b"first", b"second" * 9, b"third"])
    whole = newest(tmp_path).read_bytes()
    end = whole.index(b"second" * 9) + 54
    newest(tmp_path).write_bytes(whole[: end - cut])
    search = SegmentReader._resync

    def later(self: SegmentReader, position: fmt.Position) -> fmt.Position | None:
        newest(tmp_path).write_bytes(whole)
        self._drop_window()
        return search(self, position)

    monkeypatch.setattr(SegmentReader, "_resync", later)
    assert read(tmp_path)[:2] == ([b"first", b"second" * 9, b"third"], 0)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_damage_anywhere_is_skipped_counted_and_never_raised(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    bodies = [b"%d " % i * data.draw(st.integers(1, 60)) for i in range(12)]
    write(folder, bodies, segment_bytes_max=600, group=3)
    number = data.draw(st.sampled_from(fmt.segments(folder)))
    path = fmt.segment_path(folder, number)
    newest_when_damaged = newest(folder) == path
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    noise = data.draw(st.binary(min_size=1, max_size=80))
    content[at : at + len(noise)] = noise
    path.write_bytes(content)
    write(folder, [b"later"])
    found, damaged, _ = read(folder)
    assert found[-1] == b"later"
    assert set(found) <= {*bodies, b"later"}
    assert found == sorted(found, key=[*bodies, b"later"].index)
    # Damage to the very last records before a restart cannot be told from a torn tail, which nobody was promised.
    assert len(found) + damaged == 13 or (newest_when_damaged and len(found) + damaged < 13)


def test_a_body_that_looks_like_a_record_is_never_taken_for_one(tmp_path: Path) -> None:
    write(tmp_path / "other", [b"forged"])
    forged = newest(tmp_path / "other").read_bytes()
    write(tmp_path / "spool", [b"first", forged + forged, b"last"])
    path = newest(tmp_path / "spool")
    content = bytearray(path.read_bytes())
    content[content.index(b"first") + 10] ^= 0xFF  # damage makes the reader search for the next record
    path.write_bytes(content)
    found, _, _ = read(tmp_path / "spool")
    assert b"forged" not in found
    assert found[-1] == b"last"


def test_a_record_of_a_later_version_is_skipped_and_counted(tmp_path: Path) -> None:
    async def go() -> None:
        writer = SegmentWriter(tmp_path)
        await writer.append(record(b"first"))
        payload = bytearray(fmt.encode_payload(record(b"from the future")))
        payload[8] = 200  # a door that this version does not know
        future = asyncio.get_running_loop().create_future()
        writer._append([(bytes(payload), zlib.crc32(payload), future)])
        await writer.append(record(b"last"))
        await writer.close()

    asyncio.run(go())
    assert read(tmp_path)[:2] == ([b"first", b"last"], 1)


def test_numbers_do_not_start_again_when_everything_is_digested(tmp_path: Path) -> None:
    write(tmp_path, [b"one", b"two"], segment_bytes_max=1)
    _, _, offset = read(tmp_path)
    SegmentReader(tmp_path).commit(offset)
    for body in (b"three", b"four"):
        write(tmp_path, [body])
        found, damaged, offset = read(tmp_path, offset)
        assert (found, damaged) == ([body], 0)
        SegmentReader(tmp_path).commit(offset)


def test_a_disk_without_space_refuses_at_the_door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "disk_free_bytes_min", 1 << 62)
    with pytest.raises(SpoolFull, match="are free"):
        write(tmp_path, [b"x"])


def test_a_failed_write_leaves_nothing_and_is_told_to_its_sender(tmp_path: Path) -> None:
    """A real EFBIG from the kernel: the process may not write files beyond 6,000 bytes."""
    program = """
import asyncio, resource, signal, sys
from pathlib import Path
from fivehundred.console.spool.base import Received
from fivehundred.console.spool.segments import SegmentWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
async def go():
    writer = SegmentWriter(Path(sys.argv[1]))
    for number in range(8):
        try:
            await writer.append(Received("1", "envelope", 1.0, {}, b"%d" % number * 2000))
            print(number)
        except OSError as e:
            print("refused", e.errno)
    await writer.close()
asyncio.run(go())
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    lines = done.stdout.split("\n")[:-1]
    assert f"refused {errno.EFBIG}" in lines
    kept = [int(line) for line in lines if line.isdigit()]
    found, damaged, _ = read(tmp_path)
    assert [int(body[:1]) for body in found] == kept
    assert damaged == 0
    assert len(kept) >= 4  # it went on in a new file


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    program = """
import asyncio, sys
from pathlib import Path
from fivehundred.console.spool.base import Received
from fivehundred.console.spool.segments import SegmentWriter
async def one(writer, name):
    for number in range(10**9):
        body = f"{name} {number}".encode()
        await writer.append(Received("1", "envelope", 1.0, {}, body))
        print(body.decode(), flush=True)
async def go():
    writer = SegmentWriter(Path(sys.argv[1]), segment_bytes_max=20_000)
    await asyncio.gather(*(one(writer, name) for name in "abcdefgh"))
asyncio.run(go())
"""
    for _ in range(3):
        child = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        first = child.stdout.readline()  # however long the machine takes to start it
        time.sleep(random.random() / 5)
        child.send_signal(signal.SIGKILL)
        out, _ = child.communicate()
        acknowledged = [line.encode() for line in (first + out).split("\n")[:-1]]
        found, damaged, offset = read(tmp_path)
        assert acknowledged
        assert set(acknowledged) <= set(found)
        assert len(found) == len(set(found))
        assert damaged == 0
        SegmentReader(tmp_path).commit(offset)
        write(tmp_path, [b"between"])
        found, _, offset = read(tmp_path, offset)
        assert found == [b"between"]
        for path in tmp_path.glob("*.seg"):
            path.unlink()
        (tmp_path / "committed").unlink()


def test_nobody_else_can_read_the_files(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    write(folder, [b"secret"])
    _, _, offset = read(folder)
    SegmentReader(folder).commit(offset)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(f.stat().st_mode) for f in folder.iterdir()} == {0o600}


def test_reading_needs_little_memory_whatever_the_backlog(tmp_path: Path) -> None:
    write(tmp_path, [os.urandom(500_000) for _ in range(60)], segment_bytes_max=64 << 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert len(read(tmp_path)[0]) == 60
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 80_000
