"""What stands around right code: environment, packages, files, rights, settings, locale; and SQLite's file."""

from __future__ import annotations

import configparser
import ctypes
import json
import locale
import os
import sqlite3
import subprocess
import sys
import tomllib
import zoneinfo
from typing import Any
from unittest import mock

import jinja2
import sqlalchemy
import yaml  # type: ignore[import-untyped]
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from tests.scenarios.scenario import Skip, scenario
from tests.scenarios.stage import Stage


@scenario("mc-001 environment variable missing", "misconfiguration", "no", "SHOP_SECRET", "bug")
def _(stage: Stage) -> None:
    def sign(request: Any) -> Any:
        return {"key": os.environ["SHOP_SECRET"][:2]}

    stage.get(sign)


@scenario("mc-001b environment variable missing, read as None", "misconfiguration", "no", "SHOP_REGION", "bug")
def _(stage: Stage) -> None:
    def region(request: Any) -> Any:
        return {"region": os.environ.get("SHOP_REGION").lower()}  # type: ignore[union-attr]

    stage.get(region)


@scenario("x-keyerror a key in capitals that is no variable", "bug", "no", "KeyError", "misconfiguration")
def _(stage: Stage) -> None:
    settings = {"TIMEOUT": 5}

    def show(request: Any) -> Any:
        return {"host": settings["DATABASE_HOST"]}

    stage.get(show)


@scenario("mc-002 environment variable malformed", "misconfiguration", "no", "SHOP_PORT", "bug")
def _(stage: Stage) -> None:
    os.environ["SHOP_PORT"] = "80a"

    def connect(request: Any) -> Any:
        port = int(os.environ["SHOP_PORT"])
        return {"port": port}

    stage.get(connect)


@scenario("mc-002b environment variable malformed, read above", "misconfiguration", "no", "SHOP_LIMITS", "bug")
def _(stage: Stage) -> None:
    os.environ["SHOP_LIMITS"] = "{max: 5}"

    def limits(request: Any) -> Any:
        raw = os.environ.get("SHOP_LIMITS", "{}")
        return json.loads(raw)

    stage.get(limits)


@scenario("mc-003 package missing", "misconfiguration", "no", "no_such_package_y|No module", "bug")
def _(stage: Stage) -> None:
    def export(request: Any) -> Any:
        import no_such_package_y  # type: ignore[import-not-found]

        return {"x": no_such_package_y.x}

    stage.get(export)


@scenario("mc-004 a package without the name that is wanted", "misconfiguration", "no", "cannot import|has no", "bug")
def _(stage: Stage) -> None:
    def export(request: Any) -> Any:
        from yaml import fast_dump

        return {"x": fast_dump(1)}

    stage.get(export)


@scenario("mc-005 shared library missing", "misconfiguration", "no", "libnosuch", "bug")
def _(stage: Stage) -> None:
    def render(request: Any) -> Any:
        library = ctypes.CDLL("libnosuch.so.4")
        return {"x": library.x()}

    stage.get(render)


@scenario("mc-006 folder not writable", "misconfiguration", "no", "EROFS", "bug", needs="root")
def _(stage: Stage) -> None:
    folder = stage.folder / "uploads"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", str(folder)], check=False).returncode:
        raise Skip("no right to mount a tmpfs")
    stage.exits.callback(subprocess.run, ["umount", "-l", str(folder)], check=False)

    def upload(request: Any) -> Any:
        with open(f"{folder}/upload.txt", "w") as file:
            file.write("x")
        return {}

    stage.get(upload)


@scenario(
    "mc-007 file that the code expects is missing", "misconfiguration", "no", "ENOENT|price-list", "bug", "security"
)
def _(stage: Stage) -> None:
    def prices(request: Any) -> Any:
        with open("/srv/shop/price-list.csv") as file:
            return {"lines": len(file.readlines())}

    stage.get(prices)


@scenario("mc-008 template not shipped", "misconfiguration", "no", "invoice.html", "bug")
def _(stage: Stage) -> None:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(stage.folder))

    def invoice(request: Any) -> Any:
        return {"html": environment.get_template("invoice.html").render()}

    stage.get(invoice)


@scenario("mc-020 configuration file broken, TOML", "misconfiguration", "no", "TOML|line 2", "bug", "security")
def _(stage: Stage) -> None:
    path = stage.folder / "settings.toml"
    path.write_text('name = "shop"\nport = = 5\n')

    def settings(request: Any) -> Any:
        with open(path, "rb") as file:
            return tomllib.load(file)

    stage.get(settings)


@scenario("mc-020b configuration file broken, YAML", "misconfiguration", "no", "settings.yaml|yaml", "bug", "security")
def _(stage: Stage) -> None:
    path = stage.folder / "settings.yaml"
    path.write_text("name: shop\n\tport: 5\n")

    def settings(request: Any) -> Any:
        with open(path) as config_file:
            return yaml.safe_load(config_file)

    stage.get(settings)


