"""What is different from the last time this application started: release, Python, names and hashes of the environment.

No value is kept: only HMACs with a salt that stays in the spool's folder, so that "it changed" can be said and "to
what" cannot. Reading and writing the file is the observer's work, once per process.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Final

from fivehundred.event import Json, clean

_kept_s: Final = 86_400  # a change is worth telling for a day
_names_max: Final = 500


def changes(folder: Path, release: str) -> list[Json]:
    """Changes of the last day, newest known; empty at the first start. Raises OSError."""
    path = folder / "last-start.json"
    before = _load(path)
    salt = before.get("salt")
    salt = salt if isinstance(salt, str) else os.urandom(16).hex()
    now = _state(salt, release)
    known = before.get("state")
    if known == now:
        kept = before.get("changed")
        at = before.get("at")
        fresh = isinstance(at, int | float) and time.time() - at < _kept_s
        return kept if fresh and isinstance(kept, list) else []
    changed = _differences(known, now) if isinstance(known, dict) else []
    text = json.dumps({"salt": salt, "state": now, "changed": changed, "at": time.time()})
    unfinished = path.with_suffix(f".{os.getpid()}")
    unfinished.touch(mode=0o600)
    unfinished.write_text(text)
    unfinished.replace(path)
    return changed


def _load(path: Path) -> dict[str, Json]:
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _state(salt: str, release: str) -> dict[str, Json]:
    environment: dict[str, Json] = {
        clean(name): _hash(salt, value)
        for name, value in sorted(os.environ.items())[:_names_max]
        if name not in _different_each_time
    }
    return {"environment": environment, "release": release}


_different_each_time: Final = frozenset(
    {
        "PWD", "OLDPWD", "SHLVL", "_", "INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_EXEC_PID", "HOSTNAME", "LISTEN_PID",
        "LISTEN_FDS", "MAINPID", "GUNICORN_FD", "SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY", "WINDOWID",
        "SERVER_SOFTWARE", "PYTEST_CURRENT_TEST",
    }
)  # fmt: skip


def _hash(salt: str, value: str) -> str:
    return hashlib.blake2b(value.encode("utf-8", "surrogateescape"), key=salt.encode(), digest_size=8).hexdigest()


def _differences(before: dict[str, Json], now: dict[str, Json]) -> list[Json]:
    found: list[Json] = []
    if before.get("release") != now["release"]:
        found.append(_change("release", "", before.get("release"), now["release"]))
    old, new = before.get("environment"), now["environment"]
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                found.append(_change("environment", name, old.get(name), new.get(name)))
    return found[:_changes_max]


_changes_max: Final = 50


def _change(what: str, name: str, before: Json, after: Json) -> Json:
    """A side that is missing was not set at all."""
    change: dict[str, Json] = {"what": what, "name": name, "before_hash": before, "after_hash": after}
    return {k: v for k, v in change.items() if v is not None}
