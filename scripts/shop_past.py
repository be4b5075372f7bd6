"""A month of a shop that fails, for screenshots: real failures, digested as they would have been on each of those days.

.venv/bin/python scripts/shop_past.py FOLDER    fills a fresh data folder; then `fivehundred console --data FOLDER`

Every event is one that the Guard really captured; only its time, release, host and user are drawn. It goes through the
digest, so that grouping, causes, incidents and alerts are the Console's own. People and what they did are written
through the desks. Sign in as ann (owner), bob, carol or dave with the password "a shop that fails".
"""

from __future__ import annotations

import json
import logging
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shop import environ, shop

from fivehundred import Guard
from fivehundred.console.access import secret
from fivehundred.console.config import Layout
from fivehundred.console.digest_event import Digester
from fivehundred.console.digest_follow import follow
from fivehundred.console.digest_incidents import settle
from fivehundred.console.digest_items import sort
from fivehundred.console.spool.base import Received
from fivehundred.console.store.alerts import Alerts, Narrow, Rule
from fivehundred.console.store.base import Batch, FaultNews, Store, Tally
from fivehundred.console.store.deploys import Deploys
from fivehundred.console.store.filters import Filters
from fivehundred.console.store.objectives import Objectives
from fivehundred.console.store.ownership import Ownership
from fivehundred.console.store.people import People
from fivehundred.console.store.rates import Counted, RateReport, Rates
from fivehundred.console.store.sqlite import SqliteStore
from fivehundred.console.store.triage import Owner, Triage, Until
from fivehundred.console.store.views import Views
from fivehundred.console.vault import Vault
from fivehundred.event import Json, new_id
from fivehundred.event_wire import to_wire

hour_s, day_s = 3_600.0, 86_400.0
password = "a shop that fails"
releases = (("2.1.0", 30.0), ("2.2.0", 19.0), ("2.3.0", 8.0), ("2.4.0", 1.1))  # and how many days ago each began


@dataclass(frozen=True, slots=True)
class Way:
    """One way to fail: in which project, from how many days ago until when, how often a day, and how many requests."""

    path: str
    method: str
    project: str
    since: float
    until: float
    daily: float
    requests: int  # a day, of its route
    route: str = ""


ways = (
    Way("/orders/4711", "GET", "1", 1.1, 0, 190, 41_000, "/orders/{id}"),
    Way("/search", "GET", "1", 26, 0, 9, 88_000),
    Way("/basket", "GET", "1", 14, 0, 16, 52_000),
    Way("/stock/12", "GET", "1", 22, 12, 11, 19_000, "/stock/{id}"),
    Way("/reports/2026/10", "GET", "1", 29, 0, 2.4, 300, "/reports/{year}/{month}"),
    Way("/profile", "GET", "3", 28, 0, 3.1, 23_000),
    Way("/sign-up", "POST", "3", 1.0, 0, 60, 2_100),
    Way("/password-reset", "POST", "3", 17, 0, 5.5, 900),
    Way("/add-user", "POST", "3", 6, 4.2, 20, 2_400),
    Way("/checkout", "POST", "2", 0.13, 0, 900, 9_800),
    Way("/webhooks/stripe", "POST", "2", 19, 0, 6.2, 12_000),
    Way("/exchange-rates", "GET", "2", 25, 0, 8.5, 30_000),
    Way("/invoices", "GET", "2", 8, 0, 7, 5_200),
    Way("/exports", "POST", "2", 3, 0, 4, 90),
    Way("/notify", "POST", "2", 12, 0, 4.4, 7_000),
    Way("/tax", "GET", "2", 27, 9, 3, 61_000),
)
outage_days = 5.0  # ago, the payments and shop database was away for 25 minutes


def main() -> None:
    folder = Path(sys.argv[1])
    fill(folder, now=time.time())
    print(f"fivehundred console --data {folder}")


