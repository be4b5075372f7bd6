"""The edge of the API: what handlers return or raise becomes an answer. The one place that catches for them."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeAlias

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from fivehundred import limits
from fivehundred.console.access.identity import MayNot
from fivehundred.console.api import shapes
from fivehundred.console.channels.base import BadSettings, ChannelError
from fivehundred.console.store.base import BadCursor, NotFound
from fivehundred.console.store.people import LastOwner, NameTaken, PersonRefused
from fivehundred.console.store.triage import TriageRefused
from fivehundred.console.vault import CannotOpen
from fivehundred.console.web import edge, forms

Reader: TypeAlias = Callable[[Request], object]
Changer: TypeAlias = Callable[[Request, bytes], object]


def reads(reader: Reader, *known: str) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        unknown = sorted(set(request.query_params) - set(known))
        if unknown:  # ignored silently, a misspelled filter would answer with everything
            takes = f"this path takes {', '.join(known)}" if known else "this path takes none"
            raise HTTPException(400, f"unknown parameter {', '.join(unknown)[:100]}; {takes}")
        return await _answer(request, lambda: reader(request))

    return endpoint


def changes(changer: Changer) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        if not forms.same_site(request):
            raise HTTPException(403, "changes are taken from programs and from this Console's own pages only")
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise HTTPException(415, 'send a JSON object with "Content-Type: application/json"')
        try:
            body = await forms.bounded(request)
        except forms.FormRefused as e:
            raise HTTPException(e.status, str(e)) from e
        return await _answer(request, lambda: changer(request, body))

    return endpoint


def removes(reader: Reader) -> Callable[[Request], Awaitable[Response]]:
    """A change that needs no body."""

    async def endpoint(request: Request) -> Response:
        if not forms.same_site(request):
            raise HTTPException(403, "changes are taken from programs and from this Console's own pages only")
        return await _answer(request, lambda: reader(request))

    return endpoint


async def _answer(request: Request, work: Callable[[], object]) -> Response:
    try:
        body = await run_in_threadpool(lambda: msgspec.json.encode(work()))
    except HTTPException:
        raise
    except NotFound as e:
        raise HTTPException(404, str(e)) from e
    except MayNot as e:
        raise HTTPException(403, str(e)) from e
    except BadCursor as e:
        raise HTTPException(400, str(e)) from e
    except (NameTaken, LastOwner) as e:  # it fits, and what is there already does not
        raise HTTPException(409, f"{e}; nothing was changed") from e
    except (TriageRefused, BadSettings, PersonRefused) as e:
        raise HTTPException(422, f"{e}; nothing was changed") from e
    except (ChannelError, CannotOpen) as e:  # somebody else's service, or their secret
        raise HTTPException(502, f"{e}; nothing was changed") from e
    except Exception as e:  # whatever an event makes an answer stumble over
        return edge.failed(request, e)
    tag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    headers = {"etag": tag, "cache-control": "private, no-cache", "x-content-type-options": "nosniff"}
    if request.method in ("GET", "HEAD") and tag in request.headers.get("if-none-match", ""):
        return Response(None, 304, headers)
    return Response(body, 200, headers, "application/json")


def refused(request: Request, e: Exception) -> Response:
    status = e.status_code if isinstance(e, HTTPException) else 500
    title = {400: "Bad request", 403: "Forbidden", 404: "Not found", 405: "Method not allowed"}.get(status, "Refused")
    detail = e.detail if isinstance(e, HTTPException) else ""
    if status == 404 and detail == "Not Found":
        detail = "there is nothing at this path; /api/v1/openapi.json lists what there is"
    headers = dict(e.headers or {}) if isinstance(e, HTTPException) else {}
    if status == 405:
        headers["Allow"] = ", ".join(sorted(_offered(request)))
        detail = f"this path takes {headers['Allow']}"
    body = msgspec.json.encode(shapes.Problem("about:blank", title, status, detail))
    headers |= {"cache-control": "no-store", "x-content-type-options": "nosniff"}
    return Response(body, status, headers, "application/problem+json")


def _offered(request: Request) -> set[str]:
    """The methods of every route of the path: a path has one for reading and others for changes."""
    routes = [r for r in request.app.routes if isinstance(r, Route) and r.matches(request.scope)[0] is not Match.NONE]
    return {method for route in routes for method in route.methods or ()}


def decoded(body: bytes, kind: type[shapes.T]) -> shapes.T:
    try:
        found = msgspec.json.decode(body, type=kind)
        strange = _strange(msgspec.json.decode(body), msgspec.to_builtins(found))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise HTTPException(422, f"{e}; nothing was changed") from e
    if strange is not None:  # ignored silently, a misspelled name would do something else than was meant
        raise HTTPException(422, f"there is no field {strange[:60]!r} here; nothing was changed")
    return found


def _strange(sent: object, known: object) -> str | None:
    """A name that was sent and is none of the fields."""
    if isinstance(sent, dict) and isinstance(known, dict):
        more = [name for name in sent if name not in known]
        pairs = [(value, known[name]) for name, value in sent.items() if name in known]
        return str(more[0]) if more else _first(pairs)
    if isinstance(sent, list) and isinstance(known, list | tuple):
        return _first(zip(sent, known, strict=False))
    return None


def _first(pairs: Iterable[tuple[object, object]]) -> str | None:
    return next((found for sent, known in pairs if (found := _strange(sent, known)) is not None), None)


def limit_of(request: Request) -> int:
    return number_of(request, "limit", limits.rows_max, limits.page_rows_max)


def numbered(request: Request, name: str) -> int:
    """The number in the address. Raises NotFound for one that no store could hold."""
    number: int = request.path_params[name]
    if not 0 < number < 2**63:
        raise NotFound(f"there is no {name} with such a number")
    return number


def number_of(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= most):
        raise HTTPException(400, f"{name} is a number from 1 to {most}")
    return int(text)
