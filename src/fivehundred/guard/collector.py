"""One collector, spoken to over one kept connection: sends an envelope and says what became of it.

Knows HTTP and Sentry's rate limits, and nothing of spools. Used by the shipping thread alone.
"""

from __future__ import annotations

import contextlib
import os
import time
import zlib
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from fivehundred import __version__, limits
from fivehundred.envelope import Dsn
from fivehundred.guard.imports import imports

if TYPE_CHECKING:
    from http.client import HTTPConnection, HTTPResponse


class Outcome(NamedTuple):
    kind: Literal["delivered", "refused", "later"]
    wait_s: float = 0.0  # before the next envelope
    asked: bool = False  # the collector asked for that wait
    reason: str = ""
    too_large: bool = False  # refused for its size alone


class Collector:
    def __init__(self, dsn: Dsn) -> None:
        self.dsn = dsn
        self.last_error = ""  # why the last try failed; empty after one that did not
        self._connection: HTTPConnection | None = None
        self._failures = 0
        self._failing_since = 0.0

    def send(self, envelope: bytes) -> Outcome:
        body = _gzip(envelope)
        fresh = self._connection is None
        try:
            return self._post(body)
        except OSError as e:
            self.close()
            if fresh:
                return self._later(f"{type(e).__name__}: {e}")
        try:  # a kept connection may have been closed meanwhile: that is no failure of the collector
            return self._post(body)
        except OSError as e:
            self.close()
            return self._later(f"{type(e).__name__}: {e}")

    def _post(self, body: bytes) -> Outcome:
        """Raises OSError for whatever keeps the request from being answered."""
        with imports:
            from http.client import HTTPException  # brings ssl: not on the import of the Guard, nor on a request

        if self._connection is None:
            self._connection = _connect(self.dsn)
        try:
            self._connection.request("POST", self.dsn.envelope_path, body, _headers(self.dsn))
            response = self._connection.getresponse()
            detail = response.read(_answer_bytes_max)
        except HTTPException as e:
            raise ConnectionError(f"no HTTP answer: {type(e).__name__}") from e
        if response.will_close or not response.isclosed():
            self.close()
        return self._judged(response, detail)

    def _judged(self, response: HTTPResponse, detail: bytes) -> Outcome:
        asked = _asked_wait(response)
        if 200 <= response.status < 300:
            self._failures, self.last_error = 0, ""
            return Outcome("delivered", asked, asked=asked > 0)
        reason = f"{response.status} {detail[:200].decode('utf-8', 'replace')}"
        if response.status in (400, 413, 415, 422):
            self.last_error = reason
            return Outcome("refused", reason=reason, too_large=response.status == 413)
        if response.status == 429 and not asked:
            asked = _bare_429_s
        if asked:
            self.last_error = reason
            return Outcome("later", asked * (1 + _chance() / 10), asked=True, reason=reason)
        return self._later(reason)  # 401, 403, 404: a key or an address that somebody may put right

    def _later(self, reason: str) -> Outcome:
        if self._failures == 0:
            self._failing_since = time.monotonic()
        self._failures += 1
        self.last_error = reason
        return Outcome("later", backoff(self._failures, time.monotonic() - self._failing_since), reason=reason)

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.close()
            self._connection = None


_answer_bytes_max: Final = 64 * limits.KIB
_bare_429_s: Final = 60.0  # what every Sentry SDK takes a 429 without headers for


def backoff(failures: int, since_s: float) -> float:
    """Seconds until the next try: doubling, with jitter, so that the processes of a fleet do not come back together."""
    longest: float = limits.ship_backoff_long_s if since_s > limits.ship_long_outage_s else limits.ship_backoff_max_s
    wait = min(longest, limits.ship_backoff_first_s * 2.0 ** min(failures - 1, 10))
    return wait * (0.5 + _chance() / 2)


def _chance() -> float:
    """From 0 to 1. The module of that name takes ten times as long to import as this one."""
    return os.urandom(1)[0] / 255


def _gzip(data: bytes) -> bytes:
    packer = zlib.compressobj(5, wbits=31)
    return packer.compress(data) + packer.flush()


def _headers(dsn: Dsn) -> dict[str, str]:
    agent = f"fivehundred.guard/{__version__}"
    return {
        "Content-Type": "application/x-sentry-envelope",
        "Content-Encoding": "gzip",
        "User-Agent": agent,
        "X-Sentry-Auth": f"Sentry sentry_version=7, sentry_client={agent}, sentry_key={dsn.key}",
    }


def _connect(dsn: Dsn) -> HTTPConnection:
    with imports:
        from http.client import HTTPConnection, HTTPSConnection

    kind = HTTPSConnection if dsn.scheme == "https" else HTTPConnection
    proxy = _proxy(dsn)
    if proxy is None:
        return kind(dsn.host, dsn.port, timeout=limits.ship_timeout_s)
    connection = kind(*proxy, timeout=limits.ship_timeout_s)
    connection.set_tunnel(dsn.host, dsn.port)
    return connection


def _proxy(dsn: Dsn) -> tuple[str, int] | None:
    """The proxy that the environment names for this host (HTTPS_PROXY, NO_PROXY); never for this machine itself."""
    if dsn.host in ("localhost", "127.0.0.1", "::1"):
        return None
    with imports:
        from urllib.parse import urlsplit
        from urllib.request import getproxies, proxy_bypass

    address = getproxies().get(dsn.scheme)
    if not address or proxy_bypass(dsn.host):
        return None
    parts = urlsplit(address if "://" in address else f"http://{address}")
    return (parts.hostname, parts.port or 8080) if parts.hostname else None


def _asked_wait(response: HTTPResponse) -> float:
    """Seconds that the collector asks errors to wait for: by category, or by Retry-After for everything."""
    limited = response.headers.get("X-Sentry-Rate-Limits")
    if limited is not None:
        return min(_limited_s(limited), limits.retry_after_max_s)
    if response.status < 400:
        return 0.0
    return min(_retry_after_s(response.headers.get("Retry-After", "")), limits.retry_after_max_s)


def _limited_s(header: str) -> float:
    """The longest of the limits that concern errors; an empty list of categories concerns everything."""
    longest = 0.0
    for limit in header.split(","):
        fields = limit.strip().split(":")
        categories = fields[1].split(";") if len(fields) > 1 and fields[1] else []
        if not categories or "error" in categories or "default" in categories:
            longest = max(longest, _seconds(fields[0]))
    return longest


def _retry_after_s(header: str) -> float:
    seconds = _seconds(header)
    if seconds or not header:
        return seconds
    with imports:
        from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0 < value < 1e9 else 0.0
