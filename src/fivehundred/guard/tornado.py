"""The Guard in a Tornado application: ``guard.tornado(app)``.

Each handler class is served through a subclass of itself, made when the first request asks for it, that has the Guard's
say in what Tornado does with an exception. A ``write_error`` of the application's own keeps its answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tornado.iostream import StreamClosedError
from tornado.web import Application, Finish, HTTPError, RequestHandler
from tornado.websocket import WebSocketHandler

from fivehundred import limits
from fivehundred.guard import deadline, duplicates
from fivehundred.guard.exchange import cancelled
from fivehundred.guard.outgoing import check, ends_process, error_event, exposed, granted, has_reference, referenced
from fivehundred.guard.request import RequestParts
from fivehundred.guard.websocket import close_code
from fivehundred.problem import Headers, reason, reference_header

if TYPE_CHECKING:
    from fivehundred.guard.guard import Guard


def install(guard: Guard, app: Application) -> Application:
    """Guards ``app`` in place and gives it back."""
    duplicates.watch(*duplicates.servers)
    made: dict[type[RequestHandler], type[RequestHandler]] = {}
    deliver, routes = app.get_handler_delegate, _routes(app)

    def guarded(request: Any, target: type[RequestHandler], *args: Any, **kwargs: Any) -> Any:
        cls = made.get(target)
        if cls is None:
            members = {"_guard": guard, "_route": routes.get(target, ""), "_own": target}
            cls = made[target] = type(target.__name__, (Guarded, target), members)
        return deliver(request, cls, *args, **kwargs)

    app.__dict__["get_handler_delegate"] = guarded
    return app


class Guarded(RequestHandler):
    """What is put before a handler class."""

    _guard: Guard
    _route: str
    _own: type[RequestHandler]
    _ended = False  # the last chunk of a stream of events ended one, so another may follow
    _failure: BaseException | None = None  # what a ``write_error`` of the application's own is about

    async def _execute(self, transforms: Any, *args: Any, **kwargs: Any) -> None:
        self._transforms = transforms  # as Tornado's own does first: without them no answer can leave
        flight = self._guard.begin(self.request.method or "", self.request.path)
        flight.parts = self._parts
        try:
            if self._guard.deadline:
                deadline.check_headers(self.request.headers.get)
            await super()._execute(transforms, *args, **kwargs)
        except BaseException as exc:
            if ends_process(exc) or cancelled(exc):
                self._guard.ended(exc, self._parts())
                raise
            self._handle_request_exception(exc)  # sys.exit() and the like, which would end the event loop
        finally:
            self._guard.rates.answered(self._route, self.request.method or "", self.get_status())
            flight.end()

    def _handle_request_exception(self, e: BaseException) -> None:
        stream = getattr(self.request.connection, "stream", None)
        if isinstance(e, StreamClosedError) and stream is not None and stream.closed():
            return  # the client is gone
        if self._finished and not isinstance(e, Finish | HTTPError):
            self._guard.report(e, self._parts(), status=None)
            duplicates.mark(e)
        elif self._headers_written and not isinstance(e, Finish):
            self._break(e)
        else:
            super()._handle_request_exception(e)

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        if isinstance(self, WebSocketHandler) and self.ws_connection is not None and isinstance(value, Exception):
            reference = self._guard.report(value, self._parts(), status=None)
            self.close(close_code, reference)  # before Tornado closes the stream
        if isinstance(value, BaseException) and not isinstance(value, HTTPError):
            duplicates.mark(value)
        super().log_exception(typ, value, tb)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        exc = kwargs.get("exc_info", (None, None, None))[1]
        if status_code < 500:
            super().write_error(status_code, **kwargs)
        elif self._own.write_error is not RequestHandler.write_error:
            self._own_error(status_code, exc, kwargs)
        elif isinstance(exc, HTTPError) or exc is None:  # the application asked for this status
            super().write_error(status_code, **kwargs)
        else:
            self._answer(exc)

    def _own_error(self, status_code: int, exc: BaseException | None, kwargs: Any) -> None:
        self._failure = None if isinstance(exc, HTTPError) else exc
        try:
            super().write_error(status_code, **kwargs)
        except Exception as failed:
            self.clear()
            self._answer(exc or failed)

    def _answer(self, exc: BaseException) -> None:
        """Tornado has cleared the headers but for ``set_default_headers``, where CORS is granted."""
        answer = self._guard.handle(exc, self._parts())
        kept = list(self._headers.get_all())
        self._headers.clear()
        self.__dict__.pop("_new_cookie", None)  # clear() forgets it
        for name, value in granted(answer.headers, kept):
            self.add_header(name, value)
        self.set_status(answer.status, reason(answer.status))
        self._write_buffer.clear()
        self.write(answer.body)
        self.finish()

    def finish(self, chunk: Any = None) -> Any:
        headers = list(self._headers.get_all())
        if not self._headers_written and self.get_status() >= 500:
            if not has_reference(headers):
                found = self._found()
                for name, value in referenced(headers, found)[len(headers) :]:
                    self.set_header(name, value)
            self.set_header("Server", "Tornado")  # its name, without the version
            for name, value in exposed(list(self._headers.get_all())):
                self.set_header(name, value)
        elif not self._headers_written:
            check(headers)
        return super().finish(chunk)

    def _found(self) -> Headers:
        """The reference of a 5xx of the application's own, which is reported now."""
        if self._failure is None:
            return self._guard.returned(self.get_status(), self._parts()).headers
        reference = self._guard.report(self._failure, self._parts(), status=self.get_status())
        return [(reference_header, reference)]

    def flush(self, include_footers: bool = False) -> Any:
        if self._write_buffer and str(self._headers.get("Content-Type", "")).startswith("text/event-stream"):
            self._ended = self._write_buffer[-1].endswith((b"\n\n", b"\r\n\r\n"))
        return super().flush(include_footers)

    def _break(self, exc: BaseException) -> None:
        reference = self._guard.report(exc, self._parts(), status=self.get_status())
        self._write_buffer.clear()
        if self._ended:
            self.write(error_event(reference))
            super().flush()
        self._finished = True
        self.on_finish()
        stream = getattr(self.request.connection, "stream", None)
        if stream is not None:
            stream.close()

    def _parts(self) -> RequestParts:
        request = self.request
        return RequestParts(
            method=request.method or "",
            scheme=request.protocol,
            host=request.host,
            path=request.path,
            query=request.query,
            headers=list(request.headers.get_all()),
            protocol=request.version.rpartition("/")[2],
            route=self._route,
            peer=request.remote_ip or "",
            body=bytes(request.body or b"")[: limits.request_body_bytes_max],
        )


def _routes(app: Application) -> dict[Any, str]:
    """The pattern that leads to each handler class; empty for one with several."""
    found: dict[Any, str] = {}
    for rule in app.wildcard_router.rules:
        pattern = getattr(getattr(rule.matcher, "regex", None), "pattern", "").removesuffix("$")
        found[rule.target] = "" if rule.target in found else pattern
    return found
