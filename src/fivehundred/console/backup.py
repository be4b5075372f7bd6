"""Backup and restore of a data folder: one file, taken while the Console runs and writes.

The file is a tar in zstd: the database as it stood at one moment, the payloads it names, the spool as it was and the
key that seals secrets. It is as secret as the folder: readable by its owner only. What a PostgreSQL store holds is
backed up with PostgreSQL's own tools.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import apsw

from fivehundred.console.config import Layout
from fivehundred.console.store.database import SqliteDatabase

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_format: Final = 1
_LEVEL: Final = 3
_NAME: Final = re.compile(r"backup\.json|console\.db|console\.key|bodies/\d{1,12}\.bodies|spool/[\w.-]{1,80}")
_tries: Final = 3


class BackupError(Exception):
    """What could not be backed up or restored, and what to do."""


@dataclass(frozen=True, slots=True)
class Saved:
    files: int
    bytes: int  # before compression
    faults: int
    payloads: int


class _Moved(Exception):
    """Retention deleted a file between two looks."""


def backup(layout: Layout, file: Path) -> Saved:
    """Writes ``file``; raises BackupError. Nothing waits for it: neither the digest nor pages."""
    if not layout.database.exists():
        raise BackupError(f"there is no Console's data in {layout.root}: it has no {layout.database.name}")
    if file.exists():
        raise BackupError(f"{file} exists; name another file, or move it away")
    for _ in range(_tries):
        try:
            return _backup(layout, file)
        except _Moved:
            continue
    raise BackupError("files of payloads were deleted faster than they could be read; try again")


def _backup(layout: Layout, file: Path) -> Saved:
    partial = file.with_name(f".{file.name}.partial")
    with ExitStack() as held, tempfile.TemporaryDirectory(prefix=".backup-", dir=layout.root) as folder:
        opened = _open_all(layout, held)  # before the database is read: what is unlinked meanwhile can still be read
        snapshot = Path(folder, "console.db")
        _copy_database(layout.database, snapshot)
        ends, faults, payloads = _named(snapshot)
        for segment in ends:
            name = f"bodies/{segment:08d}.bodies"
            if name not in opened:
                opened[name] = _open(layout.root / name, held)
        try:
            with _writing(partial) as tar:
                told = {"format": _format, "at": time.time(), "faults": faults, "payloads": payloads}
                count, size = _add_bytes(tar, "backup.json", json.dumps(told).encode()), 0
                for name, source, length in _members(layout, snapshot, opened, ends, held):
                    _add(tar, name, source, length)
                    count, size = count + 1, size + length
            partial.rename(file)
        finally:
            partial.unlink(missing_ok=True)
    return Saved(count, size, faults, payloads)


def _members(
    layout: Layout, snapshot: Path, opened: dict[str, IO[bytes]], ends: dict[int, int], held: ExitStack
) -> Iterator[tuple[str, IO[bytes], int]]:
    yield "console.db", _open(snapshot, held), snapshot.stat().st_size
    if layout.key.exists():
        yield "console.key", _open(layout.key, held), layout.key.stat().st_size
    for segment, end in ends.items():
        yield f"bodies/{segment:08d}.bodies", opened[f"bodies/{segment:08d}.bodies"], end
    for name, source in opened.items():
        if name.startswith("spool/"):
            yield name, source, os.fstat(source.fileno()).st_size


def restore(file: Path, layout: Layout) -> Saved:
    """Into a folder that is empty or missing; raises BackupError and then leaves nothing behind."""
    if layout.root.exists() and any(layout.root.iterdir()):
        raise BackupError(f"{layout.root} is not empty; restore into another folder: --data DIR")
    layout.root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=layout.root.parent) as folder:
        target = Path(folder, "data")
        target.mkdir(mode=0o700)
        try:
            count, size = _extract(file, target)
        except (tarfile.TarError, zstd.ZstdError, EOFError, OSError) as error:
            raise BackupError(f"{file} is no whole backup ({error}); nothing was restored") from error
        faults, payloads = _check(target)
        if layout.root.exists():
            layout.root.rmdir()
        target.rename(layout.root)
    return Saved(count, size, faults, payloads)


def _extract(file: Path, target: Path) -> tuple[int, int]:
    count = size = 0
    with zstd.open(file, "rb") as unpacked, tarfile.open(fileobj=unpacked, mode="r|") as tar:
        for member in tar:
            if not member.isfile() or not _NAME.fullmatch(member.name):
                raise BackupError(f"{file} holds {member.name[:100]!r}, which no backup of a Console has")
            source = tar.extractfile(member)
            path = target / member.name
            path.parent.mkdir(mode=0o700, exist_ok=True)
            if source is not None:
                with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as out:
                    shutil.copyfileobj(source, out, 1 << 20)
                    out.flush()
                    os.fsync(out.fileno())
            count, size = count + 1, size + member.size
    return count, size


def _check(target: Path) -> tuple[int, int]:
    """That what the database names is there; faults and payloads."""
    told = target / "backup.json"
    known = json.loads(told.read_text()) if told.exists() else {}
    if known.get("format") != _format or not (target / "console.db").exists():
        raise BackupError(f"the backup has format {known.get('format')!r}, this version reads {_format}")
    told.unlink()
    db = apsw.Connection(str(target / "console.db"))
    try:
        if (found := db.pragma("quick_check")) != "ok":
            raise BackupError(f"the database in the backup is damaged: {found}")
    finally:
        db.close()
    ends, faults, payloads = _named(target / "console.db")
    for segment, end in ends.items():
        body = target / "bodies" / f"{segment:08d}.bodies"
        if end and (not body.exists() or body.stat().st_size < end):
            raise BackupError(f"the backup lacks payloads that its database names: {body.name}")
    return faults, payloads


# ---- files -----------------------------------------------------------------------------------------


def _open_all(layout: Layout, held: ExitStack) -> dict[str, IO[bytes]]:
    found: dict[str, IO[bytes]] = {}
    for folder in ("bodies", "spool"):
        for path in sorted((layout.root / folder).glob("*")):
            if path.is_file() and _NAME.fullmatch(f"{folder}/{path.name}"):
                try:
                    found[f"{folder}/{path.name}"] = _open(path, held)
                except _Moved:
                    continue  # done with in this moment
    return found


def _open(path: Path, held: ExitStack) -> IO[bytes]:
    try:
        return held.enter_context(path.open("rb"))
    except FileNotFoundError as error:
        raise _Moved from error


def _copy_database(source: Path, target: Path) -> None:
    """SQLite's own online backup: what is committed at one moment; writers go on."""
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    there, here = apsw.Connection(str(source)), apsw.Connection(str(target))
    try:
        there.set_busy_timeout(10_000)
        with here.backup("main", there, "main") as copying:
            copying.step()  # all of it at once: from a snapshot, so that a busy writer cannot start it over
        here.pragma("journal_mode", "delete")  # one file
    finally:
        here.close()
        there.close()


