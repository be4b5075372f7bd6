"""``fivehundred demo``: a newcomer's first minute. A Console, a small failing API behind the Guard, and a client.

All are real processes, and so is the database. Ctrl-C ends them in order and deletes what they stored.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from fivehundred.demo import children
from fivehundred.demo.database import Database, DatabaseError, create
from fivehundred.demo.ports import free_port

ready_s_max = 30.0
seen_s_max = 10.0  # an event that is not visible by then counts as lost; it usually takes a fifth of a second
buttons = ("bug", "misconfiguration", "overload", "database", "security", "data", "exchange-rates")


@dataclass(frozen=True, slots=True)
class Running:
    console: str
    dsn: str
    api: str
    page: str
    database: Database


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--port", type=int, default=5500, help="of the Console (default 5500; another when it is taken)"
    )
    parser.add_argument("--database", metavar="URL", help="your own database, as SQLAlchemy writes it (left running)")
    parser.add_argument("--data", metavar="DIR", help="keep what the Console stores in this folder")
    parser.add_argument("--disclose", action="store_true", help="let the API say the cause: Failed to connect to ...")
    parser.add_argument("--once", action="store_true", help="press every button once, print the verdicts, and end")


def main(args: argparse.Namespace) -> int:
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell starts what runs in the background with SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    try:
        with _running(args) as running:
            return _once(running) if args.once else _until_stopped(running)
    except (DatabaseError, children.ChildError) as error:
        print(f"fivehundred demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


@contextmanager
def _running(args: argparse.Namespace) -> Iterator[Running]:
    """Everything started, in order; ended in the opposite one."""
    show = _show if not args.once else _show_nothing
    with ExitStack() as ending:
        _say("database", "starting ...")
        database = create(args.database)
        ending.callback(database.remove)
        database.start()
        _say("database", _database_line(database))
        folder = args.data or tempfile.mkdtemp(prefix="fivehundred-demo-")
        if not args.data:
            ending.callback(shutil.rmtree, folder, ignore_errors=True)
        console, dsn = _start_console(args.port, folder, show, ending)
        api = _start_api(dsn, database, folder, args.disclose, show, ending)
        page = _start_caller(console, api, database, show, ending)
        try:
            yield Running(console, dsn, api, page, database)
        finally:
            print("\nstopping ...", flush=True)


def _start_console(port: int, folder: str, show: children.Show, ending: ExitStack) -> tuple[str, str]:
    command = [
        sys.executable,
        "-m",
        "fivehundred",
        "console",
        "--data",
        folder,
        "--json",
        "--port",
        str(free_port(port)),
    ]
    announced: list[dict[str, str]] = []

    def first_line(name: str, line: str) -> None:
        if not announced and line.startswith("{"):
            announced.append(json.loads(line))
        else:
            show(name, line)

    child = children.start("console", command, {}, first_line)
    ending.callback(child.end)
    child.wait_until(lambda: bool(announced) and _answers(announced[0]["url"] + "/healthz"), ready_s_max)
    _say("console", announced[0]["url"])
    return announced[0]["url"], announced[0]["dsn"]


def _start_api(
    dsn: str, database: Database, folder: str, disclose: bool, show: children.Show, ending: ExitStack
) -> str:
    url = f"http://127.0.0.1:{free_port(5501)}"
    environment = {
        "DATABASE_URL": database.url,
        "FIVEHUNDRED_DSN": dsn,
        "FIVEHUNDRED_SPOOL": str(Path(folder, "guard")),
        "PORT": url.rpartition(":")[2],
        "DISCLOSE": "cause" if disclose else "nothing",
    }
    # run from a copy, as an application of one's own would be: inside our package its frames would be a library's
    source = Path(folder, "api.py")
    source.write_text(resources.files("fivehundred.demo").joinpath("api.py").read_text("utf-8"), "utf-8")
    child = children.start("api", [sys.executable, str(source)], environment, show)
    ending.callback(child.end)
    child.wait_until(lambda: _answers(url + "/"), ready_s_max)
    _say("api", url)
    return url


def _start_caller(console: str, api: str, database: Database, show: children.Show, ending: ExitStack) -> str:
    url = f"http://127.0.0.1:{free_port(5502)}"
    environment = {
        "DEMO_API": api,
        "DEMO_CONSOLE": console,
        "DEMO_DATABASE": database.to_text(),
        "PORT": url.rpartition(":")[2],
    }
    child = children.start("client", [sys.executable, "-m", "fivehundred.demo.caller"], environment, show)
    ending.callback(child.end)
    child.wait_until(lambda: _answers(url + "/"), ready_s_max)
    _say("client", f"{url}   open this one, and press a button")
    return url


# ---- until Ctrl-C ---------------------------------------------------------------------------------


def _until_stopped(running: Running) -> int:
    print(f"\n  or type: curl -i {running.api}/cause-error\n  Ctrl-C ends everything.\n", flush=True)
    threading.Event().wait()
    return 0


# ---- once -----------------------------------------------------------------------------------------


def _once(running: Running) -> int:
    """Presses every button, waits for the Console, prints the verdicts; 1 when a cause is missing."""
    for name in buttons:
        _press(running.page, name)
    expected = {"bug", "misconfiguration", "overload", "security"}
    if running.database.kind == "postgresql":  # a missing SQLite file is a matter of configuration, and is called so
        expected.add("database")
    faults = _wait_for(lambda: _faults(running.console), lambda found: expected <= {str(x["cause"]) for x in found})
    for fault in faults:
        print(f"\n  {fault['cause']:16} {fault['method']} {fault['route']} -> {fault['status']}\n  {fault['sentence']}")
    missing = expected - {str(fault["cause"]) for fault in faults}
    if missing:
        print(f"\nfivehundred demo: no fault with the cause {', '.join(sorted(missing))}", file=sys.stderr)
    return 1 if missing else 0


def _press(page: str, name: str) -> None:
    request = urllib.request.Request(f"{page}/press/{name}", data=b"", method="POST")
    with urllib.request.urlopen(request, timeout=30):
        pass


def _faults(console: str) -> list[dict[str, object]]:
    with urllib.request.urlopen(f"{console}/api/v1/faults?limit=50", timeout=10) as answer:
        found: list[dict[str, object]] = json.load(answer)["faults"]
    return found


def _wait_for(
    read: Callable[[], list[dict[str, object]]], enough: Callable[[list[dict[str, object]]], bool]
) -> list[dict[str, object]]:
    pause = threading.Event()
    for _ in range(int(seen_s_max / 0.1)):
        found = read()
        if enough(found):
            return found
        pause.wait(0.1)
    return read()


# ---- the terminal ---------------------------------------------------------------------------------


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False


def _database_line(database: Database) -> str:
    kinds = {
        "postgresql": f"PostgreSQL on 127.0.0.1:{database.port}, in a temporary folder",
        "sqlite": "an SQLite file in a temporary folder (install fivehundred[demo] for PostgreSQL)",
        "given": "yours; the demo cannot stop it, so stop it yourself before you press that button",
    }
    return kinds[database.kind]


def _say(name: str, text: str) -> None:
    print(f"  {name:{children.name_chars}}  {text}", flush=True)


def _show(name: str, line: str) -> None:
    color = {"console": "36", "api": "33", "client": "32"}[name]
    label = f"{name:{children.name_chars}}|"
    print(f"\x1b[{color}m{label}\x1b[0m {line}" if sys.stdout.isatty() else f"{label} {line}", flush=True)


def _show_nothing(name: str, line: str) -> None:
    """With ``--once`` only the verdicts are printed."""
