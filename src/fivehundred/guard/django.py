"""The Guard in Django: the first entry of MIDDLEWARE, ``"fivehundred.guard.django.Guard"``.

Django turns an exception into its 500 page around every middleware, and tells a signal which exception it was. Options
of ``fivehundred.Guard`` stand in the setting ``FIVEHUNDRED``, a dict; the environment variables work as everywhere.
"""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import asyncio
import itertools
import sys
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import Any, Final

from asgiref.sync import async_to_sync, iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.core.signals import got_request_exception, request_finished
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.module_loading import import_string
from django.views import defaults

from fivehundred import limits
from fivehundred.guard import deadline, duplicates
from fivehundred.guard.exchange import cancelled
from fivehundred.guard.flight import Flight
from fivehundred.guard.guard import Guard as Core
from fivehundred.guard.outgoing import (
    Aborted,
    are_usual,
    check,
    client_gone,
    ends_process,
    error_event,
    granted,
    has_reference,
    now_usual,
    referenced,
)
from fivehundred.guard.request import RequestParts
from fivehundred.guard.sql.django import install as watch_statements
from fivehundred.guard.wsgi import parts_of
from fivehundred.problem import Headers, reference_header

_SEEN: Final = "fivehundred_exception"  # on the request: what Django made a 5xx of


class Guard:
    """Django middleware, for WSGI and ASGI alike."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.core = Core(**getattr(settings, "FIVEHUNDRED", {}))
        duplicates.watch(*duplicates.servers)
        got_request_exception.connect(_saw, dispatch_uid="fivehundred")
        watch_statements()
        self.finishers = sum(_is_djangos(receiver) for receiver in request_finished.receivers)
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        flight = self.core.flights.begin(request.method or "", request.path)
        flight.parts = partial(_parts, request)
        if self.is_async:
            return self._async(request, flight)
        response = answer = None
        try:
            if self.core.deadline:
                deadline.check_environ(request.META)
            response = self.get_response(request)
            if _streams(response):
                self._held_sync(request, response)
            answer = self._checked(request, response)
            return answer
        except BaseException as exc:
            if _cancelled_outside(exc):
                raise
            answer = self._failed(request, exc)
            return answer
        finally:
            self._over(flight, request, response, answer)

    async def _async(self, request: HttpRequest, flight: Flight) -> HttpResponseBase:
        response = answer = None
        try:
            if self.core.deadline:
                deadline.check_environ(request.META)
            response = await self.get_response(request)
            if _streams(response):
                await self._held_async(request, response)
            answer = self._checked(request, response)
            return answer
        except BaseException as exc:
            if cancelled(exc):
                raise
            answer = self._failed(request, exc)
            return answer
        finally:
            self._over(flight, request, response, answer)

    def _over(self, flight: Flight, request: HttpRequest, response: Any, answer: Any) -> None:
        """Counts it. A request is over with its response: with the last chunk, where that is a stream."""
        route = getattr(request.resolver_match, "route", "") or ""
        self.core.rates.answered(route, request.method or "", answer.status_code if answer is not None else 500)
        if response is not None and _streams(response):
            weakref.finalize(response, flight.end).atexit = False
        else:
            flight.end()

    # ---- a response ------------------------------------------------------------------------------

    def _checked(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """The response as it may leave: headers legal, a default page replaced, an own 5xx reported."""
        headers = _headers(response)
        if not are_usual(headers) and "text/event-stream" not in check(headers):
            now_usual(headers)
        if len(request_finished.receivers) != self.finishers:
            response.__dict__["close"] = partial(self._closed, request, response.close)
        if response.status_code < 500 or has_reference(headers):
            return response
        exc = getattr(request, _SEEN, None)
        if exc is not None and _is_default_page(response):
            return self._failed(request, exc, headers)
        if exc is not None:
            reference = self.core.report(exc, _parts(request), status=response.status_code)
            found = [(reference_header, reference)]
        else:
            found = self.core.returned(response.status_code, _parts(request)).headers
        for name, value in referenced(headers, found)[len(headers) :]:
            response[name] = value
        setattr(request, duplicates.request_mark, True)
        return response

    def _failed(self, request: HttpRequest, exc: BaseException, kept: Headers | None = None) -> HttpResponse:
        """Our answer; raises what is not the request's own."""
        if ends_process(exc):
            self.core.ended(exc, _parts(request))
            raise exc
        if client_gone(exc):
            return HttpResponse(status=400)
        duplicates.mark(exc)
        setattr(request, duplicates.request_mark, True)
        answer = self.core.handle(exc, _parts(request))
        _drain(request)
        headers = granted(answer.headers, [*(kept or ()), *_grants(request)])
        body = b"" if request.method == "HEAD" else answer.body
        return HttpResponse(body, status=answer.status, headers=dict(headers))

    def _closed(self, request: HttpRequest, close: Callable[[], None]) -> None:
        """What the project does when a request is over may fail too: the response is whole, so it is only reported."""
        try:
            close()
        except Exception as exc:
            self.core.report(exc, _parts(request), status=None)

    # ---- streams ---------------------------------------------------------------------------------

    def _held_sync(self, request: HttpRequest, response: Any) -> None:
        if response.is_async:  # a synchronous middleware further in makes Django call this one synchronously too
            return async_to_sync(self._held_async)(request, response)
        chunks = iter(response.streaming_content)
        return self._held(request, response, chunks, [] if _streams_events(response) else [next(chunks, None)])

    def _held(self, request: HttpRequest, response: Any, chunks: Iterator[Any], first: list[Any]) -> None:
        """The first chunk was pulled where its failure can still be answered; the others are watched."""
        response.streaming_content = self._rest(request, response, first, chunks)

    def _rest(self, request: HttpRequest, response: Any, first: list[Any], chunks: Iterator[Any]) -> Iterator[Any]:
        chunk: Any = b"\n\n"
        try:
            for chunk in itertools.chain((chunk for chunk in first if chunk is not None), chunks):
                yield chunk
        except Exception as exc:
            event, aborted = self._broken(request, response, exc, chunk)
            yield event
            raise aborted from None

    async def _held_async(self, request: HttpRequest, response: Any) -> None:
        waits = not _streams_events(response)  # events may come in an hour
        if response.is_async:
            chunks = aiter(response.streaming_content)
            first = [await anext(chunks, None)] if waits else []
            response.streaming_content = self._rest_async(request, response, first, chunks)
        else:
            blocking = iter(response.streaming_content)
            first = [await sync_to_async(lambda: next(blocking, None))()] if waits else []
            self._held(request, response, blocking, first)

    async def _rest_async(
        self, request: HttpRequest, response: Any, first: list[Any], chunks: AsyncIterator[Any]
    ) -> AsyncIterator[Any]:
        chunk: Any = b"\n\n"
        try:
            for chunk in first:
                if chunk is not None:
                    yield chunk
            async for chunk in chunks:
                yield chunk
        except Exception as exc:
            event, aborted = self._broken(request, response, exc, chunk)
            yield event
            raise aborted from None

    def _broken(
        self, request: HttpRequest, response: StreamingHttpResponse, exc: Exception, last: bytes
    ) -> tuple[bytes, Aborted]:
        """(what an event stream that stands between two events gets as its last one, what breaks the connection)."""
        event = b""
        if not client_gone(exc):
            reference = self.core.report(exc, _parts(request), status=response.status_code)
            if _streams_events(response) and response.make_bytes(last).endswith((b"\n\n", b"\r\n\r\n")):
                event = error_event(reference)
        aborted = Aborted()
        duplicates.mark(aborted)
        return event, aborted


