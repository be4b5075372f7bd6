"""Everything that should happen when a web API answers 500 Internal Server Error.

``import fivehundred`` loads nothing but this file; each public name brings its own module when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fivehundred.guard.guard import Guard

__version__ = "0.1.0.dev0"
__all__ = ["Guard", "__version__"]


def __getattr__(name: str) -> object:
    if name == "Guard":
        from fivehundred.guard.guard import Guard

        return Guard
    raise AttributeError(f"module 'fivehundred' has no attribute {name!r}")
