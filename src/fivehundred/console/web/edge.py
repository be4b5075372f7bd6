"""The edge of the pages: turns what handlers return or raise into answers. The one place that catches for them."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from fivehundred.console.access.identity import MayNot
from fivehundred.console.store.base import BadCursor, NotFound
from fivehundred.console.web import forms, render
from fivehundred.event import new_id
from fivehundred.problem import answer

log = logging.getLogger("fivehundred.console")

Fields: TypeAlias = dict[str, list[str]]
Page: TypeAlias = Callable[[Request], Response]
Post: TypeAlias = Callable[[Request, Fields], Response]


def page(handler: Page) -> Callable[[Request], Awaitable[Response]]:
    """A page that is read. It runs in a thread, for the store blocks."""

    async def endpoint(request: Request) -> Response:
        try:
            return await run_in_threadpool(handler, request)
        except NotFound as e:
            return await run_in_threadpool(missing, request, str(e))
        except BadCursor as e:
            return await run_in_threadpool(problem, request, 400, "This page is not there any more", f"{e}.")
        except Exception as e:  # whatever an event makes a page stumble over
            return failed(request, e)

    return endpoint


def post(handler: Post) -> Callable[[Request], Awaitable[Response]]:
    """A form that changes something: taken only from our own pages."""

    async def endpoint(request: Request) -> Response:
        try:
            fields = await forms.read(request)
            return await run_in_threadpool(handler, request, fields)
        except forms.FormRefused as e:
            return await run_in_threadpool(problem, request, e.status, "Nothing was changed", str(e))
        except NotFound as e:
            return await run_in_threadpool(missing, request, str(e))
        except MayNot as e:
            text = f"{str(e)[:1].upper()}{str(e)[1:]}. An admin, or an admin of a team with that project, can give it."
            return await run_in_threadpool(problem, request, 403, "Not allowed", text)
        except Exception as e:  # as above
            return failed(request, e)

    return endpoint


def fault_of(request: Request) -> int:
    """The number in the address. Raises NotFound for one that no store could hold."""
    number: int = request.path_params["fault"]
    if number >= 2**63:
        raise NotFound("There is no fault with such a number.")
    return number


def failed(request: Request, e: Exception) -> Response:
    """Our own 500: the same safe answer that the Guard gives, its reference in our log."""
    reference = new_id()
    log.error("%s %s failed, reference %s", request.method, request.url.path, reference, exc_info=e)
    sent = request.headers
    safe = answer(
        reference=reference,
        status=500,
        transient="unknown",
        retry_after_s=None,
        accept=sent.get("accept", ""),
        language=sent.get("accept-language", ""),
    )
    found = Response(safe.body, safe.status)
    found.raw_headers = [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in safe.headers]
    return found


def missing(request: Request, what: str = "") -> Response:
    """404: says what was looked for and where to look instead."""
    if request.url.path.startswith("/api/"):
        detail = what or "there is nothing at this path; /api/v1/openapi.json lists what there is"
        document = {"type": "about:blank", "title": "Not found", "status": 404, "detail": detail}
        return Response(json.dumps(document), 404, render.headers, "application/problem+json")
    find = "Paste a reference into the search box to find an event."
    if not what:
        return problem(request, 404, "Not found", f"This Console has no page {request.url.path[:200]}. {find}")
    hint = "Retention may have removed it, or it is in a project that you do not see."
    return problem(request, 404, "Not found", f"{what[:1].upper()}{what[1:].rstrip('.')}. {hint} {find}")


def problem(request: Request, status: int, title: str, text: str) -> Response:
    ways = (("/", "Overview"), ("/faults", "Faults"), ("/palette", "Everything"))
    values = {"nav": "", "line": "", "title": title, "text": text, "ways": ways}
    return render.page(request, "problem.html", values, status=status)


def back(fields: Fields, default: str = "/faults") -> Response:
    """To the page the form was on; 303, so that reloading it posts nothing again."""
    return RedirectResponse(forms.local_path(fields.get("back", [default])[0], default), 303, render.headers)
