"""Which request bodies of httpx can be sent twice, and making seekable files such. It imports no httpx.

httpx wraps a file into an iterator that, read a second time, is empty: a retry would upload nothing and report
success. A file that can seek is wrapped here so that every reading begins where the first began.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Final

from fivehundred import limits
from fivehundred.client.keys import key_for

sendable_key: Final = "fivehundred.sendable"  # request extension: the body begins anew each time it is read
_part_bytes: Final = 64 * limits.KIB


def request_options(options: dict[str, Any], idempotent: bool | str, *, is_async: bool = False) -> dict[str, Any]:
    """What to hand to httpx's own ``request`` or ``build_request``."""
    if idempotent:
        headers = options.get("headers")
        options["headers"] = [*key_for(idempotent).items(), *_pairs(headers)]
    content = options.get("content")
    file = _seekable(content)
    if file is not None:
        options["content"] = body = (_AsyncRewound if is_async else _Rewound)(*file)
        length = {} if body.length is None else {"Content-Length": str(body.length)}
        options["headers"] = [*length.items(), *_pairs(options.get("headers"))]
    if file is not None or _files_are_sendable(options.get("files")):
        options["extensions"] = {**(options.get("extensions") or {}), sendable_key: True}
    return options


def _pairs(headers: Any) -> list[tuple[Any, Any]]:
    if not headers:
        return []
    return list(headers.items() if isinstance(headers, Mapping) else headers)


class _File:
    """A file's content from where it stood, at each reading."""

    def __init__(self, file: Any, start: int) -> None:
        self._file, self._start = file, start
        end = file.seek(0, os.SEEK_END)
        file.seek(start)
        self.length = end - start if isinstance(end, int) else None

    def _parts(self) -> Iterator[bytes]:
        self._file.seek(self._start)
        while part := self._file.read(_part_bytes):
            yield part


class _Rewound(_File):
    def __iter__(self) -> Iterator[bytes]:
        return self._parts()


class _AsyncRewound(_File):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts():
            yield part


def _seekable(content: Any) -> tuple[Any, int] | None:
    if not hasattr(content, "read") or not hasattr(content, "seek"):
        return None
    try:
        start = content.tell()
        content.seek(start)
    except (AttributeError, OSError, ValueError):  # a pipe, or a file that is closed
        return None
    return content, start


def _files_are_sendable(files: Any) -> bool:
    """Multipart files are rewound by httpx itself, to their beginning, if they can seek."""
    if not files:
        return False
    for _, entry in files.items() if isinstance(files, Mapping) else files:
        content = entry[1] if isinstance(entry, tuple) else entry
        if not isinstance(content, str | bytes) and _seekable(content) is None:
            return False
    return True
