"""The routes of the contract as a FastAPI application."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from tests.contract.apps import failures, starlette_routes

guard = failures.guard()
application = FastAPI(routes=starlette_routes.routes)
application.add_middleware(CORSMiddleware, allow_origins=[failures.allowed_origin])
application.middleware("http")(starlette_routes.hooks)
application.add_exception_handler(starlette_routes.Own, starlette_routes.failing_handler)


def failing_dependency() -> str:
    failures.boom()
    return ""


@application.get("/dep")
def dependent(value: Annotated[str, Depends(failing_dependency)]) -> str:
    return value


@application.get("/users/{user_id}")
def user(user_id: int) -> dict[str, int]:
    return {"id": 1 // user_id}


@application.get("/badmodel")
def bad_model() -> object:
    return {"value": object()}


guard.fastapi(application)
