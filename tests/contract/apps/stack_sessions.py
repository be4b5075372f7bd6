"""Session middleware of the plainest kind: whatever was put into the session leaves as a cookie."""

from __future__ import annotations

from typing import Any


class Sessions:
    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        session: dict[str, str] = {}
        scope["session"] = session

        async def with_cookie(message: Any) -> None:
            if message["type"] == "http.response.start" and session:
                cookie = (b"set-cookie", f"session={session}".encode())
                message = {**message, "headers": [*message["headers"], cookie]}
            await send(message)

        await self.app(scope, receive, with_cookie)
