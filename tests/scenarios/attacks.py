"""Hostile requests against code that lets them act, and their harmless twins."""

from __future__ import annotations

import base64
import gzip
import json
import pickle
import re
import signal
import sqlite3
import subprocess
import urllib.request
import xml.etree.ElementTree as tree
from typing import Any
from urllib.parse import quote

import jinja2
import sqlalchemy
import yaml  # type: ignore[import-untyped]
from itsdangerous import URLSafeSerializer
from tests.scenarios.scenario import Skip, scenario
from tests.scenarios.stage import Stage


def shop() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE items (name TEXT, price INTEGER)")
    return connection


@scenario("se-001 SQL injection probe, sqlite3", "security", "no", "stands in the .*statement", "bug", "database")
def _(stage: Stage) -> None:
    def search(request: Any) -> Any:
        term = request.args["q"]
        return shop().execute(f"SELECT price FROM items WHERE name = '{term}'").fetchall()

    stage.get(search, "q=" + quote("' OR 1=1 UNION SELECT --x '"))


@scenario("se-001b SQL injection probe, SQLAlchemy", "security", "no", "stands in the .*statement", "bug", "database")
def _(stage: Stage) -> None:
    engine = sqlalchemy.create_engine("sqlite://")

    def items(request: Any) -> Any:
        with engine.connect() as connection:
            query = "SELECT 1 WHERE 'a' = '" + request.get_json()["name"] + "'"
            return [list(row) for row in connection.exec_driver_sql(query)]

    stage.post(items, {"name": "x'; DROP TABLE users"})


@scenario("se-001c SQL injection in ORDER BY", "security", "no", "stands in the .*statement", "database")
def _(stage: Stage) -> None:
    def items(request: Any) -> Any:
        order = request.args["sort"]
        return shop().execute("SELECT name FROM items ORDER BY " + order).fetchall()

    stage.get(items, "sort=" + quote("price, (select password from accounts)"))


@scenario("db-014 syntax error in the code, a quote elsewhere", "bug", "no", "syntax|near", "security", "database")
def _(stage: Stage) -> None:
    def search(request: Any) -> Any:
        return shop().execute("SELECT price FRM items WHERE name = ?", (request.args["q"],)).fetchall()

    stage.get(search, "q=" + quote("O'Brien"))


@scenario("x-parameter an injection that was passed as a parameter", "bug", "no", "IndexError|beyond", "security")
def _(stage: Stage) -> None:
    def search(request: Any) -> Any:
        rows = shop().execute("SELECT price FROM items WHERE name = ?", (request.args["q"],)).fetchall()
        return {"price": rows[0]}

    stage.get(search, "q=" + quote("' OR 1=1 --"))


@scenario("se-003 template injection", "security", "no", "template", "bug", "misconfiguration")
def _(stage: Stage) -> None:
    def hello(request: Any) -> Any:
        name = request.args["name"]
        return {"html": jinja2.Environment().from_string("Hello " + name).render()}

    stage.get(hello, "name=" + quote("{{ config.__class__.x.y }}"))


@scenario("se-003b template injection, syntax", "security", "no", "template", "bug")
def _(stage: Stage) -> None:
    def card(request: Any) -> Any:
        text = request.get_json()["text"]
        return {"html": jinja2.Template(f"<p>{text}</p>").render()}

    stage.post(card, {"text": "{{7*'7'}"})


@scenario(
    "x-template-own a broken template of our own, braces in the request", "bug", "no", "Template|template", "security"
)
def _(stage: Stage) -> None:
    def card(request: Any) -> Any:
        return {"html": jinja2.Template("<p>{{ text }</p>").render(text=request.get_json()["text"])}

    stage.post(card, {"text": "{{ what is this }}"})


@scenario("se-004 unsafe pickle", "security", "no", "unpickles", "bug")
def _(stage: Stage) -> None:
    def restore(request: Any) -> Any:
        state = pickle.loads(base64.b64decode(request.get_data()))
        return {"state": state}

    stage.post(restore, data=base64.b64encode(b"cos\nno_such_function\n(S'x'\ntR."))


