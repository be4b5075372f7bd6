"""Imports in the Guard's own threads: none is under way while the process forks.

A child that is forked in the middle of an import in another thread would find half a module, and nobody to finish it.
"""

from __future__ import annotations

import os
import threading
from typing import Final

_wait_s: Final = 1.0  # an import takes some hundredths; whoever forks while he imports himself must not wait for ever


class _Imports:
    """``with imports:`` around every import of a thread that the application does not know of."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._held = False

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *problem: object) -> None:
        self._lock.release()

    def before_fork(self) -> None:
        self._held = self._lock.acquire(timeout=_wait_s)

    def after_fork(self) -> None:
        if self._held:
            self._held = False
            self._lock.release()

    def after_fork_in_child(self) -> None:
        self._lock = threading.RLock()
        self._held = False


imports: Final = _Imports()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=imports.before_fork,
        after_in_parent=imports.after_fork,
        after_in_child=imports.after_fork_in_child,
    )
