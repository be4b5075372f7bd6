"""Scenarios written after the rules and measured before any rule was changed for them."""

from __future__ import annotations

import asyncio
import base64
import collections
import contextlib
import csv
import datetime
import email.message
import hashlib
import io
import json
import logging
import os
import queue
import re
import shutil
import sqlite3
import statistics
import string
import struct
import subprocess
import threading
import time
import uuid
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import httpx
import jinja2
import pydantic
import requests
import sqlalchemy
import yaml  # type: ignore[import-untyped]
from tests.scenarios.scenario import Skip, scenario
from tests.scenarios.servers import postgres, upstream
from tests.scenarios.stage import Stage

from fivehundred.demo.ports import free_port


@scenario("o-01 CSV column renamed by a supplier", "bug", "no", "KeyError", "misconfiguration", "database")
def _(stage: Stage) -> None:
    def import_prices(request: Any) -> Any:
        rows = csv.DictReader(io.StringIO(request.get_data(as_text=True)))
        return {"sum": sum(float(row["unit_price"]) for row in rows)}

    stage.post(import_prices, data="name,price\nbook,12\n", headers={"Content-Type": "text/csv"})


@scenario("o-02 naive and aware times", "bug", "no", "TypeError|naive", "misconfiguration")
def _(stage: Stage) -> None:
    def age(request: Any) -> Any:
        created = datetime.datetime(2026, 1, 1)
        return {"age": (datetime.datetime.now(datetime.UTC) - created).days}

    stage.get(age)


@scenario("o-03 statistics of nothing", "bug", "no", "StatisticsError|mean", "overload", "database")
def _(stage: Stage) -> None:
    def mean(request: Any) -> Any:
        return {"mean": statistics.mean([])}

    stage.get(mean)


@scenario("o-04 UUID of a client is none", "bug", "no", "badly formed|UUID|ValueError", "security", "misconfiguration")
def _(stage: Stage) -> None:
    def order(request: Any) -> Any:
        return {"id": str(uuid.UUID(request.args["id"]))}

    stage.get(order, "id=12345")


@scenario("o-05 broken base64", "bug", "no", "padding|base64|Error", "security", "misconfiguration")
def _(stage: Stage) -> None:
    def cursor(request: Any) -> Any:
        return json.loads(base64.b64decode(request.args["cursor"]))

    stage.get(cursor, "cursor=abcde")


@scenario("o-06 upload that is no zip file", "bug", "no", "BadZipFile|zip", "security", "misconfiguration", "database")
def _(stage: Stage) -> None:
    def unpack(request: Any) -> Any:
        with zipfile.ZipFile(io.BytesIO(request.get_data())) as archive:
            return {"names": archive.namelist()}

    stage.post(unpack, data=b"%PDF-1.4 nothing", headers={"Content-Type": "application/zip"})


@scenario("o-07 short binary message", "bug", "no", "struct|unpack|error", "security", "overload")
def _(stage: Stage) -> None:
    def measure(request: Any) -> Any:
        return {"value": struct.unpack("!Id", request.get_data())}

    stage.post(measure, data=b"\x00\x01", headers={"Content-Type": "application/octet-stream"})


@scenario("o-08 pydantic model from own data", "bug", "no", "ValidationError", "security", "misconfiguration")
def _(stage: Stage) -> None:
    class Item(pydantic.BaseModel):
        price: int

    def item(request: Any) -> Any:
        return Item(price="a lot").model_dump()  # type: ignore[arg-type]

    stage.get(item)


@scenario("o-09 executor after shutdown", "bug", "no", "RuntimeError|shutdown", "overload", "database")
def _(stage: Stage) -> None:
    pool = ThreadPoolExecutor(1)
    pool.shutdown()

    def thumbnails(request: Any) -> Any:
        return {"n": pool.submit(len, "abc").result()}

    stage.get(thumbnails)


