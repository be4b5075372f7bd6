"""Replay: the failed request as a curl command and as a pytest test. What was scrubbed must be filled in.

Everything of the request is quoted for the language it is written into; nothing of it is interpreted.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import Final
from urllib.parse import urlsplit

from fivehundred import limits
from fivehundred.event import Event, Request

headers_kept: Final = ("accept", "content-type", "accept-language")


def curl(event: Event) -> list[str]:
    request = event.request
    if request is None or not request.url:
        return []
    parts = ["curl", "-i", "-X", _method(request), shlex.quote(_url(request))]
    for name, value in _headers(request):
        parts += ["-H", shlex.quote(f"{name}: {value}")]
    body = _body(request)
    if body:
        parts += ["--data-binary", shlex.quote(body)]
    return [" ".join(parts)]


def pytest(event: Event) -> list[str]:
    """For any client with ``request(method, path, ...)``: Starlette's, Flask's ``open`` takes the same names."""
    request = event.request
    if request is None or not request.url:
        return []
    split = _split(_url(request))
    arguments = [repr(_method(request)), repr(split)]
    headers = dict(_headers(request))
    if headers:
        arguments.append(f"headers={headers!r}")
    body = _body(request)
    if body:
        arguments.append(f"content={body!r}")
    path = "_".join(word for word in re.findall(r"[A-Za-z][A-Za-z0-9-]*", split.partition("?")[0]))
    name = re.sub(r"\W+", "_", f"{_method(request)}_{path}".lower()).strip("_")[:60] or "request"
    return [
        f"def test_{name}_does_not_fail(client):",
        f"    answer = client.request({', '.join(arguments)})",
        "    assert answer.status_code < 500",
    ]


def _method(request: Request) -> str:
    return request.method if re.fullmatch(r"[A-Z]{1,20}", request.method) else "GET"


def _url(request: Request) -> str:
    url = request.url
    if request.query_string and "?" not in url:
        url = f"{url}?{request.query_string.lstrip('?')}"
    if url.isprintable() and " " not in url:
        return url
    return "".join(c for c in url if c.isprintable() and c not in " \t")


def _split(url: str) -> str:
    try:
        split = urlsplit(url)
    except ValueError:
        return "/"
    return (split.path or "/") + (f"?{split.query}" if split.query else "")


def _headers(request: Request) -> list[tuple[str, str]]:
    found = []
    for name, value in request.headers.items():
        if name.lower() in headers_kept and value.isprintable() and name.isprintable():
            found.append((name, value[:500]))
    return found


def _body(request: Request) -> str:
    data = request.data
    if data in (None, "", {}, []):
        return ""
    if isinstance(data, str):
        return data[: limits.replay_body_chars_max]
    return json.dumps(data, ensure_ascii=False)[: limits.replay_body_chars_max]
