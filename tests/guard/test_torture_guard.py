"""Torture through the whole Guard, with its spool and a collector, around a WSGI and an ASGI application.

Each row: the answer is right, the report arrives with the answer's reference, nothing hangs, no hostile method ran.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.guard import torture_cases as torture

from fivehundred import Guard
from fivehundred.event import Event
from fivehundred.guard import message
from fivehundred.guard.testing import Sink

hangs_after_s = 20  # generous: what hangs here hangs for thirty seconds or for ever


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink() as found:
        yield found


@pytest.fixture(scope="module")
def guard(sink: Sink, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guard]:
    found = Guard(sink.dsn, spool=tmp_path_factory.mktemp("spool"))
    yield found
    found.close()


@pytest.fixture(autouse=True)
def _quiet(guard: Guard) -> Iterator[None]:
    """The record of a failure is written to the log as well, and thrown away there."""
    logger = logging.getLogger("fivehundred")
    logger.propagate, before = False, logger.propagate
    guard._faults._seen.clear()  # fifty failures of one place have full events; the rows are many
    torture.ran.clear()
    yield
    message._hung.clear()
    logger.propagate = before


def answer_of_wsgi(guard: Guard, fail: Callable[[], None]) -> tuple[int, bytes]:
    def app(environ: Any, start: Any) -> list[bytes]:
        fail()
        return []

    told: list[str] = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "QUERY_STRING": "", "wsgi.url_scheme": "http"}
    body = guard.wsgi(app)(environ, lambda status, headers, exc_info=None: told.append(status))
    return int(told[0][:3]), b"".join(body)


def answer_of_asgi(guard: Guard, fail: Callable[[], None]) -> tuple[int, bytes]:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        fail()

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [], "scheme": "http"}
    asyncio.run(guard.asgi(app)(scope, receive, send))
    return sent[0]["status"], b"".join(m.get("body", b"") for m in sent[1:])


ways = {"wsgi": answer_of_wsgi, "asgi": answer_of_asgi}
each_way = pytest.mark.parametrize("way", ways)


def reported(guard: Guard, sink: Sink, way: str, fail: Callable[[], None]) -> Event:
    """The event of the failure, which carries the reference that the client got."""
    done: list[tuple[int, bytes]] = []

    def run() -> None:
        try:
            done.append(ways[way](guard, fail))
        except BaseException as exc:  # its own text may not be asked for here
            done.append((0, type(exc).__qualname__.encode()))

    thread = threading.Thread(target=run, daemon=True)
    before = guard.failures_inside
    thread.start()
    thread.join(hangs_after_s)
    assert done, "it hangs"
    status, body = done[0]
    assert status in (500, 503), f"raised into the server: {body!r}"
    reference = json.loads(body)["reference"]
    until = time.monotonic() + hangs_after_s
    while not (found := [e for e in sink.events if e.event_id == reference]) and time.monotonic() < until:
        time.sleep(0.01)
    assert len(found) == 1, (len(found), guard.failures_inside)
    assert guard.failures_inside == before, "the Guard failed inside"
    return found[0]


@each_way
@pytest.mark.parametrize("misbehaviour", torture.misbehaviours)
@pytest.mark.parametrize("dunder", torture.dunders)
def test_a_hostile_value_anywhere(guard: Guard, sink: Sink, way: str, dunder: str, misbehaviour: str) -> None:
    act = torture.misbehaviours[misbehaviour]
    event = reported(guard, sink, way, lambda: torture.with_value(dunder, act))
    assert event.exceptions[-1].type == "LookupError"
    assert "local" in event.exceptions[-1].frames[-1].vars
    assert torture.ran == []


@each_way
@pytest.mark.parametrize("misbehaviour", torture.misbehaviours)
@pytest.mark.parametrize("base", [str, list, dict, int, tuple])
@pytest.mark.parametrize("dunder", ["__len__", "__iter__", "__bool__", "__str__"])
def test_a_hostile_child_of_a_built_in_class_anywhere(
    guard: Guard, sink: Sink, way: str, base: type, dunder: str, misbehaviour: str
) -> None:
    act = torture.misbehaviours[misbehaviour]
    reported(guard, sink, way, lambda: torture.with_value(dunder, act, base))
    assert torture.ran == []


@each_way
@pytest.mark.parametrize("misbehaviour", torture.misbehaviours)
@pytest.mark.parametrize("dunder", torture.dunders)
def test_a_hostile_exception(guard: Guard, sink: Sink, way: str, dunder: str, misbehaviour: str) -> None:
    act = torture.misbehaviours[misbehaviour]
    event = reported(guard, sink, way, lambda: torture.with_exception(dunder, act))
    assert event.exceptions[-1].type == "HostileError"
    assert event.exceptions[-1].value == "an argument"
    assert torture.ran == [] or dunder == "__str__"


@each_way
@pytest.mark.parametrize("case", torture.cases)
def test_the_row(guard: Guard, sink: Sink, way: str, case: str) -> None:
    event = reported(guard, sink, way, torture.cases[case])
    assert event.exceptions
    assert any(item.frames for item in event.exceptions) or "traceback" in case
    assert torture.ran == []


@each_way
def test_the_same_instance_raised_again_is_another_failure(guard: Guard, sink: Sink, way: str) -> None:
    first = reported(guard, sink, way, torture.an_instance_that_is_shared)
    second = reported(guard, sink, way, torture.an_instance_that_is_shared)
    assert first.event_id != second.event_id


@each_way
def test_an_instance_shared_by_threads_is_reported_by_each(guard: Guard, sink: Sink, way: str) -> None:
    found: list[str] = []

    def fail() -> None:
        found.append(reported(guard, sink, way, torture.an_instance_that_is_shared).event_id)

    threads = [threading.Thread(target=fail) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(hangs_after_s)
    assert len(set(found)) == len(found) == 8


@each_way
def test_source_that_is_deleted_or_changed_after_the_import_is_not_shown(
    guard: Guard, sink: Sink, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)  # what was imported is told by the compiled file alone
    monkeypatch.setattr(sys, "pycache_prefix", None)
    for name, change in (("deleted", Path.unlink), ("changed", lambda path: path.write_text("# other\n" * 10))):
        module = f"torture_{way}_{name}"
        path = tmp_path / f"{module}.py"
        path.write_text("def fail():\n    return 1 / 0\n")
        fail = __import__(module).fail
        change(path)
        os.utime(path, (time.time() + 60, time.time() + 60)) if path.exists() else None
        frame = reported(guard, sink, way, fail).exceptions[-1].frames[-1]
        assert (frame.function, frame.lineno, "other" in frame.context_line) == ("fail", 2, False)
        sys.modules.pop(module)


@each_way
def test_an_expired_row_of_sqlalchemy_causes_no_query(guard: Guard, sink: Sink, way: str) -> None:
    import sqlalchemy
    from sqlalchemy import orm

    class Base(orm.DeclarativeBase):
        pass

    class User(Base):
        __tablename__ = f"users_{way}"
        id = orm.mapped_column(sqlalchemy.Integer, primary_key=True)
        name = orm.mapped_column(sqlalchemy.String)

    engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.StaticPool)
    Base.metadata.create_all(engine)
    statements: list[str] = []
    with orm.Session(engine) as session:
        user = User(id=1, name="ann")
        session.add(user)
        session.commit()
        sqlalchemy.event.listen(engine, "before_cursor_execute", lambda *a: statements.append(a[2]))

        def fail() -> None:
            row, query = user, session.query(User)
            raise LookupError(row, query)

        reported(guard, sink, way, fail)
    assert statements == []