@scenario("o-10 frozen dataclass or tuple changed", "bug", "no", "tuple|TypeError")
def _(stage: Stage) -> None:
    def rename(request: Any) -> Any:
        row: Any = ("book", 12)
        row[0] = "pen"
        return {"row": row}

    stage.get(rename)


@scenario("o-11 template variable format", "bug", "no", "KeyError", "security", "misconfiguration")
def _(stage: Stage) -> None:
    def mail(request: Any) -> Any:
        return {"text": string.Template("Hello $name, your $order").substitute(name="A")}

    stage.get(mail)


@scenario("o-12 regular expression of our own is broken", "bug", "no", "error|PatternError|parenthesis", "security")
def _(stage: Stage) -> None:
    def search(request: Any) -> Any:
        return {"hit": bool(re.search("(unbalanced", request.args["q"]))}

    stage.get(search, "q=hello")


@scenario(
    "o-13 a client's text as a regular expression",
    "bug",
    "no",
    "error|PatternError|repeat",
    "misconfiguration",
    "overload",
)
def _(stage: Stage) -> None:
    def search(request: Any) -> Any:
        return {"hit": bool(re.search(request.args["q"], "catalogue of books"))}

    stage.get(search, "q=" + quote("*books"))


@scenario("o-14 missing binary of the system", "misconfiguration", "no", "ENOENT|ffmpeg", "bug", "security")
def _(stage: Stage) -> None:
    def convert(request: Any) -> Any:
        subprocess.run(["ffmpeg-not-installed", "-i", "in.mp4"], check=True)
        return {}

    stage.get(convert)


@scenario("o-15 hash algorithm that is not there", "bug", "no", "unsupported hash|ValueError", "security")
def _(stage: Stage) -> None:
    def digest(request: Any) -> Any:
        return {"digest": hashlib.new("sha-257", b"x").hexdigest()}

    stage.get(digest)


@scenario("o-16 port number of the environment is empty", "misconfiguration", "no", "SMTP_PORT", "bug")
def _(stage: Stage) -> None:
    os.environ["SMTP_PORT"] = ""

    def send(request: Any) -> Any:
        host = os.environ.get("SMTP_HOST", "localhost")
        port = int(os.environ.get("SMTP_PORT", "25"))
        return {"to": f"{host}:{port}"}

    stage.post(send, {})


@scenario("o-17 environment read through getenv and split", "misconfiguration", "no", "ALLOWED_CURRENCIES", "bug")
def _(stage: Stage) -> None:
    def currencies(request: Any) -> Any:
        allowed = os.getenv("ALLOWED_CURRENCIES")
        return {"allowed": allowed.split(",")}  # type: ignore[union-attr]

    stage.get(currencies)


@scenario("o-18 SMTP server is not there", "overload", "clears", "ECONNREFUSED", "bug", "database")
def _(stage: Stage) -> None:
    import smtplib

    port = free_port()

    def invite(request: Any) -> Any:
        with smtplib.SMTP("127.0.0.1", port, timeout=1) as smtp:
            smtp.send_message(email.message.EmailMessage())
        return {}

    stage.post(invite, {})


@scenario("o-19 upstream answers 500", "overload", "yes", "500", "bug", "misconfiguration")
def _(stage: Stage) -> None:
    port = stage.exits.enter_context(upstream(lambda path: (500, "text/plain", b"oops")))

    def rates(request: Any) -> Any:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            return client.get("/rates").raise_for_status().json()

    stage.get(rates)


@scenario("o-20 upstream answers an empty body", "bug", "no", "JSON|answer", "overload", "misconfiguration")
def _(stage: Stage) -> None:
    port = stage.exits.enter_context(upstream(lambda path: (200, "application/json", b"")))

    def rates(request: Any) -> Any:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            return client.get("/rates").json()

    stage.get(rates)