def _named(database: Path) -> tuple[dict[int, int], int, int]:
    """(segment -> its committed end, faults, payloads) of a database that nobody writes to."""
    db = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        found = SqliteDatabase(db)
        ends: dict[int, int] = dict(found.rows("SELECT id, bytes FROM segment WHERE bytes > 0 ORDER BY id"))
        faults = found.number("SELECT count(*) FROM fault") or 0
        payloads = found.number("SELECT count(*) FROM event") or 0
    finally:
        db.close()
    return ends, faults, payloads


@contextmanager
def _writing(path: Path) -> Iterator[tarfile.TarFile]:
    parameter = zstd.CompressionParameter
    options: Any = {parameter.compression_level: _LEVEL, parameter.checksum_flag: 1}
    with os.fdopen(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as raw:
        with zstd.open(raw, "wb", options=options) as packed, tarfile.open(fileobj=packed, mode="w|") as tar:
            yield tar
        raw.flush()
        os.fsync(raw.fileno())


def _add(tar: tarfile.TarFile, name: str, source: IO[bytes], length: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = length, 0o600, int(time.time())
    tar.addfile(member, source)


def _add_bytes(tar: tarfile.TarFile, name: str, data: bytes) -> int:
    _add(tar, name, io.BytesIO(data), len(data))
    return 1
