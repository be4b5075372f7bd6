"""Waiting and giving up in an asynchronous call, on asyncio or trio: whichever runs the call.

anyio would do the same and is a dependency that the Client does not have.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


async def sleep(seconds: float) -> None:
    trio = running_trio()
    await (asyncio if trio is None else trio).sleep(seconds)


@asynccontextmanager
async def at_most(seconds: float) -> AsyncIterator[None]:
    """Raises TimeoutError when what is inside takes longer."""
    trio = running_trio()
    if trio is None:
        async with asyncio.timeout(seconds):
            yield
        return
    with trio.move_on_after(max(0.0, seconds)) as limit:
        yield
    if limit.cancelled_caught:
        raise TimeoutError


def running_trio() -> Any:
    """trio, if the code that asks runs on it. Nobody runs on what nobody has imported."""
    trio = sys.modules.get("trio")
    return trio if trio is not None and trio.lowlevel.in_trio_task() else None
