"""The tweens of the contract's Pyramid application; Pyramid names them by the module that they are in."""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyramid.request import Request
from tests.contract.apps import failures


def hooks(handler: Any, registry: Any) -> Callable[[Request], Any]:
    def tween(request: Request) -> Any:
        if request.path == "/mw":
            failures.boom()
        response = handler(request)
        if request.path == "/mwafter":
            failures.boom()
        return response

    return tween


def cors(handler: Any, registry: Any) -> Callable[[Request], Any]:
    def tween(request: Request) -> Any:
        response = handler(request)
        if request.headers.get("Origin") == failures.allowed_origin:
            response.headers["Access-Control-Allow-Origin"] = failures.allowed_origin
        response.headers["Vary"] = "Origin"
        return response

    return tween
