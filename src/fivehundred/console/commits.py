"""Suspect commits: who last changed the failing line, and what changed its file since the last release without it.

Asks ``git`` about a repository on this machine, within a few seconds in all, and nothing of it may run code: no hooks,
no text converters, no prompts. Names of releases and files come from events, so they never stand where an option could.
Without git, or without the file, the answer says what is missing.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fivehundred import limits
from fivehundred.console.store.commits import Commit, Suspects
from fivehundred.event import Event, Frame
from fivehundred.fingerprint.model import Fingerprint


class RepositoryRefused(Exception):
    """The path is no repository that can be read; the text says why."""


class GitFailed(Exception):
    """git is missing, took too long, or does not know what was asked for."""


def checked(path: str) -> str:
    """The path of a repository as a person named it. Raises RepositoryRefused."""
    if not path.strip():
        return ""
    folder = Path(path.strip()).expanduser()
    if not folder.is_absolute():
        raise RepositoryRefused(f"{path[:200]!r} is not an absolute path, as in /srv/shop")
    if not (folder / ".git").exists() and not (folder / "HEAD").is_file():
        raise RepositoryRefused(f"{path[:200]!r} is no git repository on this machine")
    return str(folder)


def suspects(path: str, event: Event, place: tuple[int, int], good_release: str) -> Suspects:
    """``place`` is (exception, frame) that decided. Never raises for what git says."""
    frame = _frame(event, place)
    if frame is None or not frame.filename:
        return Suspects((), "", "the event names no file of the application")
    git = _Git(path)
    try:
        bad = git.commit_of(event.release) or "HEAD"
        file = _best(git.files(bad), frame.filename)
        if not file:
            return Suspects((), "", f"no file like {frame.filename[-120:]} is in the repository at {bad[:40]}")
        good = git.commit_of(good_release)
        return _found(git, file, frame, bad, good, good_release)
    except GitFailed as e:
        return Suspects((), "", str(e))


def place_of(fingerprint: Fingerprint) -> tuple[int, int]:
    return fingerprint.root, fingerprint.frame


def _found(git: _Git, file: str, frame: Frame, bad: str, good: str, good_release: str) -> Suspects:
    span = f"{good}..{bad}" if good else bad
    since = git.log(span, file)
    last = git.blame(bad, file, frame.lineno) if frame.lineno else None
    note = "" if good else "no release before it is known here: these are the last changes of the file"
    if bad == "HEAD":
        note = "the event's release is no tag or commit here: this is the newest state of the repository"
    commits: dict[str, Commit] = {}
    if last is not None:
        is_new = any(c.id == last.id for c in since) and bool(good)
        reason = (
            f"it last changed the failing line, after {good_release}" if is_new else "it last changed the failing line"
        )
        commits[last.id] = Commit(last.id, last.author, last.at, last.summary, reason, 3 if is_new else 2)
    for c in since[: limits.commits_max]:
        reason = f"it changed {file} after {good_release}" if good else f"it changed {file} lately"
        commits.setdefault(c.id, Commit(c.id, c.author, c.at, c.summary, reason, 2 if good else 1))
    ordered = sorted(commits.values(), key=lambda c: (-c.strength, -c.at))
    return Suspects(tuple(ordered[:5]), file, note)


def _frame(event: Event, place: tuple[int, int]) -> Frame | None:
    root, at = place
    frames = event.exceptions[root].frames if 0 <= root < len(event.exceptions) else event.frames
    return frames[at] if 0 <= at < len(frames) else None


def _best(files: Sequence[str], named: str) -> str:
    """The file whose path has the longest end in common with the one in the event; at least its name."""
    want = [part for part in named.replace("\\", "/").split("/") if part not in ("", ".")]
    best, length = "", 0
    for file in files:
        parts, same = file.split("/"), 0
        while same < min(len(parts), len(want)) and parts[-1 - same] == want[-1 - same]:
            same += 1
        if same > length or (same == length and same and len(file) < len(best)):
            best, length = file, same
    return best


class _Git:
    """One repository and one span of time for all questions about it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._until = time.monotonic() + limits.commit_s

    def commit_of(self, release: str) -> str:
        """The commit that a release names: as it is, as its version alone, or as a tag with a v."""
        version = release.rpartition("@")[2]
        for name in dict.fromkeys((release, version, f"v{version}")):
            if _NAME.fullmatch(name):
                try:
                    return self._ask(
                        "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
                    ).strip()
                except _Unknown:
                    continue
        return ""

    def files(self, commit: str) -> list[str]:
        return self._ask("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit).split("\0")

    def log(self, span: str, file: str) -> list[Commit]:
        count = str(limits.commits_max)
        out = self._ask(
            "log", "-z", "-n", count, "--no-merges", f"--format={_FORMAT}", span, "--", f":(literal,top){file}"
        )
        return [c for c in (_commit(part) for part in out.split("\0")) if c is not None]

    def blame(self, commit: str, file: str, line: int) -> Commit | None:
        try:
            out = self._ask("blame", "--porcelain", "-L", f"{line},{line}", commit, "--", file)
        except _Unknown:  # the file is shorter there
            return None
        found = out.split(" ", 1)[0]
        shown = self._ask("log", "-z", "-n", "1", f"--format={_FORMAT}", found) if _SHA.fullmatch(found) else ""
        return _commit(shown.strip("\0"))

    def _ask(self, *words: str) -> str:
        left = self._until - time.monotonic()
        if left <= 0:
            raise GitFailed(f"git took longer than {limits.commit_s} s, and was not asked further")
        safe = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "log.showSignature=false")
        env = {"PATH": os.environ.get("PATH", os.defpath), "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
        env |= {"LC_ALL": "C.UTF-8", "HOME": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_NO_LAZY_FETCH": "1"}
        try:
            done = subprocess.run(
                ["git", "--no-pager", *safe, "-c", f"safe.directory={self._path}", "-C", self._path, *words],
                capture_output=True,
                timeout=left,
                stdin=subprocess.DEVNULL,
                env=env,
                check=False,
            )
        except FileNotFoundError as e:
            raise GitFailed("there is no git on the Console's machine; install it to see suspect commits") from e
        except subprocess.TimeoutExpired as e:
            raise GitFailed(f"git took longer than {limits.commit_s} s, and was not asked further") from e
        except OSError as e:
            raise GitFailed(f"git cannot be started: {e.strerror}") from e
        if done.returncode:
            raise _Unknown(done.stderr.decode("utf-8", "replace").strip()[:200] or "git does not know it")
        return done.stdout.decode("utf-8", "replace")


class _Unknown(GitFailed):
    """git ran, and said no."""


_FORMAT: Final = "%H%x1f%an%x1f%ct%x1f%s"
_NAME: Final = re.compile(r"(?!-)[\w./+-]{1,100}")
_SHA: Final = re.compile(r"[0-9a-f]{40,64}")


def _commit(text: str) -> Commit | None:
    parts = text.strip("\n").split("\x1f")
    if len(parts) != 4 or not _SHA.fullmatch(parts[0]) or not parts[2].isdecimal():
        return None
    return Commit(parts[0], parts[1][:100], float(parts[2]), parts[3][:200], "", 1)