def _cancelled_outside(exc: BaseException) -> bool:
    """Whether asgiref cancelled the thread that this runs in, because the client is gone; a view can only raise it."""
    if not issubclass(type(exc), asyncio.CancelledError):
        return False
    entry = exc.__traceback__
    while entry is not None and entry.tb_next is not None:
        entry = entry.tb_next
    return entry is not None and str(entry.tb_frame.f_globals.get("__name__", "")).startswith("asgiref.")


def _grants(request: HttpRequest) -> Headers:
    """What the project's CORS middleware grants: it is asked once more, as what failed may have passed it by."""
    try:
        for path in settings.MIDDLEWARE:
            if "cors" in path.lower():
                return list(import_string(path)(lambda request: HttpResponse())(request).items())
    except Exception:  # it may be what failed; the answer goes out without its grants
        return []
    return []


def _headers(response: HttpResponseBase) -> Headers:
    """As ``items()`` gives them, which asks for each by its name."""
    stored = getattr(response.headers, "_store", None)
    return list(stored.values()) if type(stored) is dict else list(response.items())


def _drain(request: HttpRequest) -> None:
    """Reads an unread body away, within a bound: under WSGI the kernel would reset the connection, answer and all."""
    meta = request.META
    if "wsgi.input" not in meta or "HTTP_EXPECT" in meta:
        return
    source = meta["wsgi.input"] if meta.get("wsgi.input_terminated") is True else getattr(request, "_stream", None)
    left = limits.drain_bytes_max
    try:
        while source is not None and left > 0 and (data := source.read(min(left, 65536))):
            left -= len(data)
    except Exception:  # the client is gone, or lied about its length: there is nothing to save
        return


def _is_djangos(receiver: Any) -> bool:
    return str(getattr(receiver[1](), "__module__", "")).startswith("django.")


def _saw(sender: object, request: HttpRequest | None = None, **rest: object) -> None:
    """Receives Django's signal, sent inside the ``except`` block and before anything is logged."""
    exc = sys.exc_info()[1]
    if request is not None and exc is not None:
        setattr(request, _SEEN, exc)
        duplicates.mark(exc)


def _is_default_page(response: HttpResponseBase) -> bool:
    """Whether this is Django's own page: the bare one, or the debugger. What handler500 or a 500.html made is kept."""
    if settings.DEBUG:
        return True
    page = defaults.ERROR_PAGE_TEMPLATE % {"title": "Server Error (500)", "details": ""}
    return bool(getattr(response, "content", b"") == page.encode())


def _streams(response: Any) -> bool:
    """Whether chunks are made while they are sent. A file is left alone: servers send it by itself."""
    return bool(response.streaming) and getattr(response, "file_to_stream", None) is None


def _streams_events(response: Any) -> bool:
    return str(response.get("Content-Type", "")).startswith("text/event-stream")


def _parts(request: HttpRequest) -> RequestParts:
    parts = parts_of(request.META)
    parts.path = request.path  # decoded in either world
    parts.route = getattr(request.resolver_match, "route", "") or ""
    parts.user = request.__dict__.get("user")  # lazy: whom nobody asked for is not looked up
    parts.body = getattr(request, "_body", b"")[: limits.request_body_bytes_max]  # never read here: only what was
    return parts