@scenario("mc-020c configuration file broken, JSON", "misconfiguration", "no", "configuration file", "bug", "security")
def _(stage: Stage) -> None:
    path = stage.folder / "config.json"
    path.write_text('{"name": "shop",}')

    def settings(request: Any) -> Any:
        with open(path) as config_file:
            return json.load(config_file)

    stage.get(settings)


@scenario("mc-020d configuration file broken, INI", "misconfiguration", "no", "shop.ini|MissingSectionHeader", "bug")
def _(stage: Stage) -> None:
    path = stage.folder / "shop.ini"
    path.write_text("port = 5\n")

    def settings(request: Any) -> Any:
        parser = configparser.ConfigParser()
        parser.read(path)
        return {"sections": parser.sections()}

    stage.get(settings)


@scenario("mc-021 time zone data missing", "misconfiguration", "no", "ZoneInfoNotFoundError", "bug")
def _(stage: Stage) -> None:
    def local_time(request: Any) -> Any:
        return {"zone": str(zoneinfo.ZoneInfo("Europe/Oslo"))}

    zoneinfo.ZoneInfo.clear_cache()
    zoneinfo.reset_tzpath([str(stage.folder)])
    try:
        with mock.patch.dict(sys.modules, {"tzdata": None}):
            stage.get(local_time)
    finally:
        zoneinfo.reset_tzpath()


@scenario("x-zone a zone name of a client that does not exist", "bug", "no", "Mars", "misconfiguration")
def _(stage: Stage) -> None:
    def local_time(request: Any) -> Any:
        return {"zone": str(zoneinfo.ZoneInfo(request.args["zone"]))}

    stage.get(local_time, "zone=Mars/Phobos")


@scenario("mc-022 locale is ASCII", "misconfiguration", "no", "ascii", "bug", "security")
def _(stage: Stage) -> None:
    path = stage.folder / "names.txt"
    path.write_text("Zoë", encoding="utf-8")

    def names(request: Any) -> Any:
        with open(path) as file:
            return {"names": file.read()}

    before = locale.getpreferredencoding
    locale.getpreferredencoding = lambda do_setlocale=True: "ascii"  # as in a process started with LC_ALL=C
    try:
        if _ascii_open(path):
            stage.get(names)
        else:
            _in_ascii_locale(stage, names, path)
    finally:
        locale.getpreferredencoding = before


def _ascii_open(path: Any) -> bool:
    with open(path) as file:
        return file.encoding.lower() in ("ascii", "ansi_x3.4-1968")


def _in_ascii_locale(stage: Stage, view: Any, path: Any) -> None:
    raise Skip("this Python takes UTF-8 whatever the locale says; played by mc-022b")


@scenario("mc-022b locale is ASCII, in a process of its own", "misconfiguration", "no", "ascii", "bug", alone=True)
def _(stage: Stage) -> None:
    path = stage.folder / "names.txt"
    path.write_text("Zoë", encoding="utf-8")
    if not _ascii_open(path):
        environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
        if environment.get("SCENARIO_AGAIN"):
            raise Skip("the locale C is UTF-8 here")
        os.execve(sys.executable, [sys.executable, "-m", "tests.scenarios.run", *sys.argv[1:]],
                  {**environment, "SCENARIO_AGAIN": "1"})  # fmt: skip

    def names(request: Any) -> Any:
        with open(path) as file:
            return {"names": file.read()}

    stage.get(names)


@scenario("mc-023 malformed database URL", "misconfiguration", "no", "parse|URL", "bug", "database")
def _(stage: Stage) -> None:
    def users(request: Any) -> Any:
        engine = sqlalchemy.create_engine("localhost:5432/shop")
        return {"dialect": engine.dialect.name}

    stage.get(users)


@scenario(
    "mc-024 SQLite file in a folder that is not there",
    "misconfiguration",
    "no",
    "unable to open|CANTOPEN",
    "bug",
    "database",
)
def _(stage: Stage) -> None:
    path = stage.folder / "not-mounted" / "shop.db"

    def users(request: Any) -> Any:
        return sqlite3.connect(path).execute("SELECT 1").fetchall()

    stage.get(users)


@scenario("mc-026 SQLite file read-only", "misconfiguration", "no", "readonly|READONLY", "bug", "database")
def _(stage: Stage) -> None:
    path = stage.folder / "shop.db"
    sqlite3.connect(path).execute("CREATE TABLE users (name TEXT)").connection.close()

    def add(request: Any) -> Any:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        connection.execute("INSERT INTO users VALUES ('x')")
        return {}

    stage.post(add, {})


@scenario("db-032 SQLite file damaged", "database", "no", "NOTADB|not a database|malformed", "bug", "misconfiguration")
def _(stage: Stage) -> None:
    path = stage.folder / "shop.db"
    path.write_bytes(b"SQLite format 3\0" + b"garbage" * 2_000)

    def users(request: Any) -> Any:
        return sqlite3.connect(path).execute("SELECT * FROM users").fetchall()

    stage.get(users)


