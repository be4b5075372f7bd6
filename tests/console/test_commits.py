"""Suspect commits in a real repository; and clear words where there is no git, no file, no release."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from fivehundred import limits
from fivehundred.console import commits
from fivehundred.event import Event, parse

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three commits: 1.0, one that breaks line 2 of shop/orders.py, and one that is about something else."""
    folder = tmp_path_factory.mktemp("shop")
    git(folder, "init", "-q")
    commit(folder, "shop/orders.py", "def total(order):\n    return order.net\n", "Orders have a total")
    git(folder, "tag", "v1.0")
    commit(folder, "shop/orders.py", "def total(order):\n    return order.net / order.count\n", "Total by piece")
    commit(folder, "shop/prices.py", "x = 1\n", "Prices")
    git(folder, "tag", "v2.0")
    return folder


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


def commit(folder: Path, name: str, text: str, summary: str) -> None:
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", summary)


def event(release: str = "shop@2.0", filename: str = "/srv/app/shop/orders.py", lineno: int = 2) -> Event:
    frame = {"filename": filename, "function": "total", "lineno": lineno, "module": "shop.orders"}
    values = [{"type": "ZeroDivisionError", "value": "x", "stacktrace": {"frames": [frame]}}]
    return parse({"release": release, "exception": {"values": values}}, received_at=1.8e9)


def test_the_commit_that_changed_the_failing_line_since_the_good_release_stands_first(repository: Path) -> None:
    found = commits.suspects(str(repository), event(), (0, 0), "shop@1.0")
    assert [(c.summary, c.author, c.strength) for c in found.commits] == [("Total by piece", "Ann", 3)]
    assert found.file == "shop/orders.py"
    assert found.note == ""


def test_without_a_good_release_the_last_changes_of_the_file_are_named(repository: Path) -> None:
    found = commits.suspects(str(repository), event(), (0, 0), "")
    assert [c.summary for c in found.commits] == ["Total by piece", "Orders have a total"]
    assert "no release before it" in found.note


def test_a_release_that_is_no_tag_means_the_newest_state(repository: Path) -> None:
    found = commits.suspects(str(repository), event("nightly"), (0, 0), "1.0")
    assert [c.summary for c in found.commits] == ["Total by piece"]
    assert "newest state" in found.note


@pytest.mark.parametrize(
    "hostile",
    [
        event("--output=/tmp/x"),
        event("-x"),
        event("HEAD; rm -rf /"),
        event("..", "../../../etc/passwd", -1),
        event(filename="--help"),
        event(lineno=10**9),
        event(filename=":(exclude)orders.py"),
        parse({}, received_at=1.8e9),
    ],
)
def test_hostile_events_ask_git_for_nothing_bad(repository: Path, hostile: Event) -> None:
    before = sorted(p for p in repository.rglob("*") if ".git" not in p.parts)
    commits.suspects(str(repository), hostile, (0, 0), "--version")
    assert sorted(p for p in repository.rglob("*") if ".git" not in p.parts) == before


def test_without_git_the_answer_says_so(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert "no git on the Console's machine" in commits.suspects(str(repository), event(), (0, 0), "").note


def test_git_is_given_a_bounded_time(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "commit_s", 0)
    assert "longer than 0 s" in commits.suspects(str(repository), event(), (0, 0), "").note


def test_a_file_that_is_not_there_is_said(repository: Path) -> None:
    assert "no file like" in commits.suspects(str(repository), event(filename="lib/other.py"), (0, 0), "").note


def test_only_a_repository_is_taken_as_one(repository: Path, tmp_path: Path) -> None:
    assert commits.checked(f" {repository} ") == str(repository)
    assert commits.checked("") == ""
    for path in ("shop", str(tmp_path), "/nowhere"):
        with pytest.raises(commits.RepositoryRefused):
            commits.checked(path)
