"""A Django project as they grow: sessions, compression, transactions around requests, asynchronous and class views."""

# mypy: disable-error-code="import-untyped,misc,untyped-decorator"

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import include, path
from django.views import View
from django.views.defaults import server_error
from tests.contract.apps import failures

failures.guard().close()
settings.configure(
    SECRET_KEY=failures.secret,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["corsheaders", "django.contrib.sessions", "rest_framework"],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:", "ATOMIC_REQUESTS": True}},
    CORS_ALLOWED_ORIGINS=[failures.allowed_origin],
    CORS_ALLOW_CREDENTIALS=True,
    MIDDLEWARE=[
        "fivehundred.guard.django.Guard",
        "django.middleware.gzip.GZipMiddleware",
        "corsheaders.middleware.CorsMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
    ],
    REST_FRAMEWORK={"UNAUTHENTICATED_USER": None, "EXCEPTION_HANDLER": f"{__name__}.own_handler"},
    LOGGING_CONFIG=None,
)
django.setup()

from rest_framework.response import Response  # noqa: E402 - the settings come first
from rest_framework.views import APIView  # noqa: E402 - the settings come first


def own_handler(exc: Exception, context: Any) -> Response | None:
    return Response({"sorry": "own"}, status=500) if isinstance(exc, KeyError) else None


def ok(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok" * 1000)


def boom(request: HttpRequest, number: int = 0) -> HttpResponse:
    request.session["user"] = "planted-session"
    failures.boom()
    return HttpResponse()


async def asynchronous(request: HttpRequest) -> HttpResponse:
    failures.boom()
    return HttpResponse()


def in_transaction(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    failures.boom()
    return HttpResponse()


@transaction.non_atomic_requests
def stream(request: HttpRequest) -> StreamingHttpResponse:
    def chunks() -> Iterator[bytes]:
        yield b"x" * 5000
        failures.boom()

    return StreamingHttpResponse(chunks())


class Class(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        failures.boom()
        return HttpResponse()


class Own(APIView):
    def get(self, request: Any) -> Response:
        raise KeyError("own")


class Other(APIView):
    def get(self, request: Any) -> Response:
        failures.boom()
        return Response()


def handler500(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"sorry": "own"}, status=500) if request.path == "/page" else server_error(request)


urlpatterns = [
    path("ok", ok),
    path("boom", boom),
    path("page", boom),
    path("async", asynchronous),
    path("transaction", in_transaction),
    path("stream", stream),
    path("class", Class.as_view()),
    path("own", Own.as_view()),
    path("other", Other.as_view()),
    path("shop/", include([path("items/<int:number>", boom)])),
]
application = get_wsgi_application()
asgi_application = get_asgi_application()