@scenario("x-pickle-cache a damaged pickle of our own cache", "bug", "no", "Unpickling|pickle|EOF", "security")
def _(stage: Stage) -> None:
    (stage.folder / "cache.pickle").write_bytes(pickle.dumps({"a": 1})[:-5])

    def cached(request: Any) -> Any:
        with open(stage.folder / "cache.pickle", "rb") as file:
            return pickle.load(file)

    stage.get(cached)


@scenario("se-005 unsafe YAML tag", "security", "no", "python/", "misconfiguration", "bug")
def _(stage: Stage) -> None:
    def load(request: Any) -> Any:
        return yaml.safe_load(request.get_data())

    stage.post(load, data="a: !!python/object/apply:os.system ['id']", headers={"Content-Type": "text/yaml"})


@scenario(
    "x-yaml-body broken YAML sent by a client",
    "bug",
    "no",
    "ParserError|ScannerError|yaml",
    "security",
    "misconfiguration",
)
def _(stage: Stage) -> None:
    def load(request: Any) -> Any:
        return yaml.safe_load(request.get_data())

    stage.post(load, data="a: [1, 2\nb: }", headers={"Content-Type": "text/yaml"})


def bomb() -> str:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    for name, before in zip("bcdefgh", "abcdefg", strict=True):
        lines.append(f"{name}: &{name} [" + ",".join(f"*{before}" for _ in range(9)) + "]")
    return "\n".join(lines)


@scenario(
    "se-006 YAML bomb",
    "security",
    "clears",
    "anchors|unfold",
    "overload",
    "bug",
    needs="root",
    alone=True,
    ways=("guard-wsgi", "guard-asgi"),
)
def _(stage: Stage) -> None:
    import resource

    def load(request: Any) -> Any:
        return {"text": json.dumps(yaml.safe_load(request.get_data()))}

    stage.get(ping)
    resource.setrlimit(resource.RLIMIT_AS, (600 << 20, resource.RLIM_INFINITY))
    stage.post(load, data=bomb(), headers={"Content-Type": "text/yaml"})
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def ping(request: Any) -> Any:
    return {}


@scenario("se-007 decompression bomb", "security", "clears", "decompress", "overload", "bug", needs="root", alone=True)
def _(stage: Stage) -> None:
    import resource

    def unpack(request: Any) -> Any:
        return {"bytes": len(gzip.decompress(request.get_data()))}

    body = gzip.compress(bytes(1 << 30))
    stage.get(ping)
    resource.setrlimit(resource.RLIMIT_AS, (700 << 20, resource.RLIM_INFINITY))
    stage.post(unpack, data=body, headers={"Content-Type": "application/gzip"})
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@scenario(
    "se-008 hostile text for a regular expression",
    "security",
    "clears",
    "regular expression",
    "overload",
    "bug",
    alone=True,
)
def _(stage: Stage) -> None:
    def on_alarm(number: int, frame: Any) -> None:
        raise TimeoutError("the request took longer than 1 s")

    signal.signal(signal.SIGALRM, on_alarm)

    def check(request: Any) -> Any:
        return {"valid": bool(re.match(r"^(a+)+$", request.args["name"]))}

    signal.alarm(1)
    stage.get(check, "name=" + "a" * 40 + "b")


@scenario("se-011 forged session", "security", "no", "Signature|signature", "misconfiguration", "bug")
def _(stage: Stage) -> None:
    signer = URLSafeSerializer("the key of the application")

    def cart(request: Any) -> Any:
        return {"cart": signer.loads(request.headers["X-Cart"])}

    stage.get(cart, headers={"X-Cart": signer.dumps({"a": 1}) + "x"})


@scenario("se-011b token with algorithm none", "security", "no", "algorithm|Algorithm", "misconfiguration")
def _(stage: Stage) -> None:
    try:
        import jwt  # type: ignore[import-not-found,unused-ignore]
    except ImportError as e:
        raise Skip("PyJWT is not installed") from e

    def me(request: Any) -> Any:
        return jwt.decode(request.headers["Authorization"].removeprefix("Bearer "), "k" * 40, algorithms=["HS256"])

    token = jwt.encode({"sub": "admin"}, "", algorithm="none")
    stage.get(me, headers={"Authorization": f"Bearer {token}"})


