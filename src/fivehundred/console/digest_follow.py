"""What follows from a batch: called inside its transaction, so that it is written with the batch or not at all."""

from __future__ import annotations

from collections.abc import Sequence

from fivehundred.console import alerts, alerts_held, digest_incidents
from fivehundred.console.store.base import FaultNews
from fivehundred.console.store.database import Database
from fivehundred.console.store.incidents import Incidents
from fivehundred.console.store.ownership import Ownership
from fivehundred.console.store.triage import Triage


def follow(database: Database, news: Sequence[FaultNews], *, now: float) -> None:
    Triage(database).follow(news, now=now)
    Ownership(database).follow(news, now=now)
    opened = digest_incidents.follow(database, news)
    in_incident = Incidents(database).open_faults() if news else set()
    alerts.follow(database, news, now=now, in_incident=in_incident)
    if news:
        alerts_held.follow(database, news, now=now, in_incident=in_incident)
    alerts.follow_incidents(database, opened, now=now)
