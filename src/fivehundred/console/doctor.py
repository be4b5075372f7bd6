"""``fivehundred doctor --console``: what keeps a Console from being well, looked at where it runs. Changes nothing.

Each check looks at one thing and says what is so, with the figure, and what to do when it is not as it should be.
"""

from __future__ import annotations

import email.utils
import os
import resource
import shutil
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Final, Literal

from fivehundred import limits
from fivehundred.console.config import Layout
from fivehundred.console.spool import format as fmt
from fivehundred.console.spool.segments import SegmentReader

State = Literal["ok", "note", "wrong"]
_TIMEOUT_S: Final = 5.0
_drift_s_max: Final = 5.0
_files_min: Final = 4_096  # a connection each, and some for the store


@dataclass(frozen=True, slots=True)
class Checked:
    state: State
    what: str
    next: str = ""


def look(folder: Path, url: str) -> Iterable[Checked]:
    """At the data folder of a Console on this machine, and at the Console itself."""
    layout = Layout(folder)
    yield clock(url)
    yield disk(folder)
    yield files()
    yield spool(layout.spool)
    yield sqlite(layout.database)
    yield marker(layout)


def clock(url: str) -> Checked:
    """Against the Console's own: what a sender's events would be corrected by."""
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=_TIMEOUT_S) as reply:
            told = reply.headers.get("Date", "")
    except (OSError, HTTPException, ValueError) as e:
        return Checked("note", f"no Console answers at {url}: {e}", "fivehundred console starts it")
    try:
        off = email.utils.parsedate_to_datetime(told).timestamp() - time.time()
    except ValueError:
        return Checked("note", "the Console does not tell its time")
    if abs(off) > _drift_s_max:
        return Checked("wrong", f"the Console's clock is {off:+.0f} s off this one", "timedatectl set-ntp true")
    return Checked("ok", "the clocks of Console and this machine agree")


def disk(folder: Path) -> Checked:
    usage = shutil.disk_usage(folder)
    least = limits.disk_free_bytes_min
    if usage.free < least:
        return Checked(
            "wrong",
            f"{usage.free >> 20} MiB are free on the disk of {folder}: nothing is accepted below {least >> 20} MiB",
            "make room, or start the Console with a smaller --disk-max",
        )
    if not os.access(folder, os.W_OK):
        return Checked(
            "wrong", f"{folder} cannot be written by this user", f"chown -R the user of the Console {folder}"
        )
    return Checked(
        "ok" if usage.free > 4 * least else "note", f"{usage.free >> 20} MiB are free on the disk of {folder}"
    )


def files() -> Checked:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < _files_min:
        return Checked(
            "note", f"a process may open {soft} files: as many connections", "LimitNOFILE=65536, ulimit -n 65536"
        )
    return Checked("ok", f"a process may open {soft} files")


def spool(folder: Path) -> Checked:
    if not folder.is_dir():
        return Checked("note", f"there is no spool in {folder.parent}", "fivehundred console makes it")
    reader = SegmentReader(folder)
    size = sum(fmt.segment_path(folder, n).stat().st_size for n in fmt.segments(folder))
    try:
        offset = fmt.committed_path(folder).read_text("ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        offset = ""
    first = reader.read(offset, records_max=1, bytes_max=1)
    damaged, waited = reader.damaged, time.time() - first[0][1].received_at if first else 0.0
    reader.close()
    if damaged:
        return Checked(
            "wrong", f"{damaged} accepted records are damaged on the disk", "look at the disk: smartctl, dmesg"
        )
    if waited > 60:
        return Checked(
            "wrong", f"the oldest accepted record waits for {waited:.0f} s; the spool has {size >> 20} MiB", _log
        )
    return Checked("ok", f"the spool has {size >> 20} MiB and nothing in it waits for long")


_log: Final = "the Console's log says why its digest does not go on"


def sqlite(file: Path) -> Checked:
    if not file.exists():
        return Checked("note", f"there is no database {file}", "fivehundred console makes it")
    try:
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=_TIMEOUT_S) as db:
            found = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as e:
        return Checked("wrong", f"{file} cannot be read: {e}", "restore a backup: fivehundred restore")
    if found != "ok":
        return Checked("wrong", f"{file} is damaged: {found[:200]}", "restore a backup: fivehundred restore")
    return Checked("ok", f"{file} is whole ({file.stat().st_size >> 20} MiB)")


def marker(layout: Layout) -> Checked:
    """Only looked at: opening it would count a death."""
    try:
        data = layout.digest_marker.read_bytes()[4:]
    except OSError:
        return Checked("ok", "no record ended a digest process")
    deaths = data[:64].split(b",")[1:2]
    if deaths and deaths[0].isdigit() and int(deaths[0]) > 0:
        return Checked(
            "note", f"a record has ended the digest process {int(deaths[0])} times", "it is set aside by itself"
        )
    return Checked("ok", "no record ended a digest process more than once")
