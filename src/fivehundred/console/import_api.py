"""Events out of the APIs of other trackers: Sentry and what answers like it (GlitchTip), and Bugsink.

Only what they document: https://docs.sentry.io/api/events/list-a-projects-error-events/ (``Link`` with cursors,
``X-Sentry-Rate-Limit-Reset``), and Bugsink's own ``/api/canonical/0/`` (``next``). The token goes to the host that was
named and to no other, whatever an answer or a redirect says. Where it stopped is kept after each page, so that an
import that was interrupted goes on from there; what is sent twice counts once.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import msgspec

from fivehundred import limits
from fivehundred.console.importing import ImportRefused, sent

_SENTRY: Final = re.compile(r"(?P<root>.*)/api/0/projects/(?P<org>[^/]+)/(?P<project>[^/]+)(?:/events)?/?")
_BUGSINK: Final = re.compile(r"(?P<root>.*)/api/canonical/0/projects/(?P<project>\d+)/?")
_LINK: Final = re.compile(r'rel="next"\s*;\s*results="true"\s*;\s*cursor="([^"]{1,500})"')
_scopes: Final = "Sentry's needs the scope project:read, Bugsink's issues:read and events:read"
_again: Final = (429, 500, 502, 503, 504)

forms: Final = (
    "https://HOST/api/0/projects/ORG/PROJECT/ of Sentry or GlitchTip, or https://HOST/api/canonical/0/projects/NUMBER/"
    " of Bugsink"
)


@dataclass(slots=True)
class Place:
    """How far it is; all of it is kept in a file between two runs."""

    address: str
    query: str = ""  # of the page that comes next
    issue: str = ""  # Bugsink: whose events are read
    issues_done: list[str] = field(default_factory=list)
    events: int = 0
    pages: int = 0
    done: bool = False


class Progress:
    """The place, kept in ``file`` when one is named. Raises ImportRefused for a file of another import."""

    def __init__(self, address: str, file: Path | None, tell: Callable[[Place], None]) -> None:
        self.place = Place(address)
        self._file = file
        self._tell = tell
        if file is not None and file.exists():
            try:
                self.place = msgspec.json.decode(file.read_bytes(), type=Place)
            except (OSError, msgspec.MsgspecError) as e:
                raise ImportRefused(f"{file} does not say how far an import is: {e}") from e
            if self.place.address != address:
                raise ImportRefused(f"{file} belongs to an import from {self.place.address}; name another file")

    def save(self) -> None:
        self.place.pages += 1
        self._tell(self.place)
        if self._file is not None:
            new = self._file.with_name(f"{self._file.name}.new")
            new.write_text(json.dumps(asdict(self.place)), "utf-8")
            os.replace(new, self._file)


def is_address(text: str) -> bool:
    return text.startswith(("http://", "https://"))


def events(address: str, token: str, progress: Progress) -> Iterator[dict[str, Any]]:
    """As their clients sent them. Raises ImportRefused; what was yielded before it is taken."""
    bare = address.partition("?")[0]
    bugsink, sentry = _BUGSINK.fullmatch(bare), _SENTRY.fullmatch(bare)
    if progress.place.done:
        return iter(())
    if bugsink:
        return _bugsink(Api(bugsink["root"], token), bugsink["project"], progress)
    if sentry:
        path = f"/api/0/projects/{sentry['org']}/{sentry['project']}/events/"
        return _sentry(Api(sentry["root"], token), path, progress)
    raise ImportRefused(f"the address is none of an API that is known; one looks like {forms}")


# ---- the trackers ----------------------------------------------------------------------------------


def _sentry(api: Api, path: str, progress: Progress) -> Iterator[dict[str, Any]]:
    """The newest first, as many a page as the server likes."""
    place = progress.place
    while not place.done:
        page, headers = api.get(path, place.query or "full=true")
        for row in _rows(page, path):
            raw = row
            if "entries" not in row:  # a list that says less than one event does
                raw, _ = api.get(f"{path}{quote(_id_of(row, path), safe='')}/", "")
            event = sent(raw)
            if event is not None:
                place.events += 1
                yield event
        found = _LINK.search(headers.get("link", ""))
        place.query = urlencode({"full": "true", "cursor": found[1]}) if found else ""
        place.done = found is None
        progress.save()


def _bugsink(api: Api, project: str, progress: Progress) -> Iterator[dict[str, Any]]:
    """Its lists of events hold no payloads: each event is asked for."""
    place, done = progress.place, set(progress.place.issues_done)
    for issue in _bugsink_list(api, "/api/canonical/0/issues/", urlencode({"project": project})):
        name = _id_of(issue, "issues")
        if name in done:
            continue
        query = place.query if place.issue == name else urlencode({"issue": name})
        place.issue = name
        while query:
            page, _ = api.get("/api/canonical/0/events/", query)
            for row in _results(page, "events"):
                raw, _ = api.get(f"/api/canonical/0/events/{quote(_id_of(row, 'events'), safe='')}/", "")
                event = sent(raw)
                if event is not None:
                    place.events += 1
                    yield event
            query = place.query = _next_query(page)
            if not query:
                place.issues_done.append(name)
            progress.save()
    place.done = True
    progress.save()


def _bugsink_list(api: Api, path: str, query: str) -> Iterator[dict[str, Any]]:
    while query:
        page, _ = api.get(path, query)
        yield from _results(page, path)
        query = _next_query(page)


def _next_query(page: Any) -> str:
    """Only the query of the address that the answer names: where it points to is not followed."""
    following = page.get("next")
    return urlencode(parse_qsl(urlsplit(following).query)) if isinstance(following, str) else ""


def _results(page: Any, what: str) -> list[dict[str, Any]]:
    if not isinstance(page, dict):
        raise ImportRefused(f"the list of {what} is no JSON object")
    return _rows(page.get("results"), what)


def _rows(page: Any, what: str) -> list[dict[str, Any]]:
    if not isinstance(page, list) or not all(isinstance(row, dict) for row in page):
        raise ImportRefused(f"{what} is no list of JSON objects; is the address one of the API?")
    return page


def _id_of(row: dict[str, Any], what: str) -> str:
    found = row.get("eventID") or row.get("id")
    if not isinstance(found, str) or not found:
        raise ImportRefused(f"a row of {what} has no id")
    return found


# ---- HTTP ------------------------------------------------------------------------------------------


class Api:
    """One connection to one host. Follows no redirect; waits when it is told to, and when the server is ill."""

    def __init__(self, root: str, token: str) -> None:
        parts = urlsplit(root)
        self._host = parts.netloc.rpartition("@")[2]
        self._prefix = parts.path.rstrip("/")
        self._secure = parts.scheme == "https"
        self._token = token
        self._connection: http.client.HTTPConnection | None = None

    def get(self, path: str, query: str) -> tuple[Any, dict[str, str]]:
        """(the JSON, the headers). Raises ImportRefused."""
        target = f"{self._prefix}{path}" + (f"?{query}" if query else "")
        deadline, pause = time.monotonic() + limits.import_wait_s_max, limits.import_pause_s
        while True:
            status, headers, body = self._once(target)
            if status == 200:
                return self._json(body, target), headers
            wait = _told_wait(headers) or pause
            if status not in _again or time.monotonic() + wait > deadline:
                raise ImportRefused(self._refusal(status, target, headers) + _detail(body))
            time.sleep(wait)
            pause = min(2 * pause, 60.0)

    def _once(self, target: str) -> tuple[int, dict[str, str], bytes]:
        """Status 503 for a server that cannot be reached or breaks off: it may be back in a moment."""
        headers = {"Accept": "application/json", "User-Agent": "fivehundred-import"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            if self._connection is None:
                kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
                self._connection = kind(self._host, timeout=limits.import_timeout_s)
            self._connection.request("GET", target, headers=headers)
            answer = self._connection.getresponse()
            body = answer.read(limits.import_page_bytes_max + 1)
            if len(body) > limits.import_page_bytes_max:
                raise ImportRefused(f"{target} answers more than {limits.import_page_bytes_max} bytes")
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body
        except (OSError, http.client.HTTPException) as e:
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            return 503, {"error": f"{type(e).__name__}: {e}"}, b""

    def _json(self, body: bytes, target: str) -> Any:
        try:
            return msgspec.json.decode(body)
        except msgspec.DecodeError as e:
            raise ImportRefused(f"{target} answers 200 with what is no JSON ({e}); go on later from where it is") from e

    def _refusal(self, status: int, target: str, headers: dict[str, str]) -> str:
        said = {
            401: f"the token is not accepted; give one with --token ({_scopes})",
            403: f"the token may not read this ({_scopes})",
            404: "there is no such project, or the token does not see it",
            429: f"it asks for more patience than {limits.import_wait_s_max} s; go on later",
        }.get(status, headers.get("error", ""))
        if 300 <= status < 400:
            said = (
                f"it points to {headers.get('location', 'nowhere')[:200]}; name that address yourself if you trust it"
            )
        return f"{self._host}{target[:200]} answers {status}" + (f": {said}" if said else "")


def _detail(body: bytes) -> str:
    """What it says itself: in one line, and no more than one."""
    try:
        said = msgspec.json.decode(body).get("detail")
    except (msgspec.DecodeError, AttributeError):
        return ""
    return f"; it says {' '.join(said.split())[:200]!r}" if isinstance(said, str) and said else ""


def _told_wait(headers: dict[str, str]) -> float:
    """Seconds; 0 when it does not say."""
    after = headers.get("retry-after", "")
    if re.fullmatch(r"\d{1,6}", after):
        return max(0.1, float(after))
    reset = headers.get("x-sentry-rate-limit-reset", "")
    if re.fullmatch(r"\d{9,12}(?:\.\d+)?", reset):
        return max(0.1, float(reset) - time.time())
    return 0.0