@scenario("o-21 upstream renamed a list's member", "bug", "no", "IndexError|KeyError|answer", "overload")
def _(stage: Stage) -> None:
    port = stage.exits.enter_context(upstream(lambda path: (200, "application/json", b'{"results": []}')))

    def geocode(request: Any) -> Any:
        found = requests.get(f"http://127.0.0.1:{port}/geo", timeout=2).json()
        return {"lat": found["results"][0]["lat"]}

    stage.get(geocode)


@scenario(
    "o-22 asyncio deadline around an upstream",
    "overload",
    "clears",
    "imeout|deadline|time|processor",
    "bug",
    "misconfiguration",
)
def _(stage: Stage) -> None:
    async def slow_supplier() -> int:
        await asyncio.sleep(5)
        return 1

    async def quote_price(request: Any) -> Any:
        return {"price": await asyncio.wait_for(slow_supplier(), 0.2)}

    stage.get(quote_price)


@scenario("o-23 future that is late", "overload", "clears", "imeout|deadline|time|processor", "bug", "misconfiguration")
def _(stage: Stage) -> None:
    pool = ThreadPoolExecutor(1)
    pool.submit(time.sleep, 0.8)

    def thumbnail(request: Any) -> Any:
        return {"n": pool.submit(len, "abc").result(timeout=0.2)}

    stage.get(thumbnail)


@scenario("o-24 work queue is full", "overload", "clears", "Full|full", "bug", "misconfiguration")
def _(stage: Stage) -> None:
    jobs: queue.Queue[int] = queue.Queue(maxsize=1)
    jobs.put(1)

    def enqueue(request: Any) -> Any:
        jobs.put_nowait(2)
        return {}

    stage.post(enqueue, {})


@scenario("o-25 SQLite column missing", "database", "no", "discount", "bug", "security")
def _(stage: Stage) -> None:
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.execute("CREATE TABLE items (name TEXT)")

    def items(request: Any) -> Any:
        return connection.execute("SELECT name, discount FROM items").fetchall()

    stage.get(items)


@scenario("o-26 SQLite not null", "bug", "no", "NOT NULL|NOTNULL|items.name", "database", "security")
def _(stage: Stage) -> None:
    engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.StaticPool)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE items (name TEXT NOT NULL)"))

    def add(request: Any) -> Any:
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("INSERT INTO items VALUES (:n)"), {"n": request.get_json().get("nme")})
        return {}

    stage.post(add, {"name": "book"})


@scenario("o-27 SQLite parameters in the wrong number", "bug", "no", "binding|ProgrammingError", "database", "security")
def _(stage: Stage) -> None:
    def add(request: Any) -> Any:
        return sqlite3.connect(":memory:").execute("SELECT ?, ?", (1,)).fetchall()

    stage.get(add)


@scenario("o-28 ORM row not found", "bug", "no", "NoResultFound", "database", "security")
def _(stage: Stage) -> None:
    engine = sqlalchemy.create_engine("sqlite://")

    def item(request: Any) -> Any:
        with engine.connect() as connection:
            return {"n": connection.execute(sqlalchemy.text("SELECT 1 WHERE 1 = 0")).one()[0]}

    stage.get(item)


@scenario("o-29 PostgreSQL function with a wrong type", "bug", "no", "42883", "database", "security", needs="pg")
def _(stage: Stage) -> None:
    import psycopg

    server = postgres()

    def items(request: Any) -> Any:
        with psycopg.connect(server.dsn()) as connection:
            return connection.execute("SELECT * FROM items WHERE name = 5 + id").fetchall()

    stage.get(items)


@scenario("o-30 PostgreSQL idle transaction ended", "bug", "clears", "25P03|idle", "misconfiguration", needs="pg")
def _(stage: Stage) -> None:
    import psycopg

    server = postgres()

    def checkout(request: Any) -> Any:
        with psycopg.connect(server.dsn()) as connection:
            connection.execute("SET idle_in_transaction_session_timeout = '100ms'")
            connection.execute("SELECT 1")
            time.sleep(0.4)
            return connection.execute("SELECT 2").fetchall()

    stage.get(checkout)


