"""One call with the standard library alone, under the same policy: what ``fivehundred get`` uses. Not for programs:
it keeps no connection open and knows no proxy."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from fivehundred import limits
from fivehundred.client.connecting import in_time
from fivehundred.client.course import Course
from fivehundred.client.errors import CallFailed, Facts, class_for
from fivehundred.client.exchange import exchange
from fivehundred.client.hooks import Hook
from fivehundred.client.keys import key_header
from fivehundred.client.origin import origin
from fivehundred.client.policy import Outcome, Policy
from fivehundred.client.problem_reader import read
from fivehundred.client.retry_after import retry_after_s
from fivehundred.client.scope import attempt_header, deadline_header
from fivehundred.client.sockets import ClampedResponse, left_s, until


@dataclass(slots=True)
class Answer:
    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes
    failure: str = ""  # "cut" or "timeout": of the body, not all came

    @property
    def whole(self) -> bool:
        return not self.failure

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")


@dataclass(slots=True)
class Sending:
    """What is to be sent."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


def fetch(sending: Sending, policy: Policy, hooks: Sequence[Hook] = ()) -> Answer:
    """Raises an error of ``errors``, or OSError for what is no matter of the server (a certificate)."""
    parts = urlsplit(sending.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{sending.url!r} is no address that can be asked; it begins with http:// or https://")
    keyed = any(name.lower() == key_header.lower() for name in sending.headers)
    host = f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}"
    course = Course(policy, origin(host), sending.method.upper(), sending.url, keyed=keyed, hooks=hooks)
    return exchange(course, _Wire(sending))


class _Wire:
    def __init__(self, sending: Sending) -> None:
        self.sending = sending
        self.connected = False

    def send(self, course: Course) -> Answer:
        self.connected = False
        parts = urlsplit(self.sending.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=course.attempt_s)
        connection.response_class = ClampedResponse
        connecting: Any = connection  # http.client's own place for another way to connect
        connecting._create_connection = _create_connection
        headers = {"Accept": "application/problem+json, */*;q=0.9", "User-Agent": "fivehundred-get"}
        headers[deadline_header] = str(int(course.attempt_s * 1000))
        if course.retries:
            headers[attempt_header] = str(course.number)
        token = until.set(course.attempt_ends)
        try:
            connection.timeout = left_s(course.attempt_s)  # certificates have been read since the attempt began
            connection.connect()
            self.connected = True
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request(self.sending.method, target, self.sending.body, {**headers, **self.sending.headers})
            response = connection.getresponse()
            if response.status < 500:
                until.set(course.deadline)
            return _received(response)
        finally:
            until.reset(token)
            connection.close()

    def bad(self, answer: Answer) -> Outcome | None:
        if answer.status >= 500 or answer.status == 429:
            headers = {name.lower(): value for name, value in answer.headers}
            wait = retry_after_s(headers.get("retry-after", ""), time.time())
            told = read(headers, answer.body, answer.whole)
            return Outcome(answer.status, told=told, retry_after=wait, body=answer.body)
        return Outcome(answer.status, answer.failure) if answer.failure else None

    def broken(self, error: Exception) -> Outcome | None:
        if isinstance(error, ssl.SSLCertVerificationError) or not isinstance(
            error, OSError | http.client.HTTPException
        ):
            return None
        if not self.connected:
            return Outcome(failure="connect")
        return Outcome(failure="timeout" if isinstance(error, TimeoutError | socket.timeout) else "reset")

    def error(self, facts: Facts, answer: Answer | None, cause: Exception | None) -> CallFailed:
        return class_for(facts)(facts, answer)


def _create_connection(address: tuple[str, int], timeout: float, source: Any = None) -> socket.socket:
    return in_time(address[0], timeout, lambda: socket.create_connection(address, timeout, source))


def _received(response: http.client.HTTPResponse) -> Answer:
    chunks: list[bytes] = []
    size, failure = 0, ""
    most = limits.error_body_bytes_max if response.status >= 500 else limits.get_body_bytes_max
    try:
        while size < most and (chunk := response.read1(64 * limits.KIB)):
            chunks.append(chunk)
            size += len(chunk)
        # http.client ends a body that stopped early without a word, if it is read in pieces
        failure = "cut" if size >= most or response.length else ""
    except TimeoutError:
        failure = "timeout"
    except (OSError, http.client.HTTPException):
        failure = "cut"
    return Answer(response.status, response.reason, response.getheaders(), b"".join(chunks), failure)
