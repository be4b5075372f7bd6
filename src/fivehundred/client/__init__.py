"""What a caller does with a 5xx: a typed error with the reference, and retries that cannot start a storm.

The adapters are ``fivehundred.client.requests``, ``.httpx`` and ``.httpx2``; any other call is wrapped by ``retrying``.
Nothing is loaded until it is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fivehundred.client.call import retrying as retrying
    from fivehundred.client.errors import Attempt as Attempt
    from fivehundred.client.errors import CallFailed as CallFailed
    from fivehundred.client.errors import DeadlineExceeded as DeadlineExceeded
    from fivehundred.client.errors import Facts as Facts
    from fivehundred.client.errors import NoAnswer as NoAnswer
    from fivehundred.client.errors import NotSent as NotSent
    from fivehundred.client.errors import RateLimited as RateLimited
    from fivehundred.client.errors import ServerError as ServerError
    from fivehundred.client.errors import Unavailable as Unavailable
    from fivehundred.client.hooks import Hook as Hook
    from fivehundred.client.hooks import Notice as Notice
    from fivehundred.client.keys import idempotency_key as idempotency_key
    from fivehundred.client.policy import Policy as Policy
    from fivehundred.client.problem_reader import Problem as Problem
    from fivehundred.client.scope import deadline as deadline
    from fivehundred.client.scope import serving as serving
    from fivehundred.client.scope import time_left as time_left
    from fivehundred.client.switches import is_active as is_active
    from fivehundred.client.switches import set_active as set_active
    from fivehundred.client.switches import set_testing as set_testing

_homes: Final = {
    "call": ("retrying",),
    "errors": (
        "Attempt",
        "CallFailed",
        "DeadlineExceeded",
        "Facts",
        "NoAnswer",
        "NotSent",
        "RateLimited",
        "ServerError",
        "Unavailable",
    ),
    "hooks": ("Hook", "Notice"),
    "keys": ("idempotency_key",),
    "policy": ("Policy",),
    "problem_reader": ("Problem",),
    "scope": ("deadline", "serving", "time_left"),
    "switches": ("is_active", "set_active", "set_testing"),
}
__all__ = [
    "Attempt",
    "CallFailed",
    "DeadlineExceeded",
    "Facts",
    "Hook",
    "NoAnswer",
    "NotSent",
    "Notice",
    "Policy",
    "Problem",
    "RateLimited",
    "ServerError",
    "Unavailable",
    "deadline",
    "idempotency_key",
    "is_active",
    "retrying",
    "serving",
    "set_active",
    "set_testing",
    "time_left",
]


def __getattr__(name: str) -> object:
    for module, names in _homes.items():
        if name in names:
            return getattr(importlib.import_module(f"fivehundred.client.{module}"), name)
    raise AttributeError(f"module 'fivehundred.client' has no attribute {name!r}")
