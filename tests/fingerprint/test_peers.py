"""Which machine an exception names, and which address is nobody's machine."""

from __future__ import annotations

from typing import Any

from fivehundred.event import new_id, parse
from fivehundred.fingerprint.memory import Memory
from fivehundred.fingerprint.rule import fingerprint


def told(message: str) -> str:
    """All that the fingerprint says of a pool's time-out."""
    frame = {"filename": "shop/db.py", "module": "shop.db", "function": "load", "lineno": 3, "in_app": True}
    value = {"type": "TimeoutError", "module": "sqlalchemy.exc", "value": message, "stacktrace": {"frames": [frame]}}
    raw: dict[str, Any] = {"event_id": new_id(), "exception": {"values": [value]}}
    return str(fingerprint(parse(raw, received_at=1.0), Memory()).to_json())


def test_the_address_of_a_librarys_documentation_is_no_peer() -> None:
    said = "QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout 30.00"
    documented = f"{said} (Background on this error at: https://sqlalche.me/e/20/3o7r)"
    assert "outage" in told(said)
    assert "sqlalche.me" not in told(documented).replace(documented, "")


def test_an_address_before_it_is() -> None:
    said = "could not reach http://db.internal:8123/ (Background on this error at: https://sqlalche.me/e/20/3o7r)"
    assert "db.internal" in told(said)
