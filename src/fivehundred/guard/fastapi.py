"""The Guard in a FastAPI application: ``guard.fastapi(app)``. A FastAPI application is a Starlette application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI

from fivehundred.guard import starlette

if TYPE_CHECKING:
    from fivehundred.guard.guard import Guard


def install(guard: Guard, app: FastAPI) -> FastAPI:
    """Guards ``app`` in place and gives it back."""
    return starlette.install(guard, app)
