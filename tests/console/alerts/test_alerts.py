"""What a batch does to faults becomes the messages that rules ask for, and no storm of them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.console.store.conftest import make

from fivehundred.console import alerts
from fivehundred.console.alerts_send import Sender
from fivehundred.console.store.alerts import Alert, Alerts, Narrow, Rule
from fivehundred.console.store.base import Batch, Digested, NotFound, Store
from fivehundred.console.store.sqlite import SqliteStore
from fivehundred.console.store.triage import Owner, Triage
from fivehundred.console.vault import BadKey, CannotOpen, Vault

from .conftest import Hook

now = 1_790_000_000.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = SqliteStore(tmp_path / "data")
    opened.create_project("shop", now=now)
    yield opened
    opened.close()


@pytest.fixture
def desk(store: Store) -> Alerts:
    return Alerts(store.database)


def channel(desk: Alerts, vault: Vault | None = None, url: str = "http://127.0.0.1:9/", hourly_max: int = 20) -> int:
    sealed = vault.seal("k3y") if vault else ""
    return desk.add_channel("team", "webhook", {"url": url}, sealed, hourly_max=hourly_max, now=now)


def rule(desk: Alerts, *kinds: Any, **more: Any) -> int:
    target = more.pop("channel", None) or channel(desk, hourly_max=more.pop("hourly_max", 20))
    return desk.add_rule(Rule(0, "mine", target, kinds, **more), now=now)


def write(store: Store, *events: Digested, at: float = now, in_incident: tuple[int, ...] = ()) -> None:
    def within(news: Any) -> None:
        alerts.follow(store.database, news, now=at, in_incident=in_incident)

    store.write(Batch(events=list(events)), now=at, within=within)


def told(desk: Alerts) -> list[str]:
    return [alert.kind for alert in reversed(desk.alerts())]


def test_a_new_fault_is_told_of_once(store: Store, desk: Alerts) -> None:
    rule(desk, "new")
    write(store, make("a"), make("a"))
    write(store, make("a", at=now + 1), at=now + 1)
    [alert] = desk.alerts()
    assert alert.subject == "[shop] New fault: ZeroDivisionError a: division by zero"
    assert "It is a bug." in str(alert.body["text"])
    assert alert.body["path"] == "/faults/1"


def test_a_fault_that_came_back_is_told_of(store: Store, desk: Alerts) -> None:
    rule(desk, "new", "regressed")
    write(store, make("a"))
    store.set_state([1], "resolved", by="ann", now=now + 1)
    write(store, make("a", at=now + 2), at=now + 2)
    assert told(desk) == ["new", "regressed"]


def test_a_batch_that_is_not_written_tells_nothing(store: Store, desk: Alerts) -> None:
    rule(desk, "new")

    def within(news: Any) -> None:
        alerts.follow(store.database, news, now=now)
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        store.write(Batch(events=[make("a")]), now=now, within=within)
    assert desk.alerts() == []


def test_once_is_once_for_ever(store: Store, desk: Alerts) -> None:
    rule(desk, "once", narrow=Narrow(environment=("production",)))
    write(store, make("a", environment="staging"))
    assert told(desk) == []
    for hours in range(5):
        write(store, make("a", environment="production", at=now + hours * 3600), at=now + hours * 3600)
    assert told(desk) == ["once"]


def test_a_threshold_counts_within_its_minutes_and_is_quiet_for_a_while(store: Store, desk: Alerts) -> None:
    rule(desk, "threshold", threshold=10, within_s=300.0, again_s=1800.0)
    write(store, *(make("a") for _ in range(9)))
    write(store, make("a", at=now + 600), at=now + 600)  # the nine are out of its sight
    assert told(desk) == []
    write(store, *(make("a", at=now + 620) for _ in range(9)), at=now + 620)
    assert told(desk) == ["threshold"]
    write(store, *(make("a", at=now + 700) for _ in range(9)), at=now + 700)
    assert told(desk) == ["threshold"]
    write(store, *(make("a", at=now + 2600) for _ in range(10)), at=now + 2600)
    assert told(desk) == ["threshold", "threshold"]


def test_a_spike_is_many_times_what_is_normal_for_the_fault(store: Store, desk: Alerts) -> None:
    rule(desk, "spike", threshold=10, within_s=600.0)
    for step in range(6 * 6):  # six hours of 10 events in ten minutes: the usual
        at = now + step * 600
        write(store, *(make("usual", at=at) for _ in range(10)), at=at)
    later = now + 6 * 3600 + 1200
    write(store, *(make("usual", at=later) for _ in range(40)), at=later)
    assert told(desk) == []
    write(store, *(make("usual", at=later + 1) for _ in range(20)), at=later + 1)
    assert told(desk) == ["spike"]


@pytest.mark.parametrize(
    ("narrow", "fits"),
    [
        (Narrow(), True),
        (Narrow(project=("1",)), True),
        (Narrow(project=("2",)), False),
        (Narrow(cause=("bug", "database")), True),
        (Narrow(cause=("overload",)), False),
        (Narrow(environment=("production",)), False),
        (Narrow(tag=(("region", "eu"), ("region", "us"))), True),
        (Narrow(tag=(("region", "us"),)), False),
        (Narrow(level=("error", "fatal")), True),
    ],
)
def test_a_rule_is_about_what_it_names(store: Store, desk: Alerts, narrow: Narrow, fits: bool) -> None:
    rule(desk, "new", narrow=narrow)
    write(store, make("a", environment="staging", tags={"region": "eu"}))
    assert bool(desk.alerts()) is fits


def test_a_fault_of_an_open_incident_is_told_of_by_the_incident_alone(store: Store, desk: Alerts) -> None:
    rule(desk, "new", "incident_opened")
    write(store, make("a"), make("b"), in_incident=(1, 2))
    news = alerts.IncidentNews(7, "incident_opened", "1", "db:5432 refuses connections", 2, 40)
    with store.database.transaction():
        assert alerts.follow_incidents(store.database, [news], now=now) == 1
        assert alerts.follow_incidents(store.database, [news], now=now) == 0
    assert [alert.subject for alert in desk.alerts()] == ["[shop] Incident: db:5432 refuses connections"]


def test_a_storm_is_a_few_messages_and_one_summary(store: Store, desk: Alerts) -> None:
    rule(desk, "new", hourly_max=5)
    write(store, *(make(f"k{n}") for n in range(300)))
    assert told(desk) == ["new"] * 5 + ["summary"]
    summary = desk.alerts()[0]
    assert (summary.folded, summary.subject) == (295, "295 more alerts")
    assert "and 265 more" in str(summary.body["text"])
    assert summary.due_at == now + alerts.summary_after_s


def test_a_rule_that_is_off_or_gone_tells_nothing(store: Store, desk: Alerts) -> None:
    off, gone = rule(desk, "new"), rule(desk, "new")
    desk.enable_rule(off, False)
    desk.remove_rule(gone, now=now)
    write(store, make("a"))
    assert desk.alerts() == []


def test_a_channel_goes_with_its_rules_and_its_secret(desk: Alerts, tmp_path: Path) -> None:
    made = channel(desk, Vault(tmp_path / "key"))
    rule(desk, "new", channel=made)
    desk.remove_channel(made, now=now)
    assert (desk.channels(), desk.rules()) == ([], [])
    with pytest.raises(NotFound, match=f"no channel {made}"):
        desk.channel(made)


def test_of_two_senders_one_gets_the_message(store: Store, desk: Alerts) -> None:
    rule(desk, "new")
    write(store, make("a"))
    [alert] = desk.due(now=now)
    assert desk.claim(alert, until=now + 60)
    assert not desk.claim(alert, until=now + 60)
    assert desk.due(now=now) == []
    assert [a.id for a in desk.due(now=now + 61)] == [alert.id]  # its sender died


# ---- sending, to a real server -------------------------------------------------------------------


def send(store: Store, vault: Vault, until: Any, folder: Path) -> None:
    """Runs a sender until the condition holds."""

    async def run() -> None:
        sender = Sender(lambda: SqliteStore(folder), vault, "http://console.test")
        task = asyncio.create_task(sender.run())
        deadline = time.monotonic() + 10
        while not until():
            assert time.monotonic() < deadline, Alerts(store.database).alerts()
            await asyncio.sleep(0.02)
        await sender.stop()
        await task

    asyncio.run(run())


def only(desk: Alerts) -> Alert:
    [alert] = desk.alerts()
    return alert


def test_a_message_arrives_with_what_programs_need(store: Store, desk: Alerts, hook: Hook, tmp_path: Path) -> None:
    vault = Vault(tmp_path / "key")
    rule(desk, "new", channel=channel(desk, vault, hook.url))
    write(store, make("a", release="2.4.0"), at=time.time())
    send(store, vault, lambda: only(desk).state == "sent", tmp_path / "data")
    body = json.loads(hook.got[0][1])
    assert body["url"] == "http://console.test/faults/1"
    assert body["fault"]["cause"] == "bug"
    assert (body["fault"]["events"], body["fault"]["release"], body["kind"]) == (1, "2.4.0", "new")
    assert "Fivehundred-Signature" in hook.got[0][0]


def test_what_was_not_accepted_is_tried_again_later(store: Store, desk: Alerts, hook: Hook, tmp_path: Path) -> None:
    hook.answers = [503]
    rule(desk, "new", channel=channel(desk, url=hook.url))
    started = time.time()
    write(store, make("a"), at=started)
    send(store, Vault(tmp_path / "key"), lambda: only(desk).error, tmp_path / "data")
    alert = only(desk)
    assert (alert.state, alert.attempts) == ("waiting", 1)
    assert "answered 503" in alert.error
    assert 9 < alert.due_at - started < 20


def test_what_was_rejected_is_failed_with_the_reason(store: Store, desk: Alerts, hook: Hook, tmp_path: Path) -> None:
    hook.answers = [404]
    rule(desk, "new", channel=channel(desk, url=hook.url))
    write(store, make("a"), at=time.time())
    send(store, Vault(tmp_path / "key"), lambda: only(desk).state == "failed", tmp_path / "data")
    assert "answered 404" in only(desk).error
    desk.retry(only(desk).id, now=time.time())
    send(store, Vault(tmp_path / "key"), lambda: only(desk).state == "sent", tmp_path / "data")


def test_a_dead_channel_keeps_no_other_waiting(store: Store, desk: Alerts, hook: Hook, tmp_path: Path) -> None:
    for target in (channel(desk), channel(desk, url=hook.url)):
        rule(desk, "new", channel=target)
    write(store, make("a"), make("b"), at=time.time())
    send(store, Vault(tmp_path / "key"), lambda: len(hook.got) == 2, tmp_path / "data")


# ---- the vault -----------------------------------------------------------------------------------


def test_a_secret_is_opened_with_its_key_only(tmp_path: Path) -> None:
    sealed = Vault(tmp_path / "a").seal("s3cret")
    assert "s3cret" not in sealed
    assert Vault(tmp_path / "a").open(sealed) == "s3cret"
    with pytest.raises(CannotOpen, match="another key"):
        Vault(tmp_path / "b").open(sealed)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_a_key_that_is_none_is_said_to_be_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIVEHUNDRED_KEY", "short")
    with pytest.raises(BadKey, match="FIVEHUNDRED_KEY"):
        Vault(tmp_path / "a")


def test_a_rule_of_a_team_tells_of_what_is_assigned_to_it(store: Store, desk: Alerts) -> None:
    rule(desk, "new", "regressed", narrow=Narrow(team=("Billing",)))
    write(store, make("a"))
    assert told(desk) == []

    def within(news: Any) -> None:  # in the order of the digest: owners before alerts
        Triage(store.database).assign([one.fault for one in news], Owner("billing", "team"), by="rule", now=now)
        alerts.follow(store.database, news, now=now)

    store.write(Batch(events=[make("b")]), now=now, within=within)
    assert told(desk) == ["new"]
