"""Erasing reaches every text column of the schema, or there is a reason why it need not."""

from __future__ import annotations

import pytest

from fivehundred.console.store.database import Database, Value
from fivehundred.console.store.delta import identity_of
from fivehundred.console.store.erasing_columns import deleted, harmless, replaced, reported
from fivehundred.console.store.relational import RelationalStore

name = "ada.lovelace"
_sqlite = (
    "SELECT m.name, c.name, upper(c.type), c.hidden FROM sqlite_master m JOIN pragma_table_xinfo(m.name) c"
    " WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name NOT LIKE 'fault_text%'"
)
_postgresql = (
    "SELECT table_name, column_name, upper(data_type), CASE is_generated WHEN 'NEVER' THEN 0 ELSE 1 END"
    " FROM information_schema.columns WHERE table_schema = current_schema() AND table_name NOT LIKE 'body%'"
)


def columns(db: Database) -> list[tuple[str, str, str]]:
    """(table, column, type) of everything that can be written."""
    found = db.rows(_sqlite if db.dialect == "sqlite" else _postgresql)
    return [(table, column, kind) for table, column, kind, hidden in found if not hidden]


def test_every_text_column_is_erased_from_or_listed_with_a_reason(store: RelationalStore) -> None:
    listed = {(table, column) for part in (replaced, deleted, reported) for table in part for column in part[table]}
    forgotten = [
        f"{table}.{column}"
        for table, column, kind in columns(store.database)
        if kind in ("TEXT", "") and (table, column) not in listed
        and not {f"{table}.{column}", f"{table}.*", f"*.{column}"} & harmless.keys()
    ]  # fmt: skip
    assert forgotten == []


def test_only_columns_that_exist_are_listed(store: RelationalStore) -> None:
    known = {(table, column) for table, column, _ in columns(store.database)}
    listed = [(table, column) for part in (replaced, deleted, reported) for table in part for column in part[table]]
    assert [place for place in listed if place not in known] == []


@pytest.mark.parametrize("table", sorted({*replaced, *deleted}))
def test_a_name_in_a_text_is_gone(store: RelationalStore, table: str) -> None:
    fill(store.database, table, 'say "ada.lovelace", ADA.LOVELACE, x ada.lovelace')
    done = store.eraser.erase(name, anywhere=True)
    assert sum(done.values()) >= 1
    assert [place for place in texts(store.database, table) if name in place.lower()] == []


def test_what_people_set_up_is_told_and_left(store: RelationalStore) -> None:
    for table in reported:
        fill(store.database, table, "for ada.lovelace")
    store.eraser.erase(name, anywhere=True)
    told = {f"{table} {column}" for table, listed in reported.items() for column in listed}
    assert set(store.eraser.settings(name)) == told
    assert store.eraser.settings("ada.lovelaces") == []


def test_a_user_of_an_incident_is_counted_no_more(store: RelationalStore) -> None:
    sql = "INSERT INTO incident_user (incident, identity) VALUES (?, ?)"
    store.database.many(sql, [(1, identity_of(name)), (1, identity_of("bob"))])
    assert store.eraser.erase(name, anywhere=False) == {"users of incidents": 1}


@pytest.mark.parametrize("written", ["ÉLISE.é", "élise.É", '"\\u00e9lise.\\u00e9"'])
def test_a_name_in_other_letters_is_found_in_capitals_and_in_json(store: RelationalStore, written: str) -> None:
    fill(store.database, "comment", f"from {written}")
    assert store.eraser.erase("élise.é", anywhere=True) == {"comment": 2}


def fill(db: Database, table: str, text: str) -> None:
    """One row with the text in every column that a name may stand in."""
    listed = {*replaced.get(table, ()), *deleted.get(table, ()), *reported.get(table, ())}
    blank: dict[str, Value] = {"TEXT": "x", "BLOB": b"x", "BYTEA": b"x"}
    row = {
        f'"{column}"': text if column in listed else blank.get(kind, 1)
        for owner, column, kind in columns(db)
        if owner == table
    }
    marks = ", ".join("?" * len(row))
    db.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values()))


def texts(db: Database, table: str) -> list[str]:
    return [value for row in db.rows(f"SELECT * FROM {table}") for value in row if isinstance(value, str)]