@scenario("db-032b SQLite file damaged in the middle", "database", "no", "CORRUPT|malformed", "bug")
def _(stage: Stage) -> None:
    path = stage.folder / "shop.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE users (name TEXT)")
    connection.executemany("INSERT INTO users VALUES (?)", [("x" * 500,)] * 200)
    connection.commit()
    connection.close()
    with open(path, "r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 40_000)

    def users(request: Any) -> Any:
        return {"n": len(sqlite3.connect(path).execute("SELECT * FROM users ORDER BY name").fetchall())}

    stage.get(users)


@scenario("db-040 SQLite table missing", "database", "no", "orders", "bug", "misconfiguration")
def _(stage: Stage) -> None:
    engine = sqlalchemy.create_engine("sqlite://")

    def orders(request: Any) -> Any:
        with engine.connect() as connection:
            return {"n": connection.execute(sqlalchemy.text("SELECT count(*) FROM orders")).scalar()}

    stage.get(orders)


@scenario("db-041 SQLite locked by another writer", "database", "yes", "locked|BUSY", "bug", "overload")
def _(stage: Stage) -> None:
    path = stage.folder / "shop.db"
    writer = sqlite3.connect(path)
    writer.execute("CREATE TABLE users (name TEXT)")
    writer.execute("BEGIN EXCLUSIVE")

    def add(request: Any) -> Any:
        connection = sqlite3.connect(path, timeout=0.1)
        connection.execute("INSERT INTO users VALUES ('x')")
        return {}

    stage.post(add, {})
    writer.rollback()


@scenario("db-042 SQLite unique violation", "bug", "no", "UNIQUE|users.name", "database", "security")
def _(stage: Stage) -> None:
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.execute("CREATE TABLE users (name TEXT UNIQUE)")
    connection.execute("INSERT INTO users VALUES ('Alice')")

    def add(request: Any) -> Any:
        connection.execute("INSERT INTO users VALUES (?)", (request.get_json()["name"],))
        return {}

    stage.post(add, {"name": "Alice"})


@scenario("db-043 SQLite number too large", "bug", "no", "too large|number", "database", "security")
def _(stage: Stage) -> None:
    def item(request: Any) -> Any:
        return sqlite3.connect(":memory:").execute("SELECT ?", (int(request.args["id"]),)).fetchall()

    stage.get(item, "id=99999999999999999999999")


@scenario("db-044 SQLite in another thread", "bug", "no", "thread|ProgrammingError", "database")
def _(stage: Stage) -> None:
    import threading

    found: list[sqlite3.Connection] = []
    maker = threading.Thread(target=lambda: found.append(sqlite3.connect(":memory:")))
    maker.start()
    maker.join()

    def users(request: Any) -> Any:
        return found[0].execute("SELECT 1").fetchall()

    stage.get(users)


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    orders: Mapped[list[Order]] = relationship()


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sqlalchemy.ForeignKey("users.id"))


@scenario("db-029 lazy load after the session closed", "bug", "no", "DetachedInstanceError", "database")
def _(stage: Stage) -> None:
    engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.StaticPool)
    Base.metadata.create_all(engine)

    def user(request: Any) -> Any:
        with Session(engine) as session:
            session.add(User(id=1))
            session.commit()
            found = session.get(User, 1)
        return {"orders": len(found.orders)}  # type: ignore[union-attr]

    stage.get(user)


@scenario("db-004 pool exhausted by two slow requests", "overload", "clears", "pool", "database", "bug")
def _(stage: Stage) -> None:
    engine = sqlalchemy.create_engine(
        f"sqlite:///{stage.folder}/x.db", poolclass=sqlalchemy.QueuePool, pool_size=2, max_overflow=0, pool_timeout=0.2
    )
    stage.watch(engine)

    def report(request: Any) -> Any:
        with engine.connect() as connection:
            return {"n": connection.execute(sqlalchemy.text("SELECT 1")).scalar()}

    with stage.held(engine.connect, 2):
        stage.get(report)


@scenario("mx-001 disk full under SQLite", "overload", "clears", "FULL|full|free", "database", "bug", needs="root")
def _(stage: Stage) -> None:
    disk = stage.folder / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(disk)], check=False).returncode:
        raise Skip("no right to mount a tmpfs")
    stage.exits.callback(subprocess.run, ["umount", "-l", str(disk)], check=False)

    def add(request: Any) -> Any:
        connection = sqlite3.connect(disk / "shop.db", isolation_level=None)
        connection.execute("CREATE TABLE t (x)")
        for _ in range(100):
            connection.execute("INSERT INTO t VALUES (?)", ("x" * 10_000,))
        return {}

    stage.post(add, {})


@scenario("ov-001 disk full under an upload", "overload", "clears", "ENOSPC", "misconfiguration", "bug", needs="root")
def _(stage: Stage) -> None:
    disk = stage.folder / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)], check=False).returncode:
        raise Skip("no right to mount a tmpfs")
    stage.exits.callback(subprocess.run, ["umount", "-l", str(disk)], check=False)

    def upload(request: Any) -> Any:
        (disk / "upload").write_bytes(bytes(1 << 20))
        return {}

    stage.post(upload, {})
