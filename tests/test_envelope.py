"""The wire: whatever was encoded parses back, and hostile bytes give an Envelope or an EnvelopeError."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fivehundred.envelope import (
    Dsn,
    DsnError,
    Envelope,
    EnvelopeError,
    Item,
    encode,
    header_bytes_max,
    items_max,
    parse,
    parse_header,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
headers = st.dictionaries(st.text(max_size=10), json_values, max_size=4)
items = st.builds(
    Item,
    type=st.text(min_size=1, max_size=20),
    payload=st.binary(max_size=100),
    headers=headers.map(lambda h: {k: v for k, v in h.items() if k not in ("type", "length")}),
)


@given(headers, st.lists(items, max_size=5))
def test_what_is_encoded_parses_back(header: dict[str, Any], sent: list[Item]) -> None:
    found = parse(encode(header, sent))
    assert found.headers == header
    assert [(i.type, i.payload) for i in found.items] == [(i.type, i.payload) for i in sent]
    assert all(
        i.headers == {**s.headers, "type": s.type, "length": len(s.payload)}
        for i, s in zip(found.items, sent, strict=True)
    )


@given(st.binary(max_size=400))
@example(b"")
@example(b"\n\n\n")
@example(b"{}\n{")
@example(b"[" * 100_000)
@example(b'{}\n{"type":"event","length":1e400}\n')
@example(b'{"a":' + b"9" * 5000 + b"}")
def test_hostile_bytes_give_an_envelope_or_an_envelope_error(data: bytes) -> None:
    with contextlib.suppress(EnvelopeError):
        assert isinstance(parse(data), Envelope)


@given(headers, st.lists(items, max_size=3), st.data())
def test_a_damaged_envelope_gives_an_envelope_or_an_envelope_error(
    header: dict[str, Any], sent: list[Item], data: st.DataObject
) -> None:
    whole = bytearray(encode(header, sent))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at : at + data.draw(st.integers(0, 5))] = data.draw(st.binary(max_size=5))
    with contextlib.suppress(EnvelopeError):
        parse(bytes(whole))


def test_items_without_a_length_end_at_the_next_newline() -> None:
    found = parse(b'{}\n{"type":"event"}\n{"a":1}\r\n\n{"type":"session"}\n{"b":2}')
    assert [(i.type, i.payload) for i in found.items] == [("event", b'{"a":1}\r'), ("session", b'{"b":2}')]


def test_a_payload_with_a_length_may_hold_newlines_and_be_empty() -> None:
    found = parse(b'{}\n{"type":"attachment","length":3}\na\nb\n{"type":"x","length":0}\n\n')
    assert [i.payload for i in found.items] == [b"a\nb", b""]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "envelope header is not JSON"),
        (b"[]\n", "envelope header is not a JSON object"),
        (b'{}\n{"type":"event","length":5}\nabc', "says 5 bytes, but only 3 follow"),
        (b'{}\n{"type":"event","length":2}\nabc\n', "no newline follows"),
        (b'{}\n{"type":"event","length":"2"}\nab\n', "length of item 1 is not a number"),
        (b'{}\n{"type":"event","length":-1}\nab\n', "length of item 1 is not a number"),
        (b'{}\n{"length":2}\nab\n', "item 1 has no type"),
        (b'{"a":"' + b"x" * header_bytes_max + b'"}', "longer than"),
        (b"{}\n" + b'{"type":"x"}\n\n' * (items_max + 1), "more than 1000 items"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, reason: str) -> None:
    with pytest.raises(EnvelopeError, match=reason):
        parse(data)


def test_the_header_alone_is_read_from_the_first_bytes() -> None:
    assert parse_header(b'{"event_id":"x"}\n{"type":"ev') == {"event_id": "x"}


@given(st.text(max_size=60))
def test_any_text_is_a_dsn_or_a_dsn_error(text: str) -> None:
    for candidate in (text, f"http://{text}@host/1", f"https://key@host:{text}/1", f"http://key@{text}/{text}"):
        with contextlib.suppress(DsnError):
            Dsn.parse(candidate)


def test_an_unusable_dsn_is_answered_with_one_that_works_and_without_its_key() -> None:
    for bad in ("ftp://s3cret@h/1", "http://s3cret@h:x/1", "http://s3cret@[/1", "http://s3cret@h/a", "s3cret"):
        with pytest.raises(DsnError, match="http://KEY@127") as caught:
            Dsn.parse(bad)
        assert "s3cret" not in str(caught.value)


def test_a_dsn_says_where_envelopes_go() -> None:
    dsn = Dsn.parse("https://key:secret@errors.example:8443/sub/path/42")
    assert (dsn.key, dsn.project, dsn.port) == ("key", "42", 8443)
    assert dsn.envelope_path == "/sub/path/api/42/envelope/"
    assert Dsn.parse("http://k@[::1]/1").netloc == "[::1]:80"


def test_headers_are_one_ascii_line_each() -> None:
    lines = encode({"a": "\n\u2028é"}, [Item("event", b"{}")]).split(b"\n")
    assert json.loads(lines[0]) == {"a": "\n\u2028é"}
    assert all(line.isascii() for line in lines)
