"""The ingest: everything that SDKs and exporters send goes through here into the spool.

It checks the key, the sizes and whatever of the form can be seen cheaply, appends the bytes as they came and answers
when they are on disk. It parses no payload and knows no store: that is the digest's work, in another process.

Two ways in. ``expected`` and ``take`` are for a server that has the whole of a small request at hand: nothing in them
waits. Everything else, and whatever they leave, comes as an ASGI request. ``judge`` decides for both.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from fivehundred import limits
from fivehundred.console.ingest import answers, judge
from fivehundred.console.ingest.auth import Refused
from fivehundred.console.ingest.doors import Endpoint, endpoint_of
from fivehundred.console.ingest.judge import Head, Opened
from fivehundred.console.ingest.keys import KeyBook, KeysUnknown
from fivehundred.console.ingest.origins import Origins
from fivehundred.console.ingest.quotas import Quotas
from fivehundred.console.spool.base import Door, Received, SpoolFull, SpoolWriter

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

log = logging.getLogger("fivehundred.console.ingest")

_never_429: Final = ("check_in",)  # its clients do not know the answer


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

    async def close(self) -> None:
        """Keeps what quotas have counted; the spool is its owner's to close."""
        if self._quotas is not None:
            await self._quotas.close()

    # ---- a request that is at hand, without waiting

    def expected(self, head: Head, body_bytes: int) -> Opened | None:
        """The head of a request that ``take`` may have when its body is here. None: it is one for ``__call__``."""
        try:
            request = judge.opened(head, self._doors)
        except Refused:
            return None  # and is refused there
        if not request.key or not judge.is_light(request, body_bytes):
            return None
        if not self._keys.knows(request.project, request.key):
            return None
        if self._origins is not None and not self._origins.fits(request.project, head.headers):
            return None
        return request

    def take(self, request: Opened, body: bytes) -> tuple[Received, asyncio.Future[None]]:
        """The record, and when it is on disk: ``written`` answers then. Raises Refused."""
        judge.check_before_body(request)
        record = judge.record(request, body, time.time())
        return record, self._appended(record)

    def written(self, request: Opened, record: Received, error: BaseException | None) -> answers.Answer:
        """What is said when the record is on disk, or could not be written."""
        if error is not None:
            return self.refuse(_unwritten(record, error), request.head)
        self.accepted[record.door] += 1
        self.accepted_bytes += len(record.body)
        if request.head.method == "GET" and record.door == "store":
            return answers.pixel()
        unreadable = int(record.meta.get("unreadable", "0"))
        return answers.kept_at(record.door, record.meta["event_id"], request.content_type, unreadable)

    def refuse(self, e: Refused, head: Head) -> answers.Answer:
        self.count_refused(head.endpoint.project, e.reason)
        content_type = head.headers.get(b"content-type", b"").decode("latin-1")
        return answers.refused(e, head.endpoint.door, content_type)

    def count_refused(self, project: str, reason: str) -> None:
        # Strangers choose the project in the path; only known ones get a line of their own.
        self.refused[project if self._keys.has_project(project) else "", reason] += 1

    def _appended(self, record: Received) -> asyncio.Future[None]:
        if self._quotas is not None:
            self._quotas.take(record)
        try:
            return self._spool.append_soon(record)
        except SpoolFull as e:
            raise _overloaded(record.door, str(e), "backlog_full") from e

    # ---- ASGI

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = endpoint_of(scope["path"])
        if endpoint is None:
            detail = "no such address; events go to /api/<project>/envelope/"
            await _send(send, answers.refused(Refused(404, detail, "unknown_path"), None, ""))
            return
        head = Head(endpoint, scope["method"], scope["query_string"], dict(scope["headers"]), scope.get("client"))
        if head.method == "OPTIONS":
            await _send(send, await self._permit(endpoint, head))
        else:
            answer = await self._answer(head, receive)
            if answer is not None:
                await _send(send, answer)

    async def _permit(self, endpoint: Endpoint, head: Head) -> answers.Answer:
        """A browser asks before it sends; to a page that may not it says so itself, and does not send."""
        try:
            if self._origins is not None and endpoint.project:  # else the key of the request itself decides
                await self._origins.check(endpoint.project, head.headers)
        except Refused as e:
            self.count_refused(endpoint.project, e.reason)
            return answers.not_permitted(e)
        return answers.preflight(judge.allowed(endpoint))

    async def _answer(self, head: Head, receive: Receive) -> answers.Answer | None:
        """None when nobody is left to hear it."""
        try:
            request = judge.opened(head, self._doors)
            async with asyncio.timeout(limits.body_seconds_max):
                record = await self._record(request, receive)
            if self._origins is not None:
                await self._origins.check(record.project, head.headers)
            written = self._appended(record)
        except Disconnected:
            self.count_refused(head.endpoint.project, "disconnected")
            return None
        except TimeoutError:
            return self.refuse(too_slow(), head)
        except Refused as e:
            return self.refuse(e, head)
        except KeysUnknown as e:
            return self.refuse(_overloaded(head.endpoint.door, str(e), "keys_unknown", status=503), head)
        await asyncio.wait([written])
        return self.written(request, record, written.exception())

    async def _record(self, request: Opened, receive: Receive) -> Received:
        if request.key or request.door != "envelope":
            await self._admit(request)
        judge.check_before_body(request)
        body = await _body(receive)
        if not request.key:
            request.key = judge.key_in_envelope(request, body)
            await self._admit(request)
        if judge.is_light(request, len(body)):
            return judge.record(request, body, time.time())
        return await asyncio.to_thread(judge.record, request, body, time.time())

    async def _admit(self, request: Opened) -> None:
        """Raises Refused for a key that is none of this project. Without a project the key decides which it is."""
        if not request.key:
            raise judge.missing_key()
        if not request.project:
            found = self._keys.projects_of(request.key)
            if not found:
                await self._keys.refresh()
                found = self._keys.projects_of(request.key)
            request.project = found[0] if found else "0"
        if not await self._keys.is_known(request.project, request.key):
            detail = f"this key does not belong to project {request.project}; compare the DSN"
            raise Refused(403, detail, "auth_refused")


async def _body(receive: Receive) -> bytes:
    """All of the body, counted while it arrives. Raises Refused, Disconnected."""
    parts: list[bytes] = []
    left = limits.body_bytes_max
    while (message := await receive())["type"] == "http.request":
        parts.append(message.get("body", b""))
        left -= len(parts[-1])
        if left < 0:
            raise judge.body_too_large()
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)
    raise Disconnected


def too_slow() -> Refused:
    detail = f"the body did not arrive within {limits.body_seconds_max} seconds"
    return Refused(408, detail, "timeout", closes=True)


def _unwritten(record: Received, error: BaseException) -> Refused:
    log.error("the spool cannot be written: %s; senders are told to come back", error)
    return _overloaded(record.door, "the spool cannot be written", "spool_failed", status=503)


def _overloaded(door: Door | None, detail: str, reason: str, *, status: int = 429) -> Refused:
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


async def _send(send: Send, answer: answers.Answer) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    await send({"type": "http.response.body", "body": answer.body})
