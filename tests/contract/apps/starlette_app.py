"""The routes of the contract as a Starlette application."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from tests.contract.apps import failures, starlette_routes

guard = failures.guard()
application = Starlette(
    routes=starlette_routes.routes,
    middleware=[
        Middleware(CORSMiddleware, allow_origins=[failures.allowed_origin]),
        Middleware(BaseHTTPMiddleware, dispatch=starlette_routes.hooks),
    ],
    exception_handlers={starlette_routes.Own: starlette_routes.failing_handler},
)
guard.starlette(application)
