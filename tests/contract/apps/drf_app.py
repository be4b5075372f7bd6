"""The routes of the contract as a Django project whose views are those of Django REST framework."""

# mypy: disable-error-code="import-untyped,misc"

from __future__ import annotations

from typing import Any

from django.conf import settings
from tests.contract.apps import django_app, failures

settings.REST_FRAMEWORK = {"UNAUTHENTICATED_USER": None}

from django.core.asgi import get_asgi_application  # noqa: E402 - the settings come first
from django.core.wsgi import get_wsgi_application  # noqa: E402 - the settings come first
from django.urls import path  # noqa: E402 - the settings come first
from rest_framework.exceptions import APIException  # noqa: E402 - the settings come first
from rest_framework.negotiation import BaseContentNegotiation  # noqa: E402 - the settings come first
from rest_framework.request import Request  # noqa: E402 - the settings come first
from rest_framework.response import Response  # noqa: E402 - the settings come first
from rest_framework.views import APIView  # noqa: E402 - the settings come first


class Anything(BaseContentNegotiation):
    """REST framework refuses an Accept with 406 before the view is called; the contract is about what comes after."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


def _view(respond: Any) -> Any:
    class View(APIView):
        authentication_classes: Any = ()
        permission_classes: Any = ()
        content_negotiation_class = Anything

        def get(self, request: Request) -> Any:
            return respond(request)

        post = put = patch = delete = head = get

    return View.as_view()


def bad_json(request: Request) -> Response:
    return Response({"value": object()})


def boom(request: Request) -> Response:
    failures.boom(request.query_params.get("m", ""))
    return Response()


def own500(request: Request) -> Response:
    raise APIException(failures.own_words)


class Divide(APIView):
    def get(self, request: Request, by: int) -> Response:
        return Response(1 // by)


views: dict[str, Any] = {**django_app.views, "badjson": bad_json, "boom": boom, "handler": boom, "own500": own500}
urlpatterns = [path(name, _view(view)) for name, view in views.items()]
urlpatterns += [path(name[1:], _view(django_app._failing(name))) for name in failures.by_path if name != "/boom"]
urlpatterns.append(path("divide/<int:by>", Divide.as_view()))
handler500 = django_app.handler500
settings.ROOT_URLCONF = __name__
application = get_wsgi_application()
asgi_application = get_asgi_application()
