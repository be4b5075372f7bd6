"""The ingest as an ASGI application with a real spool behind it: who is let in, what is refused, and in which words."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import os
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import brotli  # type: ignore[import-untyped]
import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from fivehundred import limits
from fivehundred.console.inflate import inflate
from fivehundred.console.ingest.keys import KeyBook, Known
from fivehundred.console.ingest.route import Ingest
from fivehundred.console.spool.base import Door, Received, SpoolWriter
from fivehundred.console.spool.segments import SegmentReader, SegmentWriter

key, other = "a1" * 16, "b2" * 16
event_id = "c3" * 16
auth = {"X-Sentry-Auth": f"Sentry sentry_version=7, sentry_client=test/1.0, sentry_key={key}"}
event = b'{"message":"hello"}'
envelope = b'{"event_id":"%s"}\n{"type":"event","length":19}\n%s\n' % (event_id.encode(), event)
all_doors: frozenset[Door] = frozenset(
    ("envelope", "store", "security", "otlp_logs", "otlp_traces", "minidump", "check_in")
)


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def detail(self) -> str:
        text = json.loads(self.body)["detail"]
        assert isinstance(text, str)
        return text


class Site:
    """An ingest that knows project 1 with ``key`` and project 2 with ``other``."""

    def __init__(self, folder: Path, doors: frozenset[Door] = all_doors) -> None:
        self.folder = folder
        self.doors = doors
        self.refused: dict[tuple[str, str], int] = {}

    def ask(
        self,
        path: str = "/api/1/envelope/",
        body: bytes | list[bytes] = envelope,
        headers: dict[str, str] | None = None,
        method: str = "POST",
        spool: Callable[[Path], SpoolWriter] = SegmentWriter,
    ) -> Reply:
        async def go() -> Reply:
            writer = spool(self.folder)
            ingest = Ingest(writer, KeyBook(known_keys), self.doors)
            reply = await send_to(ingest, path, body, auth if headers is None else headers, method)
            self.refused = dict(ingest.refused)
            await writer.close()
            return reply

        return asyncio.run(go())

    def kept(self) -> list[Received]:
        return [r for _, r in SegmentReader(self.folder).read("", records_max=1_000, bytes_max=1 << 30)]


async def known_keys() -> list[Known]:
    return [Known("1", key), Known("2", other)]


async def send_to(
    app: Callable[..., Awaitable[None]],
    path: str,
    body: bytes | list[bytes],
    headers: dict[str, str],
    method: str = "POST",
) -> Reply:
    bare, _, query = path.partition("?")
    raw = [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in headers.items()]
    scope = {"type": "http", "method": method, "path": bare, "query_string": query.encode(), "headers": raw}
    scope["client"] = ("203.0.113.9", 1)
    messages = chunks([body] if isinstance(body, bytes) else body)
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return await anext(messages)

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, end = sent
    return Reply(start["status"], {k.decode(): v.decode() for k, v in start["headers"]}, end.get("body", b""))


async def chunks(parts: list[bytes]) -> AsyncIterator[MutableMapping[str, Any]]:
    for number, part in enumerate(parts):
        yield {"type": "http.request", "body": part, "more_body": number < len(parts) - 1}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


# ---- what is kept --------------------------------------------------------------------------------


def test_an_envelope_is_kept_byte_for_byte_and_answered_with_its_id(site: Site) -> None:
    reply = site.ask(headers={**auth, "Content-Type": "application/x-sentry-envelope"})
    assert (reply.status, json.loads(reply.body)) == (200, {"id": event_id})
    (record,) = site.kept()
    assert (record.project, record.door, record.body) == ("1", "envelope", envelope)
    assert record.meta == {
        "content_encoding": "identity",
        "content_type": "application/x-sentry-envelope",
        "client": "test/1.0",
        "peer": "203.0.113.9",
        "event_id": event_id,
    }


@pytest.mark.parametrize("path", ["/api/1/envelope/", "/api/1/envelope", "/api/1/store/", "/api/1/store"])
def test_addresses_work_with_and_without_the_last_slash(site: Site, path: str) -> None:
    assert site.ask(path, event if "store" in path else envelope).status == 200


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("GZIP ", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda b: zlib.compress(b)[2:-4]),
        ("br", brotli.compress),
        ("zstd", zstd.compress),
        ("identity", bytes),
        ("", bytes),
    ],
)
@pytest.mark.parametrize("endpoint", ["envelope", "store"])
def test_every_content_encoding_of_the_sdks_is_read(
    site: Site, endpoint: str, name: str, pack: Callable[[bytes], bytes]
) -> None:
    body = pack(envelope if endpoint == "envelope" else b'{"event_id":"%s"}' % event_id.encode())
    reply = site.ask(f"/api/1/{endpoint}/", body, {**auth, "Content-Encoding": name})
    assert json.loads(reply.body) == {"id": event_id}
    assert site.kept()[0].body == body


def test_a_dashed_id_is_answered_as_32_digits(site: Site) -> None:
    reply = site.ask(body=b'{"event_id":"C3c3c3c3-c3c3-c3c3-c3c3-c3c3c3c3c3c3"}\n')
    assert json.loads(reply.body) == {"id": event_id}


def test_an_envelope_without_an_id_is_answered_with_none(site: Site) -> None:
    reply = site.ask(body=b'{}\n{"type":"session"}\n{}\n')
    assert (reply.status, reply.body) == (200, b"{}")


def test_a_body_in_many_pieces_is_put_together(site: Site) -> None:
    assert site.ask(body=[envelope[i : i + 3] for i in range(0, len(envelope), 3)]).status == 200
    assert site.kept()[0].body == envelope


old_event = b'{"event_id":"%s","extra":NaN,"a":"\\ud800"}' % event_id.encode()


@pytest.mark.parametrize(
    "body",
    [
        old_event,
        b" \n" + old_event,
        b"\xef\xbb\xbf" + old_event,
        old_event.replace(b"NaN", b"9" * 5_000),
        old_event.replace(b"\\ud800", b"\xff"),
        base64.b64encode(old_event),
        base64.b64encode(zlib.compress(old_event)),
    ],
)
def test_store_reads_the_id_in_every_wrapping_of_old_sdks(site: Site, body: bytes) -> None:
    assert json.loads(site.ask("/api/1/store/", body).body) == {"id": event_id}


def test_store_makes_an_id_for_an_event_without_one(site: Site) -> None:
    made = json.loads(site.ask("/api/1/store/", event).body)["id"]
    assert len(made) == 32
    assert site.kept()[0].meta["event_id"] == made


def test_an_envelope_posted_to_store_is_an_envelope(site: Site) -> None:
    reply = site.ask("/api/1/store/", envelope, {**auth, "Content-Type": "application/x-sentry-envelope"})
    assert json.loads(reply.body) == {"id": event_id}
    assert site.kept()[0].door == "envelope"


def test_the_sender_behind_a_local_proxy_is_the_address_that_the_proxy_added(tmp_path: Path) -> None:
    async def go() -> None:
        writer = SegmentWriter(tmp_path)
        ingest = Ingest(writer, KeyBook(known_keys), all_doors)

        async def local(scope: dict[str, Any], receive: Any, send: Any) -> None:
            await ingest({**scope, "client": ("127.0.0.1", 1)}, receive, send)

        await send_to(local, "/api/1/envelope/", envelope, {**auth, "X-Forwarded-For": "forged, 198.51.100.7"})
        await send_to(ingest, "/api/1/envelope/", envelope, {**auth, "X-Forwarded-For": "forged"})
        await writer.close()

    asyncio.run(go())
    assert [r.meta["peer"] for r in Site(tmp_path).kept()] == ["198.51.100.7", "203.0.113.9"]


# ---- who is let in -------------------------------------------------------------------------------

basic = base64.b64encode(f"{key}:".encode()).decode()
dsn_envelope = b'{"event_id":"%s","dsn":"https://%s@elsewhere.example/1"}\n' % (event_id.encode(), key.encode())


@pytest.mark.parametrize(
    ("query", "headers", "body"),
    [
        ("", auth, envelope),
        ("", {"X-Sentry-Auth": f"sentry sentry_key={key}"}, envelope),
        ("", {"x-sentry-auth": f"SENTRY sentry_client=a b,sentry_key={key},sentry_secret=x, odd=1"}, envelope),
        ("", {"Authorization": f"Sentry sentry_key={key}, sentry_version=7"}, envelope),
        ("", {"Authorization": f"Basic {basic}"}, envelope),
        (f"?sentry_key={key}&sentry_version=7&sentry_client=sentry.javascript.node%2F11.0", {}, envelope),
        ("", {}, dsn_envelope),
        (f"?sentry_key={key}", auth, dsn_envelope),
        ("", {**auth, "Authorization": "Bearer not-for-us"}, envelope),
    ],
)
def test_the_key_is_found_in_every_place(site: Site, query: str, headers: dict[str, str], body: bytes) -> None:
    assert site.ask(f"/api/1/envelope/{query}", body, headers).status == 200


@pytest.mark.parametrize(
    ("path", "headers", "body", "status", "words"),
    [
        ("/api/1/envelope/", {}, envelope, 401, "missing authorization information"),
        ("/api/1/store/", {}, event, 401, "missing authorization information"),
        (f"/api/1/envelope/?sentry_key={other}", {}, envelope, 403, "does not belong to project 1"),
        (f"/api/9/envelope/?sentry_key={key}", {}, envelope, 403, "does not belong to project 9"),
        ("/api/1/envelope/?sentry_key=", {}, envelope, 401, "missing"),
        ("/api/1/envelope/?sentry_key=a/../b", {}, envelope, 400, "letters"),
        (f"/api/1/envelope/?sentry_key={'k' * 129}", {}, envelope, 400, "128"),
        (f"/api/1/envelope/?sentry_key={other}", auth, envelope, 400, "two different keys"),
        (f"/api/2/envelope/?sentry_key={other}", {}, dsn_envelope, 403, "another project or key"),
        ("/api/2/envelope/", {}, dsn_envelope, 403, "another project or key"),
        ("/api/1/envelope/", {}, b'{"dsn":"nonsense"}\n', 400, "dsn"),
        ("/api/1/envelope/", {"Authorization": "Basic !!!"}, envelope, 400, "Basic"),
    ],
)
def test_a_stranger_is_told_what_is_wrong(
    site: Site, path: str, headers: dict[str, str], body: bytes, status: int, words: str
) -> None:
    reply = site.ask(path, body, headers)
    assert reply.status == status
    assert words in reply.detail
    assert reply.headers["x-sentry-error"] == reply.detail[:199]
    assert site.kept() == []


def test_a_wrong_key_does_not_silence_the_right_one(tmp_path: Path) -> None:
    async def go() -> list[int]:
        writer = SegmentWriter(tmp_path)
        ingest = Ingest(writer, KeyBook(known_keys), all_doors)
        statuses = []
        for used in (other, "wrong", key, "wrong", key):
            reply = await send_to(ingest, f"/api/1/envelope/?sentry_key={used}", envelope, {})
            statuses.append(reply.status)
        await writer.close()
        return statuses

    assert asyncio.run(go()) == [403, 403, 200, 403, 200]


def test_a_new_project_is_known_at_once_even_during_a_flood_of_wrong_keys() -> None:
    known = [Known("1", key)]
    loads = 0

    async def load() -> list[Known]:
        nonlocal loads
        loads += 1
        return list(known)

    async def go() -> bool:
        book = KeyBook(load)
        flood = [asyncio.create_task(book.is_known("1", f"wrong{i}")) for i in range(500)]
        await asyncio.sleep(0.01)
        known.append(Known("7", other))
        found = await book.is_known("7", other)
        assert not any(await asyncio.gather(*flood))
        return found

    assert asyncio.run(go()) is True
    assert loads < 20


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "words"),
    [
        ("envelope", b"", {}, 400, "empty"),
        ("store", b"", {}, 400, "empty"),
        ("envelope", b"not json\n", {}, 400, "JSON object"),
        ("envelope", b"[1]\n", {}, 400, "JSON object"),
        ("envelope", b"\x00\xff\n", {}, 400, "JSON object"),
        ("envelope", b'{"event_id":"short"}\n', {}, 400, "32 hex digits"),
        ("envelope", b'{"a":"' + b"x" * 70_000 + b'"}\n', {}, 400, "longer than 65536"),
        ("envelope", b"[" * 60_000, {}, 400, "JSON object"),
        ("store", b"[]", {}, 400, "one event"),
        ("store", b"<html>", {}, 400, "one event"),
        ("envelope", envelope, {"Content-Encoding": "gzip"}, 400, "not gzip"),
        ("envelope", envelope, {"Content-Encoding": "br"}, 400, "not br"),
        ("envelope", envelope, {"Content-Encoding": "zstd"}, 400, "not zstd"),
        ("envelope", b"\x00" * 50, {"Content-Encoding": "deflate"}, 400, "not deflate"),
        ("store", event, {"Content-Encoding": "gzip"}, 400, "not gzip"),
        ("store", event, {"Content-Encoding": "deflate"}, 400, "not deflate"),
        ("envelope", envelope, {"Content-Encoding": "lzma"}, 415, "'lzma' is not known; use one of"),
        ("envelope", envelope, {"Content-Length": str(limits.body_bytes_max + 1)}, 413, f"{limits.body_bytes_max}"),
    ],
)
def test_what_cannot_be_read_is_refused_before_it_is_acknowledged(
    site: Site, path: str, body: bytes, headers: dict[str, str], status: int, words: str
) -> None:
    reply = site.ask(f"/api/1/{path}/", body, {**auth, **headers})
    assert (reply.status, json.loads(reply.body)["causes"]) == (status, [])
    assert words in reply.detail
    assert site.kept() == []


def test_a_body_that_grows_past_the_limit_is_refused_while_it_arrives(site: Site) -> None:
    pieces = [b"x" * limits.MIB] * 100
    reply = site.ask(body=pieces)
    assert (reply.status, reply.detail) == (413, f"the body is over the limit of {limits.body_bytes_max} bytes")


def test_a_bomb_is_refused(site: Site) -> None:
    bomb = gzip.compress(b'{"event_id":"%s"}\n' % event_id.encode() + bytes(300 * limits.MIB), 1)
    reply = site.ask(body=bomb, headers={**auth, "Content-Encoding": "gzip"})
    assert (reply.status, str(limits.inflated_bytes_max) in reply.detail) == (413, True)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
def test_other_methods_are_told_which_one_to_use(site: Site, method: str) -> None:
    reply = site.ask(method=method)
    assert (reply.status, reply.headers["allow"]) == (405, "POST, OPTIONS")


@pytest.mark.parametrize("path", ["/api/1/envelope/", "/api/1/csp-report", "/v1/logs", "/api/9/security/"])
def test_a_preflight_needs_no_key(site: Site, path: str) -> None:
    reply = site.ask(path, b"", {}, "OPTIONS")
    assert reply.status == 204
    assert "x-sentry-auth" in reply.headers["access-control-allow-headers"]
    assert reply.headers["access-control-allow-methods"] == "POST, OPTIONS"


@pytest.mark.parametrize(
    ("path", "status"), [("/api/1/envelope/", 401), ("/api/1/minidump/", 404), ("/api/1/odd/", 404)]
)
def test_a_browser_may_read_every_answer(site: Site, path: str, status: int) -> None:
    reply = site.ask(path, headers={})
    assert (reply.status, reply.headers["access-control-allow-origin"]) == (status, "*")
    assert "x-sentry-rate-limits" in reply.headers["access-control-expose-headers"]
    ok = site.ask()
    assert ok.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in ok.headers


def test_senders_are_told_once_what_is_not_worth_sending(site: Site) -> None:
    assert site.ask().headers["x-sentry-rate-limits"] == "86400:profile;profile_chunk;replay:project"


# ---- overload ------------------------------------------------------------------------------------


def full(folder: Path) -> SpoolWriter:
    return SegmentWriter(folder, backlog_bytes_max=10)


def test_a_full_backlog_says_429_when_to_come_back_and_keeps_nothing(site: Site) -> None:
    reply = site.ask(spool=full)
    assert (reply.status, reply.headers["retry-after"]) == (429, "30")
    assert reply.headers["x-sentry-rate-limits"] == "30::project:backlog_full"
    assert "nothing was kept" in reply.detail
    assert site.refused == {("1", "backlog_full"): 1}
    assert site.kept() == []


def test_monitors_are_never_told_429(site: Site) -> None:
    assert site.ask(f"/api/1/cron/nightly/{key}/?status=ok", b"", {}, "GET", full).status == 503


def test_exporters_are_told_to_come_back(site: Site) -> None:
    reply = site.ask("/v1/traces", b"", {**auth, "Content-Type": "application/x-protobuf"}, spool=full)
    assert (reply.status, reply.headers["retry-after"], reply.body[:2]) == (429, "30", b"\x08\x08")


def test_a_spool_that_cannot_be_written_says_503(site: Site) -> None:
    def broken(folder: Path) -> SpoolWriter:
        writer = SegmentWriter(folder)
        os.close(writer._fd)  # what a failing disk does, from the writer's point of view
        writer._fd = os.open(os.devnull, os.O_RDONLY)
        return writer

    reply = site.ask(spool=broken)
    assert (reply.status, "retry-after" in reply.headers) == (503, True)


def test_refusals_of_strangers_are_counted_without_their_made_up_projects(site: Site) -> None:
    site.ask("/api/77777/envelope/", headers={"X-Sentry-Auth": "Sentry sentry_key=guess"})
    assert site.refused == {("", "auth_refused"): 1}


# ---- the other doors -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["/api/1/integration/otlp/v1/logs", "/api/1/integration/otlp/v1/traces/", "/api/1/otlp/v1/traces", "/v1/logs"],
)
@pytest.mark.parametrize(
    ("kind", "body"),
    [("application/json", b"{}"), ("application/json; charset=utf-8", b"{}"), ("application/x-protobuf", b"")],
)
def test_otlp_is_answered_as_its_exporters_expect(site: Site, path: str, kind: str, body: bytes) -> None:
    reply = site.ask(path, body, {"x-sentry-auth": f"sentry sentry_key={key}", "Content-Type": kind})
    assert (reply.status, reply.body, reply.headers["content-type"]) == (200, body, kind.partition(";")[0])
    assert site.kept()[0].project == "1"


def test_otlp_errors_are_a_google_rpc_status(site: Site) -> None:
    reply = site.ask("/v1/logs", b"{}", {"Content-Type": "application/json"})
    assert (reply.status, json.loads(reply.body)["code"]) == (401, 16)
    reply = site.ask("/v1/logs", b"", {"Content-Type": "application/x-protobuf"})
    assert (reply.headers["content-type"], reply.body[:3]) == ("application/x-protobuf", b"\x08\x10\x12")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/logs",
        "/v1/metrics",
        "/api/1/integration/otlp/v1/metrics",
        "/api/1/minidump/",
        "/api/1/unreal/x/",
        f"/api/1/events/{event_id}/attachments/",
    ],
)
def test_a_door_that_nobody_reads_behind_is_never_answered_200(tmp_path: Path, path: str) -> None:
    site = Site(tmp_path, frozenset(("envelope", "store")))
    reply = site.ask(path)
    assert reply.status == 404
    assert b"nothing was kept" in reply.body
    assert site.kept() == []


def test_a_check_in_comes_by_get_or_post_with_the_key_in_its_path(site: Site) -> None:
    path = f"/api/1/cron/nightly-backup/{key}/?status=ok&duration=3"
    assert site.ask(path, b"", {}, "GET").status == 202
    assert site.ask(path, b"", {}).status == 202
    first, _ = site.kept()
    assert (first.meta["slug"], first.meta["query"]) == ("nightly-backup", "status=ok&duration=3")


multipart = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x\r\n%s\r\n\r\n%s\r\n--x--\r\n' % (
    b'Content-Disposition: form-data; name="sentry"',
    event,
)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data; boundary=x", multipart),
        ("application/x-www-form-urlencoded", b"a=1&sentry=%7B%22message%22%3A%22hello%22%7D"),
        ("application/x-www-form-urlencoded", event),  # a form by name alone
    ],
)
def test_an_event_in_a_form_is_taken_out_of_it(site: Site, kind: str, body: bytes) -> None:
    reply = site.ask("/api/1/store/", gzip.compress(body), {**auth, "Content-Type": kind, "Content-Encoding": "gzip"})
    (record,) = site.kept()
    assert (reply.status, inflate(record.body, record.meta["content_encoding"], 1000)) == (200, event)


def test_an_event_may_be_the_address_of_an_image(site: Site) -> None:
    data = quote(base64.b64encode(zlib.compress(event)))
    reply = site.ask(f"/api/1/store/?sentry_version=5&sentry_key={key}&sentry_data={data}", b"", {}, "GET")
    assert (reply.status, reply.headers["content-type"], reply.body[:6]) == (200, "image/gif", b"GIF89a")
    assert zlib.decompress(base64.b64decode(site.kept()[0].body)) == event


def test_an_image_without_an_event_is_refused(site: Site) -> None:
    assert site.ask(f"/api/1/store/?sentry_key={key}", b"", {}, "GET").status == 400


def test_a_security_report_comes_with_its_query(site: Site) -> None:
    path = f"/api/1/security/?sentry_key={key}&sentry_release=2.4"
    assert site.ask(path, b'{"csp-report":{}}', {"Content-Type": "application/csp-report"}).status == 200
    assert site.kept()[0].meta["query"].endswith("sentry_release=2.4")


# ---- hostile -------------------------------------------------------------------------------------

header_values = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=60)


@given(
    path=st.sampled_from(["/api/1/envelope/", "/api/1/store/", "/v1/logs", "/api/1/cron/a/b/"]),
    body=st.one_of(st.binary(max_size=300), st.just(envelope), st.just(gzip.compress(envelope)[:30])),
    headers=st.dictionaries(
        st.sampled_from(
            ["X-Sentry-Auth", "Authorization", "Content-Encoding", "Content-Type", "X-Forwarded-For", "User-Agent"]
        ),
        st.one_of(header_values, st.sampled_from([auth["X-Sentry-Auth"], "gzip", "deflate", "zstd", "br", "Basic "])),
    ),
    query=st.one_of(st.just(f"sentry_key={key}"), st.text(st.characters(codec="ascii"), max_size=50)),
)
@settings(max_examples=150, deadline=None)
def test_whatever_is_sent_gets_an_answer_and_no_200_without_a_record(
    tmp_path_factory: pytest.TempPathFactory, path: str, body: bytes, headers: dict[str, str], query: str
) -> None:
    site = Site(tmp_path_factory.mktemp("spool"))
    reply = site.ask(f"{path}?{query}", body, headers)
    assert reply.status in (200, 202, 400, 401, 403, 405, 413, 415)
    assert len(site.kept()) == (reply.status in (200, 202))
    for value in reply.headers.values():
        assert "\n" not in value
        assert "\r" not in value
