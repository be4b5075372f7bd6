"""Network error reports of browsers: a 5xx that a browser saw is a failure, whatever the server knows of it."""

from __future__ import annotations

from urllib.parse import urlsplit

from fivehundred.event import Json, context_name, text, tree


def event_of(report: dict[str, Json], received_at: float) -> dict[str, Json] | None:
    """The event of one report; None for what is not an answer of 5xx: those never reached the server."""
    body = report.get("body")
    found = body if isinstance(body, dict) else {}
    status = found.get("status_code")
    if not isinstance(status, int) or not 500 <= status <= 599 or found.get("type") != "http.error":
        return None
    method, url, age = text(found.get("method"), 16) or "GET", text(report.get("url"), 2000), report.get("age")
    path = _path(url)
    ago_s = age / 1000 if isinstance(age, int | float) and 0 <= age < 86_400_000 else 0.0
    return {
        "platform": "javascript",
        "level": "error",
        "logger": "nel",
        "message": f"{method} {path} was answered with {status}, as a browser saw it",
        "transaction": f"{method} {path}",
        "request": {"method": method, "url": url, "headers": {"Referer": text(found.get("referrer"))}},
        "contexts": {context_name: {"status": status, "method": method}},
        "extra": {"nel": tree(found)},
        "timestamp": received_at - ago_s,
    }


def _path(url: str) -> str:
    try:
        return urlsplit(url).path or "/"
    except ValueError:
        return "/"
