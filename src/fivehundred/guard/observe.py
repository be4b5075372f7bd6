"""What surrounded a failure: resources, pools, probes. Collected by a thread of its own, beside the answer.

The shipping thread asks for it (``complete``) before it sends an event, and waits for it no longer than
``complete_wait_ms``.
"""

from __future__ import annotations

from pathlib import Path

from fivehundred.event import Event, Json
from fivehundred.guard.capture import About


class Observer:
    def __init__(self, about: About) -> None:
        self.about = about
        self.folder: Path | None = None

    def watch(self, pool: object, name: str) -> None:
        pass

    def at_once(self) -> dict[str, Json]:
        return {}

    def saw(self, event: Event, *, slim: bool) -> None:
        pass

    def complete(self, data: bytes) -> bytes:
        return data

    def close(self) -> None:
        pass
