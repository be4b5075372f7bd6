"""``fivehundred faults`` against a served Console: each act in a terminal, and what is said when it makes no sense."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from tests.console.face import Face, wire

from fivehundred import cli
from fivehundred.console.store.database import Value
from fivehundred.console.store.triage import Triage


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Face, str]]:
    face = Face(tmp_path_factory.mktemp("cli"))
    face.add(wire(release="2.4.0"), wire(kind="KeyError", release="2.4.0"))
    server = uvicorn.Server(uvicorn.Config(face.app, port=0, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield face, f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["resolve", "1", "next"], "resolved in the release after 2.4.0"),
        (["reopen", "#1"], "reopened"),
        (["mute", "1,2", "7d"], "muted for 7 days"),
        (["mute", "1", "100 events"], "muted until 100 more events"),
        (["assign", "1", "team:billing"], "assigned it to team billing"),
        (["assign", "1", "nobody"], "assigned it to nobody"),
        (["priority", "1", "high"], "set the priority to high"),
        (["comment", "1", "The vendor", "knows."], "commented"),
    ],
)
def test_an_act_in_a_terminal_stands_in_the_history(
    served: tuple[Face, str], words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    face, url = served
    assert cli.main(["faults", *words, "--url", url]) == cli.Exit.ok
    assert said in [entry.what for entry in Triage(face.store().database).conversation(1)][:2]
    assert capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [["resolve"], ["resolve", "x"], ["mute", "1", "soon"], ["assign", "1"], ["priority", "1", "now"], ["comment", "1"]],
)
def test_an_act_that_makes_no_sense_says_what_to_type(
    served: tuple[Face, str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["faults", *words, "--url", served[1]]) == cli.Exit.usage
    assert f"fivehundred faults {words[0]}: " in capsys.readouterr().err


def test_what_the_console_refuses_is_said_in_its_own_words(
    served: tuple[Face, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["faults", "mute", "1", "0m", "--url", served[1]]) == cli.Exit.failed
    assert "at least a minute" in capsys.readouterr().err


def test_an_event_is_shown_by_its_reference(served: tuple[Face, str], capsys: pytest.CaptureFixture[str]) -> None:
    face, url = served
    event = face.add(wire(kind="LookupError"))[0]
    assert cli.main(["events", "show", f"urn:uuid:{event}", "--url", url]) == 0
    shown = capsys.readouterr().out
    assert event in shown
    assert "LookupError: division by zero" in shown
    assert "shop/orders.py:41 in" in shown
    assert cli.main(["events", "show", "no-reference", "--url", url]) == 2
    assert "32 hexadecimal digits" in capsys.readouterr().err
    assert cli.main(["events", "show", "0" * 32, "--url", url]) == 1


def test_incidents_are_listed_and_shown(served: tuple[Face, str], capsys: pytest.CaptureFixture[str]) -> None:
    face, url = served
    assert cli.main(["incidents", "--url", url]) == 0
    assert "No incident" in capsys.readouterr().out
    database, now = face.store().database, time.time()
    with database.transaction():
        row: dict[str, Value] = {"project": "1", "kind": "resource", "subject": "db", "state": "open"}
        row["sentence"] = "db\x1b[2J fails"
        database.insert("incident", {**row, "opened_at": now, "last_at": now, "events": 8})
        member: dict[str, Value] = {"incident": 1, "fault": 1, "project": "1", "joined_at": now, "events": 8}
        database.insert("incident_fault", member)
    assert cli.main(["incidents", "list", "--state", "open", "--url", url]) == 0
    assert cli.main(["incidents", "show", "1", "--url", url]) == 0
    shown = capsys.readouterr().out
    assert "#1 8 events" in shown
    assert "\x1b[2J" not in shown
    assert cli.main(["incidents", "show", "x", "--url", url]) == 2


def test_events_are_searched_in_a_terminal_page_by_page(
    served: tuple[Face, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["events", "user:u1", "tag:region=eu", "KeyError", "--limit", "1", "--url", served[1]]) == 0
    first = capsys.readouterr().out
    assert "KeyError" in first
    assert "ZeroDivisionError" not in first
    seen, more = list[str](), list[str]()
    while len(seen) < 9:
        assert cli.main(["events", "--limit", "1", *more, "--url", served[1]]) == 0
        said = capsys.readouterr().out
        seen.append(said.splitlines()[1].split()[0])
        more = ["--cursor", said.split()[-1]]
        if "go on with" not in said:
            break
    assert 2 <= len(seen) == len(set(seen)) < 9
    assert cli.main(["events", "user:nobody", "--url", served[1]]) == 0
    assert capsys.readouterr().out == "No kept event fits.\n"


def test_a_term_of_events_that_makes_no_sense_is_said(
    served: tuple[Face, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["events", "colour:red", "--url", served[1]]) == cli.Exit.failed
    assert "There is no term colour:" in capsys.readouterr().err
    assert cli.main(["events", "--cursor", "x", "--url", served[1]]) == cli.Exit.failed
    assert "the cursor is none of this list" in capsys.readouterr().err