@scenario("o-31 PostgreSQL check constraint", "bug", "no", "23514", "database", "security", needs="pg")
def _(stage: Stage) -> None:
    import psycopg

    server = postgres()
    server.sql("CREATE TABLE IF NOT EXISTS stock (n int CHECK (n >= 0))", "GRANT ALL ON stock TO shop")

    def take(request: Any) -> Any:
        with psycopg.connect(server.dsn()) as connection:
            connection.execute("INSERT INTO stock VALUES (-1)")
        return {}

    stage.post(take, {})


@scenario(
    "o-32 PostgreSQL role not there", "misconfiguration", "no", "28000|role", "bug", "database.refused", needs="pg"
)
def _(stage: Stage) -> None:
    server = postgres()

    def items(request: Any) -> Any:
        with sqlalchemy.create_engine(server.url(user="shop_ro")).connect() as connection:
            return {"n": connection.execute(sqlalchemy.text("SELECT 1")).scalar()}

    stage.get(items)


@scenario(
    "o-33 injection into LIKE with percent formatting", "security", "no", "stands in", "bug", "database", needs="pg"
)
def _(stage: Stage) -> None:
    import psycopg

    server = postgres()

    def search(request: Any) -> Any:
        sql = "SELECT id FROM items WHERE name LIKE '%%%s%%'" % request.args["q"]  # noqa: UP031  # the fault itself
        with psycopg.connect(server.dsn()) as connection:
            return connection.execute(sql.encode()).fetchall()

    stage.get(search, "q=" + quote("x'; SELECT pg_sleep(1"))


@scenario("o-34 injection into a JSON API's id", "security", "no", "stands in", "bug", "database")
def _(stage: Stage) -> None:
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.execute("CREATE TABLE items (id INTEGER, name TEXT)")

    def delete(request: Any) -> Any:
        number = request.get_json()["id"]
        connection.execute(f"DELETE FROM items WHERE id = {number}")
        return {}

    stage.post(delete, {"id": "1 UNION SELECT password FROM accounts--"})


@scenario("o-35 a name with an apostrophe breaks string-built SQL", "security", "no", "stands in", "bug", "database")
def _(stage: Stage) -> None:
    engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.StaticPool)

    def customer(request: Any) -> Any:
        name = request.args.get("name")
        with engine.connect() as connection:
            return {"n": connection.execute(sqlalchemy.text(f"SELECT 1 WHERE 'x' = '{name}'")).scalar()}

    stage.get(customer, "name=" + quote("D'Arcy"))


@scenario("o-36 path traversal in an archive name", "security", "no", r"\.\./|path", "bug", "misconfiguration")
def _(stage: Stage) -> None:
    def attachment(request: Any) -> Any:
        with open(os.path.join("/srv/attachments", request.get_json()["file"]), "rb") as file:
            return {"bytes": len(file.read())}

    stage.post(attachment, {"file": "../../../root/.ssh/no_such_key"})


@scenario("o-37 NUL in a file name", "security", "no", "null|path", "misconfiguration", "database")
def _(stage: Stage) -> None:
    def page(request: Any) -> Any:
        with open("/srv/pages/" + request.args["name"] + ".html") as file:
            return {"html": file.read()}

    stage.get(page, "name=" + quote("../../etc/passwd\0"))


@scenario("o-38 line end in a header", "security", "no", "line end|header|newline", "misconfiguration")
def _(stage: Stage) -> None:
    def subscribe(request: Any) -> Any:
        message = email.message.EmailMessage()
        message["Subject"] = "Hello " + request.get_json()["name"]
        return {"mail": message.as_string()}

    stage.post(subscribe, {"name": "Eve\r\nBcc: all@example.com"})


@scenario("o-39 template injection through a subject line", "security", "no", "template", "bug")
def _(stage: Stage) -> None:
    def preview(request: Any) -> Any:
        subject = request.get_json()["subject"]
        template = jinja2.Template("Re: " + subject)
        return {"subject": template.render()}

    stage.post(preview, {"subject": "{{ ''.__class__.__mro__[1].no_such() }}"})