@scenario("se-012 request forgery to an internal address", "security", "no", "internal", "overload", "misconfiguration")
def _(stage: Stage) -> None:
    import requests

    def preview(request: Any) -> Any:
        answer = requests.get(request.args["url"], timeout=0.3)
        return {"chars": len(answer.text)}

    stage.get(preview, "url=" + quote("http://127.0.0.1:9/latest/meta-data/", safe=""))


@scenario("se-012b request forgery by file scheme", "security", "no", "stands in|file", "misconfiguration", "bug")
def _(stage: Stage) -> None:
    def fetch(request: Any) -> Any:
        return {"text": urllib.request.urlopen(request.args["url"], timeout=1).read().decode()}

    stage.get(fetch, "url=" + quote("file:///etc/no-such-shadow", safe=""))


@scenario("se-013 path traversal", "security", "no", "path|\\.\\./", "misconfiguration", "bug")
def _(stage: Stage) -> None:
    def download(request: Any) -> Any:
        with open(f"{stage.folder}/{request.args['name']}") as file:
            return {"text": file.read()}

    stage.get(download, "name=" + quote("../../../../etc/no-such-file"))


@scenario("x-missing-upload a file name of a client that does not exist", "bug", "no", "name|report", "security")
def _(stage: Stage) -> None:
    def download(request: Any) -> Any:
        with open(f"{stage.folder}/{request.args['name']}") as file:
            return {"text": file.read()}

    stage.get(download, "name=report-2024.pdf")


@scenario("se-015 operator injection", "security", "no", r"\$ne", "bug")
def _(stage: Stage) -> None:
    def login(request: Any) -> Any:
        user = request.get_json()["user"]
        collection = {"find_one": lambda wanted: wanted["name"].lower()}
        found = collection["find_one"]({"name": user})  # as db.users.find_one(filter)
        return {"found": found}

    stage.post(login, {"user": {"$ne": "1"}})


@scenario("se-016 command injection probe", "security", "no", "command", "bug")
def _(stage: Stage) -> None:
    def resolve(request: Any) -> Any:
        name = request.args["host"]
        out = subprocess.run(f"getent hosts {name}", shell=True, check=True, capture_output=True)
        return {"out": out.stdout.decode()}

    stage.get(resolve, "host=" + quote("x; exit 3"))


@scenario("x-command a command of our own that fails", "bug", "no", "CalledProcessError", "security")
def _(stage: Stage) -> None:
    def convert(request: Any) -> Any:
        subprocess.run(["false", request.args["name"]], check=True)
        return {}

    stage.get(convert, "name=" + quote("cats & dogs; more"))


@scenario("se-017 evaluated input", "security", "no", "evaluated", "bug")
def _(stage: Stage) -> None:
    def calculate(request: Any) -> Any:
        return {"result": eval(request.args["formula"])}

    stage.get(calculate, "formula=" + quote("__import__('no_such_module_x')"))


@scenario("se-018 nested body", "security", "no", "nest", "bug", "overload")
def _(stage: Stage) -> None:
    def take(request: Any) -> Any:
        return {"got": str(json.loads(request.get_data()))[:10]}

    stage.post(take, data="[" * 20_000, headers={"Content-Type": "text/plain"})


@scenario("se-019 external entity", "security", "no", "entit", "bug", "misconfiguration")
def _(stage: Stage) -> None:
    def order(request: Any) -> Any:
        return {"tag": tree.fromstring(request.get_data()).tag}

    body = '<?xml version="1.0"?><!DOCTYPE o [<!ENTITY x SYSTEM "file:///etc/passwd">]><o>&x;</o>'
    stage.post(order, data=body, headers={"Content-Type": "application/xml"})


@scenario("x-xml a client's broken XML", "bug", "no", "ParseError|parse", "security", "misconfiguration")
def _(stage: Stage) -> None:
    def order(request: Any) -> Any:
        return {"tag": tree.fromstring(request.get_data()).tag}

    stage.post(order, data="<order><item></order>", headers={"Content-Type": "application/xml"})
