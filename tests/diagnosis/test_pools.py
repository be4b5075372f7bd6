"""A pool that nobody gives back to, and one that cannot connect: what its own threads logged tells them apart."""

from __future__ import annotations

import pytest

from fivehundred.diagnosis.diagnose import diagnose
from fivehundred.diagnosis.model import Diagnosis
from fivehundred.event import Json, parse

refused = "error connecting in 'pool-1': connection failed: connection to server at \"10.0.0.5\", port 5432 failed: Connection refused"  # noqa: E501


def timed_out(**pool: Json) -> Diagnosis:
    exception = {"type": "PoolTimeout", "module": "psycopg_pool", "value": "couldn't get a connection after 0.50 sec"}
    state = {"name": "shop", "checked_out": 2, "size": 2, **pool}
    ours = {"pools": [state], "requests_now": 1}
    wire = {"timestamp": 1000.0, "exception": {"values": [exception]}, "contexts": {"fivehundred": ours}}
    return diagnose(parse(wire, received_at=1001.0))


def test_a_pool_that_failed_to_connect_a_moment_ago_stands_before_a_server_that_is_down() -> None:
    said = timed_out(connect_errors=3, connect_error=refused, connect_error_at=999.0)
    assert (said.cause, said.rule) == ("database", "database.refused")
    assert any("Connection refused" in fact.text for fact in said.evidence)


@pytest.mark.parametrize("old", [{"connect_error": refused, "connect_error_at": 100.0}, {}])
def test_a_connect_error_of_an_hour_ago_does_not_hide_a_leak(old: dict[str, Json]) -> None:
    said = timed_out(connect_errors=3, **old)
    assert (said.cause, said.rule) == ("bug", "bug.connection_leak")
