"""What a newcomer needs: the lines for the chosen framework, a test 500, and checks that say in words what is wrong."""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request

from fivehundred.console.site import Site
from fivehundred.console.store.base import Project
from fivehundred.event import new_id

_timeout_s: Final = 5.0
_clock_s_max: Final = 60.0
_guard: Final = 'import fivehundred\n\nguard = fivehundred.Guard(dsn="{dsn}")\n'
# name in an address -> (words, install, code)
frameworks: Final[dict[str, tuple[str, str, str]]] = {
    "flask": ("Flask", "pip install fivehundred", _guard + "guard.flask(app)"),
    "fastapi": ("FastAPI", "pip install fivehundred", _guard + "guard.fastapi(app)"),
    "django": (
        "Django",
        "pip install fivehundred",
        "# settings.py; export FIVEHUNDRED_DSN={dsn}\n"
        'MIDDLEWARE = ["fivehundred.guard.django.Guard", *MIDDLEWARE]  # first in the list',
    ),
    "starlette": ("Starlette", "pip install fivehundred", _guard + "guard.starlette(app)"),
    "litestar": ("Litestar", "pip install fivehundred", _guard + "guard.litestar(app)  # before the first request"),
    "quart": ("Quart", "pip install fivehundred", _guard + "guard.quart(app)"),
    "sanic": ("Sanic", "pip install fivehundred", _guard + "guard.sanic(app)"),
    "aiohttp": ("aiohttp", "pip install fivehundred", _guard + "guard.aiohttp(app)  # when its middlewares are there"),
    "tornado": ("Tornado", "pip install fivehundred", _guard + "guard.tornado(app)"),
    "falcon": ("Falcon", "pip install fivehundred", _guard + "app = guard.falcon(app)"),
    "pyramid": (
        "Pyramid",
        "pip install fivehundred",
        _guard + "app = guard.pyramid(config)  # in the place of config.make_wsgi_app()",
    ),
    "bottle": ("Bottle", "pip install fivehundred", _guard + "guard.bottle(app)"),
    "asgi": ("any ASGI application", "pip install fivehundred", _guard + "app = guard.asgi(app)"),
    "wsgi": ("any WSGI application", "pip install fivehundred", _guard + "app = guard.wsgi(app)"),
    "celery": ("Celery", "pip install fivehundred", _guard + "guard.celery(app)"),
    "sentry": (
        "sentry-sdk (Python)",
        "pip install sentry-sdk",
        'import sentry_sdk\n\nsentry_sdk.init(dsn="{dsn}")',
    ),
    "node": (
        "Node",
        "npm install @sentry/node",
        'import * as Sentry from "@sentry/node";\n\nSentry.init({{ dsn: "{dsn}" }});',
    ),
}


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    good: bool
    text: str  # what was seen, and when it is not good what to do


def framework(name: str) -> str:
    return name if name in frameworks else "flask"


def snippet(name: str, dsn: str) -> tuple[str, str]:
    """(what to install, what to write)."""
    _, install, code = frameworks[framework(name)]
    return install, code.format(dsn=dsn)


def checks(request: Request, site: Site, project: Project) -> list[Check]:
    """Of the address in the DSN, the way in, and what came so far."""
    return [_address(request, site), _clock(request), _arrived(site, project)]


def send_test(site: Site, project: Project) -> tuple[str, str]:
    """An event over HTTP to this Console's own door: (its reference, why it was refused)."""
    reference = new_id()
    url = urlsplit(site.dsn(project))
    head = {"event_id": reference, "sent_at": datetime.now(UTC).isoformat()}
    body = "\n".join(json.dumps(part) for part in (head, {"type": "event"}, _event(reference))).encode()
    headers = {
        "Content-Type": "application/x-sentry-envelope",
        "X-Sentry-Auth": f"Sentry sentry_version=7, sentry_client=fivehundred-test/1, sentry_key={project.key}",
    }
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.hostname or "", url.port, timeout=_timeout_s)
    try:
        connection.request("POST", f"{url.path.rpartition('/')[0]}/api/{project.id}/envelope/", body, headers)
        answer = connection.getresponse()
        said = answer.read(2_000).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as e:
        return reference, (
            f"Nothing answered at {url.hostname}:{url.port or ''} ({e}). That is the address in the DSN:"
            " start the Console with --public-url and the address that applications reach it at."
        )
    finally:
        connection.close()
    return reference, "" if answer.status == 200 else f"The door answered {answer.status}: {said[:300]}"


def _event(reference: str) -> dict[str, object]:
    frame = {
        "filename": "fivehundred/console/web/onboarding.py",
        "function": "send_test",
        "module": "fivehundred.console.web.onboarding",
        "lineno": 1,
        "in_app": True,
        "context_line": "    raise TestError()  # nothing is wrong: somebody pressed the button",
    }
    error = {
        "type": "TestError",
        "value": "a test 500, sent from the project's page",
        "stacktrace": {"frames": [frame]},
    }
    return {
        "event_id": reference,
        "timestamp": time.time(),
        "platform": "python",
        "environment": "test",
        "transaction": "/test",
        "exception": {"values": [error]},
        "request": {"method": "GET", "url": "/test"},
    }


def _address(request: Request, site: Site) -> Check:
    """Whether the address in the DSN is the one by which this page was reached."""
    given, used = urlsplit(site.public_url).netloc, request.headers.get("host", "")
    if given == used:
        return Check("Address", True, f"The DSN names {given}, where you are reading this.")
    return Check(
        "Address",
        False,
        f"The DSN names {given}, and you are reading this at {used}. Applications must reach the first one;"
        f" if they cannot, start the Console with --public-url {request.url.scheme}://{used}",
    )


def _clock(request: Request) -> Check:
    """Of the browser or forwarder, where its request says what time it is there."""
    try:
        theirs = parsedate_to_datetime(request.headers.get("date", "")).timestamp()
    except (TypeError, ValueError):
        stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return Check("Clock", True, f"It is {stamp} here. Events of senders whose clock differs are corrected.")
    off = theirs - time.time()
    good = abs(off) <= _clock_s_max
    return Check("Clock", good, f"Your clock and this one differ by {abs(off):.0f} s" + ("." if good else ": set one."))


def _arrived(site: Site, project: Project) -> Check:
    """What the door and the digest have seen of this project."""
    refused = {reason: count for (of, reason), count in site.refused().items() if of == project.id}
    stats = site.store().stats(project.id, hours=24, now=time.time())
    received = sum(t.quantity for t in stats.tallies if t.outcome == "received")
    if refused:
        said = ", ".join(f"{count} × {reason}" for reason, count in sorted(refused.items(), key=lambda r: -r[1])[:3])
        return Check("Way in", False, f"Requests were refused: {said}. A wrong key means an old DSN: copy it again.")
    if received or stats.events:
        return Check("Way in", True, f"{max(received, stats.events):,} items were received, none refused.")
    return Check("Way in", True, "Nothing has knocked yet: no request for this project came in, none was refused.")
