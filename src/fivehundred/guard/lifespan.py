"""A start-up or shut-down of an ASGI application that fails: reported and logged once, with what the server is told.
At the end of a shut-down what was not delivered yet gets a last chance.

Frameworks hand the server their whole traceback as the message of ``lifespan.startup.failed``; the Guard's record has
it already, so the server gets the reference instead. What fails before it has asked for the start-up knows no lifespan
at all, which is its way to say so, and is left to the server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivehundred import limits
from fivehundred.guard import duplicates
from fivehundred.guard.exchange import AsgiApp, Message, Receive, Scope, Send, cancelled
from fivehundred.guard.outgoing import ends_process, handled_now

if TYPE_CHECKING:
    from fivehundred.guard.guard import Guard


async def run(guard: Guard, app: AsgiApp, scope: Scope, receive: Receive, send: Send) -> None:
    asked = False

    async def noted() -> Message:
        nonlocal asked
        message = await receive()
        asked = True
        return message

    async def told(message: Message) -> None:
        kind = message["type"]
        exc = handled_now() if kind.endswith(".failed") else None
        if exc is not None:
            when = "start-up" if kind == "lifespan.startup.failed" else "shut-down"
            message = {**message, "message": f"The {when} failed (reference {_reported(guard, exc)})"}
        if kind == "lifespan.shutdown.complete":  # some servers end by the signal itself, and no exit handler runs
            guard.rates.stop()
            guard.flush(limits.ship_exit_s)
            guard.rates.wait(limits.rates_exit_s)
        await send(message)

    try:
        await app(scope, noted, told)
    except BaseException as exc:
        if asked and not ends_process(exc) and not cancelled(exc):
            _reported(guard, exc)
        raise


def _reported(guard: Guard, exc: BaseException) -> str:
    reference = guard.report(exc, None, status=None)
    duplicates.mark(exc)
    return reference
