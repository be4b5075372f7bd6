"""Asking a Console over its own HTTP API, as an agent's tools do.

There is no way around the API: whoever asks sees what their token may see, and nothing else. The same code serves a
process beside the agent (over the network) and the Console itself (over its own application, without a socket).
"""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any, Final

import httpx2

_TIMEOUT_S: Final = 15.0
_ANSWER_BYTES_MAX: Final = 8 * 1024 * 1024


class Refused(Exception):
    """The Console did not do what was asked; the text says why, in words for whoever asked."""


class Asking:
    """One Console, asked with one token. An async context manager."""

    def __init__(self, url: str, token: str = "", transport: httpx2.AsyncBaseTransport | None = None) -> None:
        headers = {"accept": "application/json", **({"authorization": f"Bearer {token}"} if token else {})}
        self.url: Final = url.rstrip("/")
        self._client = httpx2.AsyncClient(
            base_url=self.url, headers=headers, timeout=_TIMEOUT_S, transport=transport, trust_env=False
        )

    async def __aenter__(self) -> Asking:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, e: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def json(self, path: str, **parameters: str | int) -> dict[str, Any]:
        """A JSON object of the API. Raises Refused."""
        return _object(await self._ask("GET", path, params=parameters))

    async def text(self, path: str) -> str:
        """A page in its text form (Markdown, curl, pytest). Raises Refused."""
        return await self._ask("GET", path)

    async def change(self, path: str, what: dict[str, Any]) -> dict[str, Any]:
        """PATCH. Raises Refused."""
        return _object(await self._ask("PATCH", path, json=what))

    async def post(self, path: str, what: dict[str, Any]) -> dict[str, Any]:
        """Raises Refused."""
        return _object(await self._ask("POST", path, json=what))

    async def _ask(self, method: str, path: str, **sent: Any) -> str:
        try:
            async with self._client.stream(method, path, **sent) as reply:
                body = bytearray()
                async for chunk in reply.aiter_bytes():
                    body += chunk
                    if len(body) > _ANSWER_BYTES_MAX:
                        raise Refused(f"the answer to {path} is larger than {_ANSWER_BYTES_MAX} bytes; ask for less")
                status = reply.status_code
        except httpx2.HTTPError as e:
            raise Refused(f"no Console answers at {self.url} ({e}); start one with: fivehundred console") from e
        text = body.decode("utf-8", "replace")
        if status >= 400:
            raise Refused(_why(status, text))
        return text


def _why(status: int, text: str) -> str:
    try:
        detail = str(json.loads(text)["detail"])
    except (ValueError, KeyError, TypeError):
        detail = ""
    if status == 401:
        return f"the Console wants a token (401): set FIVEHUNDRED_TOKEN. {detail}".strip()
    return f"the Console answered {status}. {detail}".strip()


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as e:
        raise Refused(f"what answered is no Console: {e}") from e
    if not isinstance(found, dict):
        raise Refused("what answered is no Console: its answer is not a JSON object")
    return found