def fill(folder: Path, *, now: float) -> None:
    layout = Layout(folder)
    folder.mkdir(parents=True, exist_ok=True)
    store = SqliteStore(layout.database)
    for name in ("shop-api", "payments", "accounts"):
        store.create_project(name, now=now - 30 * day_s)
    people(People(store.database), now=now)
    rules(store, Vault(layout.key), now=now)
    rng = random.Random(7)
    digester, captured = Digester(store), {way.path: capture(way) for way in ways}
    for hour in range(30 * 24, -1, -1):
        at = now - hour * hour_s
        write(store, digester, list(events(rng, captured, at, now)), at)
        work(store, hour, now=at)
    store.close()


# ---- events --------------------------------------------------------------------------------------


def capture(way: Way) -> dict[str, Json]:
    """What the Guard sends of it."""
    logging.getLogger("fivehundred").setLevel(logging.CRITICAL)  # the failures are meant
    guard = Guard(mode="testing", environment="production")
    answer: Any = guard.wsgi(shop)(environ(way.path, way.method), lambda *_: None)
    b"".join(answer)
    here = str(Path(__file__).parent)
    event: dict[str, Json] = json.loads(json.dumps(to_wire(guard.events[-1])).replace(here, "/srv/shop"))
    guard.close()
    if way.route:
        contexts: Any = event["contexts"]
        contexts["fivehundred"]["route"] = way.route
    return event


def events(
    rng: random.Random, captured: dict[str, dict[str, Json]], at: float, now: float
) -> Iterator[tuple[Way, float, dict[str, Json]]]:
    ago = (now - at) / day_s
    for way in ways:
        rate = way.daily / 24 if way.until <= ago <= way.since else 0.0
        if way.path == "/add-user" and abs(ago - outage_days) < 0.03:
            rate = 140.0
        rate *= 1.6 if 8 <= time.gmtime(at).tm_hour < 20 else 0.4
        for _ in range(int(rate) + (rng.random() < rate % 1)):
            when = at - rng.random() * hour_s
            yield way, when, stamped(rng, captured[way.path], when, now)


def stamped(rng: random.Random, event: dict[str, Json], at: float, now: float) -> dict[str, Json]:
    ago = (now - at) / day_s
    release = next((name for name, since in reversed(releases) if ago <= since), releases[0][0])
    user = rng.randrange(700)
    return {
        **event,
        "event_id": new_id(),
        "timestamp": at,
        "release": release,
        "server_name": f"web-{1 + rng.randrange(4)}",
        "environment": "production" if rng.random() < 0.93 else "staging",
        "user": {"id": f"u{user}", "email": f"customer{user}@shop.example"},
        "tags": {"region": rng.choice(("eu-west", "eu-west", "us-east")), "plan": rng.choice(("free", "pro"))},
    }


def write(store: Store, digester: Digester, found: list[tuple[Way, float, dict[str, Json]]], at: float) -> None:
    batch = Batch()
    for way, when, event in sorted(found, key=lambda f: f[1]):
        record = Received(way.project, "store", when, {"client": "fivehundred/0.1"}, json.dumps(event).encode())
        for one in sort(record, new_id(), batch):
            digester.digest(one, batch)
    digester.learned(batch)
    batch.tallies.append(Tally("2", "dropped", "event", "quota", "sentry.python/2.75.0", int(len(found) > 40)))
    failed = {way.path: sum(1 for w, _, _ in found if w is way) for way in ways}

    def within(news: Any) -> None:
        told: list[FaultNews] = list(news)
        follow(store.database, told, now=at)
        Rates(store.database).add([report(way, failed[way.path], at) for way in ways])

    store.write(batch, now=at, within=within)
    settle(store.database, now=at)