@scenario("o-40 YAML bomb refused by depth", "security", "no", "python/|tag", "misconfiguration", "bug")
def _(stage: Stage) -> None:
    def pipeline(request: Any) -> Any:
        return yaml.load(request.get_data(), Loader=yaml.SafeLoader)

    stage.post(pipeline, data="run: !!python/name:os.system", headers={"Content-Type": "application/yaml"})


@scenario("o-41 marks of an attack in a harmless failure", "bug", "no", "ValueError|int", "security")
def _(stage: Stage) -> None:
    def items(request: Any) -> Any:
        per_page = int(request.args["per_page"])
        return {"n": per_page, "q": request.args["q"]}

    stage.get(items, "per_page=ten&q=" + quote("<script>alert(1)</script>' OR 1=1"))


@scenario(
    "o-42 disk of the spool folder without inodes",
    "overload",
    "clears",
    "ENOSPC|inode",
    "misconfiguration",
    "bug",
    needs="root",
)
def _(stage: Stage) -> None:
    disk = stage.folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "nr_inodes=5", "none", str(disk)], check=False)
    if mounted.returncode:
        raise Skip("no right to mount a tmpfs")
    stage.exits.callback(subprocess.run, ["umount", "-l", str(disk)], check=False)

    def cache_pages(request: Any) -> Any:
        for number in range(10):
            (disk / f"page-{number}").write_text("x")
        return {}

    stage.get(cache_pages)


@scenario("o-43 file system full in shutil", "overload", "clears", "ENOSPC", "misconfiguration", "bug", needs="root")
def _(stage: Stage) -> None:
    disk = stage.folder / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", str(disk)], check=False).returncode:
        raise Skip("no right to mount a tmpfs")
    stage.exits.callback(subprocess.run, ["umount", "-l", str(disk)], check=False)
    big = stage.folder / "big"
    big.write_bytes(bytes(1 << 20))

    def archive(request: Any) -> Any:
        shutil.copy(big, disk / "copy")
        return {}

    stage.get(archive)


@scenario(
    "o-44 missing static data file of the package", "misconfiguration", "no", "ENOENT|countries", "bug", "security"
)
def _(stage: Stage) -> None:
    def countries(request: Any) -> Any:
        with open(stage.folder / "data" / "countries.json") as file:
            return json.load(file)

    stage.get(countries)


@scenario("o-45 two event loops", "bug", "yes", "loop", "overload", "misconfiguration")
def _(stage: Stage) -> None:
    first = asyncio.new_event_loop()
    lock = asyncio.Event()
    waiting = first.create_task(lock.wait())
    first.run_until_complete(asyncio.sleep(0.01))

    async def wait(request: Any) -> Any:
        await asyncio.wait_for(lock.wait(), 1)
        return {}

    stage.get(wait)
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        first.run_until_complete(waiting)
    first.close()


@scenario("o-46 logging set up twice with a bad format", "bug", "no", "ValueError|format", "security")
def _(stage: Stage) -> None:
    def setup(request: Any) -> Any:
        logging.Formatter("{asctime", style="{")
        return {}

    stage.get(setup)


@scenario("o-47 deque changed while iterated", "bug", "yes", "mutated", "overload", "database")
def _(stage: Stage) -> None:
    recent = collections.deque([1, 2, 3])

    def drain(request: Any) -> Any:
        for one in recent:
            recent.append(one)
        return {}

    stage.get(drain)


@scenario("o-48 lock never released by an earlier failure", "bug", "clears", "lock", "overload")
def _(stage: Stage) -> None:
    inventory_lock = threading.Lock()
    inventory_lock.acquire()

    def count(request: Any) -> Any:
        if not inventory_lock.acquire(timeout=0.1):
            raise RuntimeError("inventory is locked for too long, timeout")
        return {}

    stage.get(count)
