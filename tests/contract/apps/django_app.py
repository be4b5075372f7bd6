"""The routes of the contract as a Django project in one file, for WSGI and ASGI."""

# mypy: disable-error-code="import-untyped,untyped-decorator"

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.signals import request_finished
from django.core.wsgi import get_wsgi_application
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from tests.contract.apps import failures

failures.guard().close()  # for its logging; the Guard itself is made by the middleware


class Hooks:
    """A middleware that fails on the way in and out."""

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        if request.path == "/mw":
            failures.boom()
        response = self.get_response(request)
        if request.path == "/mwafter":
            failures.boom()
        return response


settings.configure(
    SECRET_KEY=failures.secret,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["corsheaders"],
    CORS_ALLOWED_ORIGINS=[failures.allowed_origin],
    MIDDLEWARE=[
        *([] if failures.unguarded else ["fivehundred.guard.django.Guard"]),
        "corsheaders.middleware.CorsMiddleware",
        f"{__name__}.Hooks",
    ],
    FIVEHUNDRED=failures.options,
    LOGGING_CONFIG=None,
)
django.setup()


def ok(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


def boom(request: HttpRequest) -> HttpResponse:
    failures.boom(request.GET.get("m", ""))
    return HttpResponse()


def none(request: HttpRequest) -> None:
    return None


def bad_type(request: HttpRequest) -> object:
    return object()


def bad_json(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"value": object()})


def bad_header(request: HttpRequest) -> HttpResponse:
    return HttpResponse("never", headers={"X-Name": "a\r\nSet-Cookie: forged=1"})


def nul(request: HttpRequest) -> HttpResponse:
    return HttpResponse("never", headers={"X-Name": "a\0b"})


def _streaming(chunks: Iterator[bytes], request: HttpRequest, kind: str = "text/csv") -> StreamingHttpResponse:
    """Django wants the iterator of its world; hasattr tells them apart without asking how the server runs."""

    async def awaited() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk
            await asyncio.sleep(0)

    return StreamingHttpResponse(awaited() if hasattr(request, "scope") else chunks, content_type=kind)


def sets(request: HttpRequest) -> HttpResponse:
    response = _streaming(failures.broken_after(0), request)
    response.headers.update(failures.sets_headers)
    response.set_cookie("a", "b")
    return response


def stream0(request: HttpRequest) -> StreamingHttpResponse:
    return _streaming(failures.broken_after(0), request)


def stream1(request: HttpRequest) -> StreamingHttpResponse:
    return _streaming(failures.broken_after(3), request)


def sse(request: HttpRequest) -> StreamingHttpResponse:
    return _streaming(failures.broken_after(1, b"data: 1\n\n"), request, "text/event-stream")


def own(request: HttpRequest) -> HttpResponse:
    return HttpResponse("own words", status=503)


def own500(request: HttpRequest) -> HttpResponse:
    return HttpResponse(failures.own_words, status=500)


def teapot(request: HttpRequest) -> HttpResponse:
    response = HttpResponse("short and stout", status=418, headers={"X-Own": "1"})
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


def reads(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(len(request.body)))


def waits(request: HttpRequest) -> HttpResponse:
    time.sleep(0.4)
    return HttpResponse("waited")


def events(request: HttpRequest) -> StreamingHttpResponse:
    return _streaming(failures.events_later(), request, "text/event-stream")


def background(request: HttpRequest) -> HttpResponse:
    """What the project does when a request is over, when the answer is out."""
    after.append(failures.Closing().close)
    return HttpResponse("ok")


@receiver(request_finished)
def finished(**_: object) -> None:
    while after:
        after.pop()()


after: list[Callable[[], None]] = []


def slow(request: HttpRequest) -> StreamingHttpResponse:
    def chunks() -> Iterator[bytes]:
        for _ in range(20):
            yield b"x" * 65536
            time.sleep(0.01)

    return _streaming(chunks(), request)


def _failing(name: str) -> Callable[[HttpRequest], HttpResponse]:
    def fail(request: HttpRequest) -> HttpResponse:
        failures.by_path[name]()
        return HttpResponse()

    return fail


def handler500(request: HttpRequest) -> HttpResponse:
    """Fails for one route, so that the contract sees the fallback; else Django's own."""
    if request.path == "/handler":
        raise RuntimeError("the error handler fails too")
    from django.views.defaults import server_error

    return server_error(request)


views = {
    "ok": ok,
    "boom": boom,
    "mw": ok,
    "mwafter": ok,
    "handler": boom,
    "none": none,
    "badtype": bad_type,
    "badjson": bad_json,
    "badheader": bad_header,
    "nul": nul,
    "sets": sets,
    "stream0": stream0,
    "stream1": stream1,
    "sse": sse,
    "own": own,
    "slow": slow,
    "own500": own500,
    "teapot": teapot,
    "reads": reads,
    "waits": waits,
    "events": events,
    "background": background,
}
urlpatterns = [path(name, view) for name, view in views.items()]
urlpatterns += [path(name[1:], _failing(name)) for name in failures.by_path if name != "/boom"]

application = get_wsgi_application()
asgi_application = get_asgi_application()
