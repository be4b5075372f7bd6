"""A FastAPI application as they grow: dependencies that clean up, routers, response models, handlers of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel
from tests.contract.apps import failures

guard = failures.guard()
application = FastAPI()
router = APIRouter(prefix="/shop", tags=["shop"])


class Own(Exception):
    pass


class Model(BaseModel):
    number: int


def before() -> Iterator[str]:
    failures.boom()
    yield ""


def after() -> Iterator[str]:
    yield "value"
    failures.boom()


async def after_async() -> AsyncIterator[str]:
    try:
        yield "value"
    finally:
        failures.boom()


@application.get("/ok")
def ok() -> dict[str, str]:
    return {"ok": "ok" * 1000}


@application.get("/before")
def fails_before(value: Annotated[str, Depends(before)]) -> str:
    return value


@application.get("/after")
def fails_after(value: Annotated[str, Depends(after)]) -> str:
    return value


@application.get("/after-async")
async def fails_after_async(value: Annotated[str, Depends(after_async)]) -> str:
    return value


@application.get("/both")
async def both(value: Annotated[str, Depends(after_async)]) -> str:
    raise KeyError("both")


@application.get("/model", response_model=Model)
def model() -> Any:
    return {"number": "no number"}


@application.get("/detail")
def detail() -> None:
    raise HTTPException(500, {"own": "words"})


@application.get("/validated/{number}")
def validated(number: int) -> int:
    return number


@application.get("/task")
def task(tasks: BackgroundTasks) -> dict[str, str]:
    tasks.add_task(failures.boom)
    return {"ok": "ok"}


@application.get("/own")
def own() -> None:
    raise Own


@application.exception_handler(Own)
async def own_words(request: Request, exc: Own) -> JSONResponse:
    return JSONResponse({"sorry": "own"}, 500)


@router.get("/items/{number}")
async def item(number: int) -> float:
    return 1 / (number - number)


@router.get("/stream")
async def stream() -> StreamingResponse:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"x" * 5000
        failures.boom()

    return StreamingResponse(chunks())


sub = FastAPI()


@sub.get("/boom")
async def boom() -> None:
    failures.boom()


application.include_router(router, prefix="/v1")
application.mount("/sub", sub)
application.add_middleware(GZipMiddleware, minimum_size=100)
application.add_middleware(CORSMiddleware, allow_origins=["*"], allow_credentials=True)
guard.fastapi(application)
