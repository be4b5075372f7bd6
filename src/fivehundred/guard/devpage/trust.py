"""Who may see the development page: a browser on this machine that asked this machine. Everybody else gets the answer
of production.

Three things must hold, for a page with source and variables must not leave a laptop in a café: the connection comes
from a loopback address; the Host is a loopback name (or another site's page could read it by DNS rebinding); and
nothing forwarded the request, for then the loopback address is the forwarder's.
"""

from __future__ import annotations

import ipaddress
import logging
from functools import lru_cache
from typing import Final

from fivehundred.guard.request import RequestParts

_log = logging.getLogger("fivehundred.guard")
_forwarded: Final = ("forwarded", "x-forwarded-for", "x-real-ip", "x-forwarded-host", "via", "cf-connecting-ip")


def refusal(parts: RequestParts) -> str:
    """Why the page is not shown; empty when it may be."""
    if not _is_loopback(parts.peer):
        return f"the request comes from {parts.peer[:60] or 'an unknown address'}"
    if not _is_loopback(_host_name(parts.host)):
        return f"the server was asked as {parts.host[:60]!r}"
    named = next((name for name in _forwarded if parts.header(name)), "")
    return f"the request was forwarded ({named})" if named else ""


@lru_cache(maxsize=64)
def say_refused(why: str) -> None:
    """Once for each reason."""
    _log.warning("The development page is for this machine only: %s, so it got the answer of production", ascii(why))


def _is_loopback(name: str) -> bool:
    name = name.strip().strip("[]").lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761 section 6.3
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host