def report(way: Way, failed: int, at: float) -> RateReport:
    share = 1.6 if 8 <= time.gmtime(at).tm_hour < 20 else 0.4
    good = int(way.requests / 24 * share)
    counts = (Counted(way.route or way.path, way.method, good, good // 60, failed),)
    return RateReport(way.project, at, "2.4.0", "production", "web-1", counts)


# ---- people and what they did --------------------------------------------------------------------


def people(desk: People, *, now: float) -> None:
    hashed = secret.hashed(password)
    made = {
        name: desk.add(name, role, password=hashed, shown=name.title(), now=now - 29 * day_s)
        for name, role in (("ann", "owner"), ("bob", "admin"), ("carol", "member"), ("dave", "viewer"))
    }
    shop_team, money = desk.add_team("Shop"), desk.add_team("Money")
    desk.set_team(shop_team, [made["carol"], made["dave"]], ["1", "3"])
    desk.set_team(money, [made["bob"], made["carol"]], ["2"])


def rules(store: Store, vault: Vault, *, now: float) -> None:
    database, at = store.database, now - 28 * day_s
    alerts = Alerts(database)
    settings = {"host": "127.0.0.1", "port": "25", "security": "none", "sender": "console@shop.example"}
    mail = alerts.add_channel(
        "On call",
        "mail",
        {**settings, "receivers": "oncall@shop.example", "user": ""},
        vault.seal(""),
        hourly_max=20,
        now=at,
    )
    hook = {"url": "http://127.0.0.1:9/hooks/500"}
    bot = alerts.add_channel("Chat bot", "webhook", hook, vault.seal("a key of the webhook"), hourly_max=20, now=at)
    alerts.add_rule(Rule(0, "Incidents", mail, ("incident_opened", "incident_closed")), now=at)
    alerts.add_rule(Rule(0, "New and back again", bot, ("new", "regressed")), now=at)
    alerts.add_rule(Rule(0, "Payments at once", mail, ("spike",), Narrow(project=("2",)), threshold=50), now=at)
    Objectives(database).set("1", "", 0.999)
    Objectives(database).set("2", "/checkout", 0.995)
    Objectives(database).set("3", "/sign-up", 0.99)
    Ownership(database).add("2", "path", "*/payments/*", Owner("Money", "team", 2))
    Ownership(database).add("3", "route", "/password-*", Owner("Carol", "member", 3))
    Filters(database).add("1", "message", "*health check*")
    Filters(database).add("", "url", "*/wp-login.php*")
    views = Views(database)
    views.save("Money, failing now", "project:payments is:open", "impact", member=None, now=at)
    views.save("Database in production", "cause:database environment:production", "last_seen", member=None, now=at)
    for name, since in releases:
        for project in ("1", "2", "3"):
            started = now - since * day_s
            Deploys(database).deploy(
                project, name, "production", finished_at=started, started_at=started - 240, name="pipeline"
            )


def work(store: Store, hour: int, *, now: float) -> None:
    """What people did in that hour of the month: once each, on what was there by then."""
    desk, said = Triage(store.database), _SAID.get(hour, ())
    for route, who, act in said:
        found = store.database.rows("SELECT id FROM fault WHERE route = ? ORDER BY id", (route,))
        faults = [int(row[0]) for row in found][:1]
        if act == "resolve":
            desk.resolve(faults, by=who, now=now)
        elif act == "mute":
            desk.mute(faults, by=who, now=now, until=Until(seconds=14 * day_s))
        elif act == "assign":
            desk.assign(faults, Owner(who), by="Bob", now=now)
        else:
            for fault in faults:
                desk.comment(fault, act, by=who, now=now)


_SAID: dict[int, tuple[tuple[str, str, str], ...]] = {
    600: (("/profile", "Dave", "Only names with letters beyond ASCII. Low."), ("/profile", "Carol", "mute")),
    400: (("/stock/{id}", "Carol", "resolve"), ("/tax", "Bob", "assign")),
    290: (("/stock/{id}", "Carol", "resolve"),),
    214: (("/tax", "Bob", "resolve"),),
    100: (("/add-user", "Bob", "The database host was rebooted for its kernel."), ("/add-user", "Bob", "resolve")),
    60: (("/webhooks/stripe", "Carol", "assign"), ("/exchange-rates", "Bob", "assign")),
    20: (
        ("/orders/{id}", "Carol", "assign"),
        ("/orders/{id}", "Carol", "Orders without lines come from the import of 2.4.0. I look at the import first."),
    ),
}


if __name__ == "__main__":
    main()
