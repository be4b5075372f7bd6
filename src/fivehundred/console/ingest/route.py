"""The ingest: everything that SDKs and exporters send goes through here into the spool. A raw ASGI application.

It checks the key, the sizes and whatever of the form can be seen cheaply, appends the bytes as they came and answers
when they are on disk. It parses no payload and knows no store: that is the digest's work, in another process.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from fivehundred import limits
from fivehundred.console import otlp
from fivehundred.console.inflate import InflateError, TooLarge, inflate
from fivehundred.console.ingest import answers, export, legacy, peek
from fivehundred.console.ingest.auth import Refused, find_client, find_key
from fivehundred.console.ingest.doors import Endpoint, endpoint_of
from fivehundred.console.ingest.keys import KeyBook, KeysUnknown
from fivehundred.console.ingest.origins import Origins
from fivehundred.console.ingest.quotas import Quotas
from fivehundred.console.spool.base import Door, Received, SpoolFull, SpoolWriter
from fivehundred.envelope import Dsn, DsnError, header_bytes_max
from fivehundred.event import clean_id

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

log = logging.getLogger("fivehundred.console.ingest")

body_is_here: Final = "fivehundred.body_is_here"  # set in the scope by a server that knows
_never_429: Final = ("check_in",)  # its clients do not know the answer
_by_get: Final = ("check_in", "store")
_SIGNALS: Final[dict[Door, otlp.Signal]] = {"otlp_logs": "logs", "otlp_traces": "traces"}


@dataclass(frozen=True, slots=True)
class Simple:
    """A request that came in one piece."""

    path: str
    query: bytes
    headers: dict[bytes, bytes]
    client: tuple[str, int] | None
    body: bytes


class Disconnected(Exception):
    """The client went away before its request was complete: nobody is left to answer."""


class Ingest:
    """``doors`` are those that the digest can treat; the others are answered with 404, never with 200."""

    def __init__(
        self,
        spool: SpoolWriter,
        keys: KeyBook,
        doors: frozenset[Door],
        quotas: Quotas | None = None,
        origins: Origins | None = None,
    ) -> None:
        self._quotas = quotas
        self._origins = origins
        self._spool = spool
        self._keys = keys
        self._doors = doors
        self.accepted: Counter[str] = Counter()  # door -> requests
        self.accepted_bytes = 0
        self.refused: Counter[tuple[str, str]] = Counter()  # (project, reason) -> requests

    def take_at_once(self, request: Simple) -> tuple[Received, asyncio.Future[None]] | None:
        """The usual case without a task of its own: a small envelope with a known key. None: ``__call__`` decides."""
        endpoint = endpoint_of(request.path)
        if endpoint is None or endpoint.door != "envelope" or len(request.body) > limits.inflate_check_bytes:
            return None
        try:
            encoding = _encoding(request.headers)
            key = find_key(request.headers, request.query)
            if not key or not self._keys.knows(endpoint.project, key):
                return None
            if self._origins is not None and not self._origins.fits(endpoint.project, request.headers):
                return None
            header = _envelope_header(request.body, encoding)
            dsn, raw_id = header.get("dsn"), header.get("event_id")
            event_id = clean_id(raw_id)
            if (raw_id is not None and not event_id) or (dsn and not _is_of(dsn, endpoint.project, key)):
                return None
            meta = {
                "content_encoding": encoding,
                "content_type": request.headers.get(b"content-type", b"")[:200].decode("latin-1"),
                "client": find_client(request.headers, request.query),
                "peer": _peer({"client": request.client}, request.headers),
                "event_id": event_id,
            }
            record = Received(endpoint.project, "envelope", time.time(), meta, request.body)
            if self._quotas is not None:
                self._quotas.take(record)
            return record, self._spool.append_soon(record)
        except (Refused, SpoolFull):
            return None  # and is refused there, with its answer

    def answer_at_once(self, record: Received, error: BaseException | None) -> tuple[int, list[answers.Header], bytes]:
        """What is said when the record is on disk, or could not be written."""
        if error is None:
            self.accepted["envelope"] += 1
            self.accepted_bytes += len(record.body)
            return answers.kept(record.meta["event_id"])
        log.error("the spool cannot be written: %s; senders are told to come back", error)
        self._count_refused(record.project, "spool_failed")
        refused = _overloaded("envelope", "the spool cannot be written", "spool_failed", status=503)
        return answers.refused(refused, "envelope", "")

    async def close(self) -> None:
        """Keeps what quotas have counted; the spool is its owner's to close."""
        if self._quotas is not None:
            await self._quotas.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = endpoint_of(scope["path"])
        method = scope["method"]
        if endpoint is None:
            await _send(send, *answers.refused(_unknown_path(), None, ""))
        elif method == "OPTIONS":
            await self._permit(endpoint, scope, send)
        else:
            await self._answer(endpoint, method, scope, receive, send)

    async def _answer(self, endpoint: Endpoint, method: str, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        try:
            door = self._open_door(endpoint, method)
            if door == "store" and content_type.startswith("application/x-sentry-envelope"):
                door = "envelope"
            # The timer costs a tenth of the budget; our protocol says when the body is already here.
            if scope.get(body_is_here):
                record = await self._record(endpoint, door, headers, scope, receive)
            else:
                async with asyncio.timeout(limits.body_seconds_max):
                    record = await self._record(endpoint, door, headers, scope, receive)
            if self._origins is not None:
                await self._origins.check(record.project, headers)
            if self._quotas is not None:
                self._quotas.take(record)
            await self._keep(record)
        except Disconnected:
            self._count_refused(endpoint.project, "disconnected")
        except TimeoutError:
            detail = f"the body did not arrive within {limits.body_seconds_max} seconds"
            await self._refuse(Refused(408, detail, "timeout", closes=True), endpoint, content_type, send)
        except Refused as e:
            await self._refuse(e, endpoint, content_type, send)
        except KeysUnknown as e:
            refused = _overloaded(door, str(e), "keys_unknown", status=503)
            await self._refuse(refused, endpoint, content_type, send)
        else:
            self.accepted[door] += 1
            self.accepted_bytes += len(record.body)
            if method == "GET" and door == "store":
                await _send(send, *answers.pixel())
                return
            unreadable = int(record.meta.get("unreadable", "0"))
            await _send(send, *answers.kept_at(door, record.meta["event_id"], content_type, unreadable))

    async def _permit(self, endpoint: Endpoint, scope: Scope, send: Send) -> None:
        """A browser asks before it sends; to a page that may not it says so itself, and does not send."""
        try:
            if self._origins is not None and endpoint.project:  # else the key of the request itself decides
                await self._origins.check(endpoint.project, dict(scope["headers"]))
        except Refused as e:
            self._count_refused(endpoint.project, e.reason)
            await _send(send, *answers.not_permitted(e))
        else:
            await _send(send, *answers.preflight(_allowed(endpoint)))

    async def _refuse(self, e: Refused, endpoint: Endpoint, content_type: str, send: Send) -> None:
        self._count_refused(endpoint.project, e.reason)
        await _send(send, *answers.refused(e, endpoint.door, content_type))

    def _count_refused(self, project: str, reason: str) -> None:
        # Strangers choose the project in the path; only known ones get a line of their own.
        self.refused[project if self._keys.has_project(project) else "", reason] += 1

    def _open_door(self, endpoint: Endpoint, method: str) -> Door:
        door = endpoint.door
        if door is None or door not in self._doors:
            raise Refused(404, f"{endpoint.refusal or 'this address is not served'}; nothing was kept", "not_served")
        if method != "POST" and not (method == "GET" and door in _by_get):
            allow = _allowed(endpoint)
            raise Refused(
                405, f"{method} is not allowed here; send {allow.decode()}", "method", headers=((b"allow", allow),)
            )
        return door

    async def _record(
        self, endpoint: Endpoint, door: Door, headers: dict[bytes, bytes], scope: Scope, receive: Receive
    ) -> Received:
        query = scope["query_string"]
        encoding = _encoding(headers)
        key = find_key(headers, query)
        if endpoint.path_key:
            key = _agreed(key, endpoint.path_key)
        project = endpoint.project
        if key or door != "envelope":
            project = await self._admit(project, key)
        content_type = headers.get(b"content-type", b"")[:200].decode("latin-1")
        if door in _SIGNALS:
            export.check_content_type(content_type)
        body = await _body(headers, receive)
        if door == "store":
            address = query if scope["method"] == "GET" else b""
            body, encoding = await legacy.event_of(body, encoding, content_type, address)
        meta = {
            "content_encoding": encoding,
            "content_type": content_type,
            "client": find_client(headers, query),
            "peer": _peer(scope, headers),
            "event_id": "",
        }
        if door == "envelope":
            meta["event_id"] = await self._envelope(body, encoding, project, key)
        elif door == "store":
            meta["event_id"] = await legacy.event_id(body, encoding)
        elif door in _SIGNALS:
            meta["unreadable"] = str(await export.unreadable(body, encoding, content_type, _SIGNALS[door]))
        if len(body) > limits.inflate_check_bytes and encoding != "identity" and door not in _SIGNALS:
            await _check_size(body, encoding)
        if endpoint.slug or door == "security":
            meta |= {"slug": endpoint.slug, "query": query[:2000].decode("latin-1")}
        return Received(project, door, time.time(), meta, body)

    async def _admit(self, project: str, key: str) -> str:
        """The project that the key opens. Raises Refused."""
        if not key:
            raise Refused(
                401,
                "missing authorization information: send the key of your DSN in X-Sentry-Auth or ?sentry_key=",
                "auth_missing",
            )
        if not project:
            found = self._keys.projects_of(key)
            if not found:
                await self._keys.refresh()
                found = self._keys.projects_of(key)
            project = found[0] if found else "0"
        if not await self._keys.is_known(project, key):
            raise Refused(403, f"this key does not belong to project {project}; compare the DSN", "auth_refused")
        return project

    async def _envelope(self, body: bytes, encoding: str, project: str, key: str) -> str:
        """Checks the envelope header; its event id, "" when it has none."""
        header = _envelope_header(body, encoding)
        dsn = header.get("dsn")
        if isinstance(dsn, str) and dsn:
            await self._check_dsn(dsn, project, key)
        elif not key:
            await self._admit(project, key)  # refuses: the header was the last place to look
        raw_id = header.get("event_id")
        if raw_id is None:
            return ""
        event_id = clean_id(raw_id)
        if not event_id:
            raise Refused(400, "event_id in the envelope header is not 32 hex digits", "malformed")
        return event_id

    async def _check_dsn(self, text: str, project: str, key: str) -> None:
        """Only key and project are compared: host and port differ behind proxies and tunnels."""
        try:
            dsn = Dsn.parse(text)
        except DsnError as e:
            if key:
                return
            raise Refused(400, f"the dsn in the envelope header is not usable: {e}", "auth_malformed") from e
        if dsn.project != project or (key and dsn.key != key):
            raise Refused(403, "the dsn in the envelope header names another project or key", "auth_differs")
        if not key:
            await self._admit(project, dsn.key)

    async def _keep(self, record: Received) -> None:
        try:
            await self._spool.append(record)
        except SpoolFull as e:
            raise _overloaded(record.door, str(e), "backlog_full") from e
        except OSError as e:
            log.error("the spool cannot be written: %s; senders are told to come back", e)
            raise _overloaded(record.door, "the spool cannot be written", "spool_failed", status=503) from e


# ---- the body ------------------------------------------------------------------------------------


async def _body(headers: dict[bytes, bytes], receive: Receive) -> bytes:
    """All of the body, counted while it arrives. Raises Refused, Disconnected."""
    declared = headers.get(b"content-length")
    if declared is not None and int(declared) > limits.body_bytes_max:
        raise _too_large("the body", limits.body_bytes_max)
    message = await receive()
    first: bytes = message.get("body", b"")
    if message["type"] == "http.request" and not message.get("more_body"):
        if len(first) > limits.body_bytes_max:
            raise _too_large("the body", limits.body_bytes_max)
        return first
    parts = bytearray()
    while message["type"] == "http.request":
        parts += message.get("body", b"")
        if len(parts) > limits.body_bytes_max:
            raise _too_large("the body", limits.body_bytes_max)
        if not message.get("more_body"):
            return bytes(parts)
        message = await receive()
    raise Disconnected


def _too_large(what: str, bytes_max: int) -> Refused:
    return Refused(413, f"{what} is over the limit of {bytes_max} bytes", "too_large")


async def _check_size(body: bytes, encoding: str) -> None:
    """Large bodies are unpacked once at the door, off the event loop, so that a bomb is refused."""
    try:
        await asyncio.to_thread(inflate, body, encoding, limits.inflated_bytes_max)
    except TooLarge as e:
        raise Refused(413, str(e), "too_large") from e
    except InflateError as e:
        raise Refused(400, str(e), "malformed") from e


def _envelope_header(body: bytes, encoding: str) -> dict[str, Any]:
    if not body:
        raise Refused(400, "the body is empty; an envelope begins with a JSON header line", "malformed")
    try:
        line = peek.first_line(body, encoding, header_bytes_max)
    except peek.PeekError as e:
        raise Refused(400, str(e), "malformed") from e
    if len(line) > header_bytes_max:
        raise Refused(400, f"the envelope header is longer than {header_bytes_max} bytes", "malformed")
    try:
        header = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        header = _tolerant(line)
    if not isinstance(header, dict):
        raise Refused(400, "the envelope header, its first line, is not a JSON object", "malformed")
    return header


def _tolerant(line: bytes) -> object:
    """NaN and lone surrogates, which strict JSON refuses and old SDKs send."""
    try:
        return json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def _encoding(headers: dict[bytes, bytes]) -> str:
    found = peek.encoding_of(headers.get(b"content-encoding"))
    if found is None:
        named, known = headers[b"content-encoding"].decode("latin-1")[:50], ", ".join(peek.encodings)
        raise Refused(415, f"Content-Encoding {named!r} is not known; use one of {known}", "encoding")
    return found


# ---- small things --------------------------------------------------------------------------------


def _allowed(endpoint: Endpoint) -> bytes:
    return b"GET, POST, OPTIONS" if endpoint.door in _by_get else b"POST, OPTIONS"


def _is_of(dsn: object, project: str, key: str) -> bool:
    try:
        found = Dsn.parse(dsn) if isinstance(dsn, str) else None
    except DsnError:
        return False
    return found is not None and (found.project, found.key) == (project, key)


def _unknown_path() -> Refused:
    return Refused(404, "no such address; events go to /api/<project>/envelope/", "unknown_path")


def _agreed(key: str, path_key: str) -> str:
    if key and key != path_key:
        raise Refused(400, "the request names two different keys; send one, or the same in both places", "auth_differs")
    return path_key


def _peer(scope: Mapping[str, Any], headers: dict[bytes, bytes]) -> str:
    """Who sent it. X-Forwarded-For counts only from a proxy on this machine, and only the address that it added."""
    client = scope.get("client")
    address = str(client[0]) if client else ""
    forwarded = headers.get(b"x-forwarded-for")
    if forwarded and address in ("127.0.0.1", "::1", ""):
        return forwarded.rpartition(b",")[2].strip()[:45].decode("latin-1")
    return address


def _overloaded(door: Door, detail: str, reason: str, *, status: int = 429) -> Refused:
    seconds = limits.backlog_retry_seconds
    return Refused(
        503 if door in _never_429 else status,
        f"{detail}; nothing was kept, send it again in {seconds} seconds",
        reason,
        headers=(
            (b"retry-after", b"%d" % seconds),
            (b"x-sentry-rate-limits", b"%d::project:%s" % (seconds, reason.encode())),
        ),
    )


async def _send(send: Send, status: int, headers: list[answers.Header], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
