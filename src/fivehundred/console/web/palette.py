"""Everything there is, as one list of links: a page by itself, and what Ctrl-K looks through."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from fivehundred.console.web import render

places: Final = (
    ("Overview", "/", "g o"),
    ("Faults", "/faults", "g f"),
    ("Faults for review", "/faults?q=is:review", ""),
    ("Faults assigned to me", "/faults?q=assigned:me", ""),
    ("Faults assigned to nobody", "/faults?q=assigned:nobody", ""),
    ("High priority", "/faults?q=priority:high", ""),
    ("New in the last day", "/faults?q=is:any+first:%3C24h", ""),
    ("Muted faults", "/faults?q=is:muted", ""),
    ("Resolved faults", "/faults?q=is:resolved", ""),
    ("Incidents", "/incidents", "g i"),
    ("Releases", "/releases", "g r"),
    ("Routes", "/routes", "g t"),
    ("Projects", "/projects", "g p"),
    ("Alerts", "/alerts", "g a"),
    ("Settings", "/settings", "g s"),
    ("Owners", "/settings/owners", ""),
    ("Filters", "/settings/filters", ""),
    ("Losses", "/losses", "g l"),
    ("Malformed events", "/malformed", ""),
    ("Keyboard and search", "/help", "?"),
    ("API", "/api/v1/docs", ""),
)


def show(request: Request) -> Response:
    return render.page(request, "palette.html", {"nav": "", "line": "", "places": places})
