"""The first event of an outage is told of by its incident, not by itself some seconds before.

A message about a fault whose resource failed is held for a minute. When an incident takes the fault in meanwhile, and
the same channel hears of incidents, the message is dropped; else it goes out late. Everything else goes out at once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from fivehundred.console.store.alerts import Alerts
from fivehundred.console.store.base import FaultNews
from fivehundred.console.store.database import Database
from fivehundred.console.store.held import Held
from fivehundred.console.store.incidents import resource_of

held_s: Final = 60.0


def follow(database: Database, news: Sequence[FaultNews], *, now: float, in_incident: Collection[int]) -> None:
    """Inside the batch's transaction, after the messages of the batch were written."""
    channels = {rule.channel for rule in Alerts(database).rules(enabled_only=True) if "incident_opened" in rule.kinds}
    if not channels:  # nobody would hear of the incident: nothing is gained by waiting
        return
    desk = Held(database)
    for one in desk.unsent(since=now - held_s, faults=in_incident):
        if one.channel in channels:
            desk.drop(one.id)
    failing = {one.fault for one in news if _resource(one)} - set(in_incident)
    for one in desk.unsent(since=now, faults=failing):
        if one.channel in channels:
            desk.hold(one.id, until=now + held_s)


def _resource(news: FaultNews) -> str:
    return resource_of(news.newest.fingerprint, news.newest.event.server_name)
