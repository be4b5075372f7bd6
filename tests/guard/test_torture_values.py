"""Torture by values: nothing that can stand in a variable makes capture hang, raise, query or run code."""

from __future__ import annotations

import collections.abc
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
from tests.guard.conftest import hostile, locals_of, ran, trap


@pytest.mark.parametrize("base", [object, str, int, float, bytes, list, tuple, dict, set, frozenset, bytearray])
def test_no_method_of_a_hostile_value_runs(base: type) -> None:
    ran.clear()
    value = hostile(base)()

    def act() -> NoReturn:
        kept, nested = value, [(value,)]
        raise LookupError("x", kept, nested)

    assert "kept" in locals_of(act)
    assert ran == []


def test_no_code_of_a_hostile_metaclass_runs() -> None:
    ran.clear()
    meta: Any = type("Meta", (type,), {n: trap(n) for n in ("__hash__", "__eq__", "__repr__", "__getattribute__")})
    kind = meta("Kind", (), {})
    value = object.__new__(kind)

    def act() -> NoReturn:
        instance, klass = value, kind
        raise LookupError(instance, klass)

    ran.clear()
    locals_of(act)
    assert ran == []


class Mapping(collections.abc.Mapping[str, int]):
    def __getitem__(self, key: str) -> int:
        raise AssertionError("asked")

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("asked")

    def __len__(self) -> int:
        raise AssertionError("asked")


class Slots:
    __slots__ = ("filled", "password", "unfilled")

    def __init__(self) -> None:
        self.filled, self.password = 1, "CANARY"


class Plain:
    def __init__(self) -> None:
        self.id, self.api_key, self.child = 7, "CANARY", Slots()

    @property
    def lazy(self) -> int:
        raise AssertionError("a property ran")


def test_of_an_object_what_is_stored_in_it_is_shown_and_no_property_asked() -> None:
    def act() -> NoReturn:
        plain, slots, mapping = Plain(), Slots(), Mapping()
        raise LookupError(plain, slots, mapping)

    found = locals_of(act)
    assert found["plain"]["id"] == 7
    assert found["plain"]["api_key"] == "[scrubbed]"
    assert found["slots"] == {"__class__": f"{__name__}.Slots", "filled": 1, "password": "[scrubbed]"}
    assert found["mapping"] == f"<{__name__}.Mapping>"


def test_containers_that_hold_themselves_and_deep_ones_end() -> None:
    def act() -> NoReturn:
        itself: list[Any] = []
        itself.append(itself)
        deep: dict[str, Any] = {}
        for _ in range(5_000):
            deep = {"d": deep}
        raise LookupError(itself, deep)

    assert len(json.dumps(locals_of(act))) < 1_000


def test_numbers_that_json_does_not_know_are_texts() -> None:
    def act() -> NoReturn:
        nan, infinite, huge, surrogates = float("nan"), float("inf"), 1 << 100_000, "a\ud800\0b"
        raise LookupError(nan, infinite, huge, surrogates)

    found = locals_of(act)
    assert (found["nan"], found["infinite"]) == ("nan", "inf")
    assert found["huge"] == "an integer of 100001 bits"
    assert found["surrogates"] == "a?b"


def test_an_expired_row_of_sqlalchemy_causes_no_query() -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    from sqlalchemy import orm

    class Base(orm.DeclarativeBase):
        pass

    class User(Base):
        __tablename__ = "users"
        id = orm.mapped_column(sqlalchemy.Integer, primary_key=True)
        name = orm.mapped_column(sqlalchemy.String)

    engine = sqlalchemy.create_engine("sqlite://")
    Base.metadata.create_all(engine)
    statements: list[str] = []
    with orm.Session(engine) as session:
        user = User(id=1, name="ann")
        session.add(user)
        session.commit()  # expires it: the next look at an attribute would query
        sqlalchemy.event.listen(engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
        query = session.query(User)

        def act() -> NoReturn:
            row, lazy = user, query
            raise LookupError(row, lazy)

        found = locals_of(act)
    assert statements == []
    assert "row" in found


def test_a_lazy_query_set_of_django_is_not_evaluated() -> None:
    code = """
import django
from django.conf import settings
settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
                   INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"], DEBUG=True)
django.setup()
from django.contrib.auth.models import User
from django.db import connection
from fivehundred.guard.capture import About, capture
users = User.objects.all()
try:
    raise ValueError(users)
except ValueError as e:
    event = capture(e, None, About())
assert connection.queries == [], connection.queries
assert "QuerySet" in event.exceptions[-1].value, event.exceptions[-1].value
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
