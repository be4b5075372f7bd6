"""MCP over HTTP inside the Console: ``/mcp``, stateless, answered with JSON.

The SDK is loaded when the first agent asks. A tool asks the Console's own application with the token of the request it
serves, so an agent sees exactly what its token may see.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mcp.server.mcpserver import Context, MCPServer
    from starlette.types import ASGIApp, Receive, Scope, Send

    from fivehundred.console.mcp.asking import Asking

log = logging.getLogger("fivehundred.console.mcp")

_BODY_BYTES_MAX: Final = 1024 * 1024
_missing: Final = b'the Console was installed without MCP; install it with: pip install "fivehundred[mcp]"\n'


class Mount:
    """The ASGI application of ``/mcp``. ``app`` is the Console's own, ``url`` its public address."""

    def __init__(self, app: ASGIApp, url: str, *, write: bool = True) -> None:
        self._app = app
        self._url = url
        self._write = write  # the Console decides by the token; without accounts, who reaches it may change faults
        self._served: ASGIApp | None = None
        self._running: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._ready = asyncio.Event()
        self._closing = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            served = await self._started()
        except ModuleNotFoundError as e:
            log.warning("%s", e)
            headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(_missing))]
            await send({"type": "http.response.start", "status": 501, "headers": headers})
            await send({"type": "http.response.body", "body": _missing})
            return
        await served(scope, receive, send)

    async def close(self) -> None:
        if self._running is not None:
            self._closing.set()
            await self._running

    async def _started(self) -> ASGIApp:
        async with self._starting:
            if self._served is None:
                made = await asyncio.to_thread(self._make)
                self._served = _application(made)
                self._running = asyncio.create_task(self._run(made))
                await self._ready.wait()
        return self._served

    async def _run(self, made: MCPServer[Any]) -> None:
        async with made.session_manager.run():
            self._ready.set()
            await self._closing.wait()

    def _make(self) -> MCPServer[Any]:
        from fivehundred.console.mcp.server import server

        return server(self._asking, write=self._write)

    def _asking(self, context: Context[Any, Any]) -> Asking:
        import httpx2

        from fivehundred.console.mcp.asking import Asking

        sent = (context.headers or {}).get("authorization", "")
        scheme, _, token = sent.partition(" ")
        transport = httpx2.ASGITransport(app=self._app)
        return Asking(self._url, token.strip() if scheme.lower() == "bearer" else "", transport)


def _application(made: MCPServer[Any]) -> ASGIApp:
    from mcp.server.transport_security import TransportSecuritySettings

    # The Console has checked the name it is called by and the origin before a request gets here.
    checked = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    return made.streamable_http_app(
        streamable_http_path="/mcp",
        json_response=True,
        stateless_http=True,
        max_request_body_size=_BODY_BYTES_MAX,
        transport_security=checked,
    )
