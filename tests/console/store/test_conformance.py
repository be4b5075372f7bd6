"""What every Store does, whatever it is built on. The fixture ``store`` is each implementation in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fivehundred import limits
from fivehundred.console.store.base import (
    BadCursor,
    Batch,
    Digested,
    FaultQuery,
    Feedback,
    Malformed,
    NotFound,
    Store,
    Tally,
)
from fivehundred.event import new_id

now = 1_790_000_000.0
hour = 3600.0


class Make(Protocol):
    def __call__(self, key: str = "k1", *, at: float = now, project: str = "1", **raw: Any) -> Digested: ...


Write = Callable[..., None]


def only_fault(store: Store, *, state: Any = "open") -> Any:
    page = store.faults(FaultQuery(state=state), now=now)
    assert len(page.faults) == 1
    return page.faults[0]


def pages_of(store: Store, query: FaultQuery) -> Iterator[int]:
    while True:
        page = store.faults(query, now=now)
        yield from (fault.id for fault in page.faults)
        if not page.next:
            return
        query = FaultQuery(order=query.order, limit=query.limit, cursor=page.next)


# ---- projects ------------------------------------------------------------------------------------


def test_projects_are_numbered_from_one_and_have_a_key_of_their_own(store: Store) -> None:
    first, second = store.create_project("shop", now=now), store.create_project("till", now=now)
    assert (first.id, second.id) == ("1", "2")
    assert len(first.key) == 32
    assert first.key != second.key
    assert list(store.projects()) == [first, second]
    assert store.project("2") == second


def test_an_unknown_project_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound, match="no project 7"):
        store.project("7")


# ---- writing -------------------------------------------------------------------------------------


def test_events_with_the_same_key_are_one_fault_with_exact_figures(store: Store, write: Write, make: Make) -> None:
    write(
        make(at=now - 60, user={"id": "a"}, release="1.0"), make(user={"id": "b"}, release="1.1"), make(release="1.1")
    )
    fault = only_fault(store)
    assert (fault.events, fault.users) == (3, 2)
    assert (fault.first_seen, fault.last_seen) == (now - 60, now)
    assert (fault.first_release, fault.last_release) == ("1.0", "1.1")
    assert fault.trend[-1] == 3
    assert store.fault(fault.id, now=now).releases == (("1.0", 1, now - 60), ("1.1", 2, now))


def test_events_with_other_keys_or_projects_are_other_faults(store: Store, write: Write, make: Make) -> None:
    write(make("a"), make("b"), make("a", project="2"))
    assert store.faults(FaultQuery(), now=now).total == 3
    assert store.faults(FaultQuery(project="2"), now=now).total == 1


def test_a_second_delivery_counts_nothing_and_is_tallied(store: Store, write: Write, make: Make) -> None:
    once = make()
    write(once, once)
    write(once)
    assert only_fault(store).events == 1
    outcomes = {t.outcome: t.quantity for t in store.stats(None, hours=1, now=now).tallies}
    assert outcomes == {"kept": 1, "duplicate": 2}


def test_a_storm_is_counted_exactly_and_its_payloads_are_sampled(store: Store, write: Write, make: Make) -> None:
    for _ in range(3):
        write(*[make() for _ in range(400)])
    fault = only_fault(store)
    assert fault.events == 1200
    tallies = {t.outcome: t.quantity for t in store.stats(None, hours=1, now=now).tallies}
    assert tallies["kept"] + tallies["counted"] == 1200
    assert limits.payloads_an_hour_max < tallies["kept"] < 250
    assert store.event(fault.last_event_id).summary.kept


def test_an_event_that_was_only_counted_is_found_with_its_fault_and_never_counted_twice(
    store: Store, write: Write, make: Make
) -> None:
    storm = [make() for _ in range(limits.payloads_an_hour_max + 1)]
    write(*storm)
    write(storm[-1])
    found = store.event(storm[-1].event.event_id)
    assert (found.summary.kept, found.payload) == (False, {})
    assert found.summary.fault == only_fault(store).id
    assert only_fault(store).events == len(storm)


def test_a_batch_that_fails_leaves_nothing_behind(store: Store, write: Write, make: Make) -> None:
    write(make(), offset="1:0")
    bad = Malformed("1", now, "not hex", "reason", b"")
    with pytest.raises(ValueError):
        store.write(Batch("2:0", [make("other")], [bad], [Tally("1", "counted", "span", "", "", 5)]), now=now)
    assert store.offset() == "1:0"
    assert only_fault(store).title == "ZeroDivisionError k1"
    write(make("other"))
    assert store.faults(FaultQuery(), now=now).total == 2


def test_the_offset_and_what_grouping_learned_are_saved_with_the_batch(store: Store) -> None:
    assert (store.offset(), store.memory("1")) == ("", {})
    store.write(Batch("3:44", memories={"1": {"helpers": ["fail"]}}), now=now)
    assert (store.offset(), store.memory("1")) == ("3:44", {"helpers": ["fail"]})
    store.write(Batch(), now=now)
    assert store.offset() == "3:44"


def test_a_key_that_continues_a_known_one_joins_its_fault_and_stays(store: Store, write: Write, make: Make) -> None:
    write(make("old"))
    write(make("new", continues="loose-old"), make("new"))
    write(make("new"))
    assert only_fault(store).events == 4
    assert [c.what for c in store.fault(1, now=now).history] == ["continued by shop.new in total"]


def test_a_key_that_continues_nothing_known_is_a_new_fault(store: Store, write: Write, make: Make) -> None:
    write(make("old"))
    write(make("new", continues="never seen"))
    assert store.faults(FaultQuery(), now=now).total == 2


def test_late_events_are_counted_in_their_own_hour_and_do_not_change_the_face(
    store: Store, write: Write, make: Make
) -> None:
    write(make(message="new"))
    write(make(at=now - 5 * hour, release="0.9"))
    fault = only_fault(store)
    assert (fault.trend[-1], fault.trend[-6]) == (1, 1)
    assert (fault.last_seen, fault.first_seen) == (now, now - 5 * hour)


def test_hostile_texts_come_back_as_they_were_stored(store: Store, write: Write, make: Make) -> None:
    text = "'; DROP TABLE fault; -- <script> \u2028 \U0001f4a5 %s {}"
    write(make(tags={text: text}, release=text, user={"id": text}, transaction=text))
    fault = only_fault(store)
    assert fault.route == text
    assert store.fault(fault.id, now=now).tags[text] == ((text, 1),)
    assert store.faults(FaultQuery(release=text), now=now).total == 1
    assert store.faults(FaultQuery(text=text), now=now).total == 1


def test_tag_names_and_values_are_bounded_and_the_events_are_still_counted(
    store: Store, write: Write, make: Make
) -> None:
    write(*[make(tags={"order": f"o{i}", f"name{i}": "x"}) for i in range(limits.values_a_tag_max + 20)])
    tags = store.fault(1, now=now).tags
    assert len(tags) <= limits.tags_a_fault_max
    assert sum(n for _, n in tags["order"]) == limits.values_a_tag_max + 20
    assert dict(tags["order"])["…"] == 20


def test_the_words_of_tallies_are_bounded_and_their_sum_is_not(store: Store) -> None:
    many = limits.tally_rows_max + 50
    store.write(Batch(tallies=[Tally("1", "dropped", f"item{i}", "", "", 2) for i in range(many)]), now=now)
    tallies = store.stats("1", hours=1, now=now).tallies
    assert len(tallies) <= limits.tally_rows_max + 7
    assert sum(t.quantity for t in tallies) == 2 * many


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 15)), max_size=8), max_size=6))
def test_whatever_is_delivered_how_often_each_event_counts_once(
    store: Store, make: Make, batches: list[list[tuple[str, int]]]
) -> None:
    ids = {n: new_id() for n in range(16)}
    before = store.stats(None, hours=1, now=now).events
    for batch in batches:
        store.write(Batch(events=[make(key, event_id=ids[n]) for key, n in batch]), now=now)
    distinct = {n for batch in batches for _, n in batch}
    assert store.stats(None, hours=1, now=now).events - before == len(distinct)


# ---- malformed -----------------------------------------------------------------------------------


def test_malformed_events_are_kept_shown_and_found_by_their_id(store: Store) -> None:
    event_id = new_id()
    store.write(Batch(malformed=[Malformed("1", now, event_id, "not JSON", b"{\xff\x00")]), now=now)
    (summary,) = store.malformed("1", limit=10)
    assert (summary.event_id, summary.fault, summary.message) == (event_id, None, "not JSON")
    found = store.event(event_id)
    assert (found.malformed, found.payload, found.diagnosis) == ("not JSON", {"data": "{\\xff\\x00"}, None)
    assert store.malformed("2", limit=10) == []


def test_only_the_newest_malformed_events_are_kept_and_all_are_counted(store: Store) -> None:
    many = limits.malformed_kept_max + 5
    store.write(Batch(malformed=[Malformed("1", now, new_id(), "not JSON", b"x") for _ in range(many)]), now=now)
    with_all = store.stats("1", hours=1, now=now).tallies
    assert [(t.outcome, t.quantity) for t in with_all] == [("malformed", many)]


# ---- reading -------------------------------------------------------------------------------------


def test_a_kept_event_comes_back_whole_with_its_neighbours(store: Store, write: Write, make: Make) -> None:
    first, second, third = make(), make(extra={"n": 1}, sdk={"name": "sentry.python", "version": "2"}), make()
    write(first, second, third)
    found = store.event(second.event.event_id.upper())
    assert found.payload["extra"] == {"n": 1}
    assert found.diagnosis == second.diagnosis
    assert found.fingerprint["why"] == ["grouped by the strict key"]
    assert (found.older, found.newer) == (first.event.event_id, third.event.event_id)
    assert found.summary.sdk == "sentry.python/2"


def test_what_users_wrote_comes_with_its_event_each_text_once(store: Store, write: Write, make: Make) -> None:
    event = make()
    said = [Feedback("1", event.event.event_id, now, "Ada", "ada@example.org", text) for text in ("a", "b", "a")]
    store.write(Batch(feedback=[*said, replace(said[0], event_id=new_id())]), now=now)
    write(event)
    assert store.event(event.event.event_id).feedback == tuple(said[:2])


def test_only_the_newest_words_of_users_are_kept(
    store: Store, write: Write, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "feedback_kept_max", 2)
    event = make()
    said = [Feedback("1", event.event.event_id, now, "", "", str(n)) for n in range(5)]
    write(event)
    store.write(Batch(feedback=said), now=now)
    assert store.event(event.event.event_id).feedback == tuple(said[3:])


@pytest.mark.parametrize("event_id", ["", "0" * 32, "x" * 32, "' OR 1=1", "\0", "a" * 10_000])
def test_an_unknown_event_is_not_found(store: Store, event_id: str) -> None:
    with pytest.raises(NotFound):
        store.event(event_id)


def test_an_unknown_fault_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        store.fault(1, now=now)


@pytest.mark.parametrize("order", ["impact", "last_seen", "first_seen", "events", "users"])
def test_every_order_is_walked_page_by_page_without_gap_or_repetition(
    store: Store, write: Write, make: Make, order: Any
) -> None:
    write(*[make(f"k{i % 23}", at=now - i % 3) for i in range(60)])
    walked = list(pages_of(store, FaultQuery(order=order, limit=5)))
    assert sorted(walked) == list(range(1, 24))


def test_what_fails_now_comes_before_what_failed_more_yesterday(store: Store, write: Write, make: Make) -> None:
    write(*[make("yesterday", at=now - 12 * hour) for _ in range(20)])
    write(*[make("now", user={"id": str(i)}) for i in range(5)])
    write(*[make("quiet")])
    titles = [f.title for f in store.faults(FaultQuery(), now=now).faults]
    assert titles == ["ZeroDivisionError now", "ZeroDivisionError yesterday", "ZeroDivisionError quiet"]


def test_queries_narrow_by_state_cause_release_environment_and_text(store: Store, write: Write, make: Make) -> None:
    write(make("a", release="1.0", environment="staging"), make("b", release="2.0"))
    assert [f.title[-1] for f in store.faults(FaultQuery(release="1.0"), now=now).faults] == ["a"]
    assert [f.title[-1] for f in store.faults(FaultQuery(environment="production"), now=now).faults] == ["b"]
    assert [f.title[-1] for f in store.faults(FaultQuery(text="SHOP.B zero"), now=now).faults] == ["b"]
    assert store.faults(FaultQuery(cause="database"), now=now).total == 0
    assert store.faults(FaultQuery(state="resolved"), now=now).total == 0
    assert store.faults(FaultQuery(state=None), now=now).total == 2


@pytest.mark.parametrize("cursor", ["x", "impact:nan", "events:1:1", "impact:1:x", "impact:1:" + "9" * 40, "::"])
def test_a_foreign_cursor_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(BadCursor):
        store.faults(FaultQuery(cursor=cursor), now=now)


def test_events_are_walked_newest_first_by_fault_and_by_project(store: Store, write: Write, make: Make) -> None:
    written = [make("a" if i % 2 else "b", project="1") for i in range(10)]
    write(*written)
    ids: list[str] = []
    cursor = ""
    while True:
        page, cursor = store.events(None, project="1", cursor=cursor, limit=3)
        ids += [e.event_id for e in page]
        if not cursor:
            break
    assert ids == [d.event.event_id for d in reversed(written)]
    assert len(store.events(1, project=None, cursor="", limit=50)[0]) == 5
    with pytest.raises(BadCursor):
        store.events(1, project=None, cursor="-1", limit=50)


def test_figures_are_by_hour_and_cause(store: Store, write: Write, make: Make) -> None:
    write(make(), make(at=now - hour), make(at=now - 2 * hour))
    stats = store.stats("1", hours=2, now=now)
    assert (stats.events, stats.by_hour, stats.causes) == (2, (1, 1), {"bug": 2})
    assert stats.faults == {"open": 1, "muted": 0, "resolved": 0}


def test_the_past_of_a_fault_is_told_to_the_diagnosis(store: Store, write: Write, make: Make) -> None:
    write(make(release="1.0", server_name="web-1"), make("other", server_name="web-2", release="1.1"))
    event = make(release="1.2")
    history = store.history("1", "k1", event.event)
    assert (history.events, history.first_seen, history.releases) == (1, now, ("1.0", "1.2"))
    assert (history.hosts, history.routes, history.all_hosts) == (("web-1",), ("/orders/{id}",), 2)
    assert history.others_now == ("ZeroDivisionError other",)
    assert store.history("1", "never", event.event).events == 0


# ---- triage --------------------------------------------------------------------------------------


def test_a_state_is_changed_once_and_told_in_the_history(store: Store, write: Write, make: Make) -> None:
    write(make("a"), make("b"))
    assert store.set_state([1, 2, 99], "muted", by="ada", now=now) == 2
    assert store.set_state([1], "muted", by="ada", now=now) == 0
    assert [(c.by, c.what) for c in store.fault(1, now=now).history] == [("ada", "muted")]
    assert store.faults(FaultQuery(state="muted"), now=now).total == 2


def test_an_event_after_resolution_reopens_the_fault_as_regressed(store: Store, write: Write, make: Make) -> None:
    write(make(release="1.0"))
    store.set_state([1], "resolved", by="ada", now=now + 10)
    write(make(release="1.1", at=now + 20))
    fault = only_fault(store)
    assert (fault.state, fault.regressed_at) == ("open", now + 20)
    assert [c.what for c in store.fault(1, now=now).history] == ["regressed in 1.1", "resolved"]


def test_an_event_from_before_the_resolution_reopens_nothing(store: Store, write: Write, make: Make) -> None:
    write(make())
    store.set_state([1], "resolved", by="ada", now=now + 10)
    write(make(at=now + 5))
    assert only_fault(store, state="resolved").events == 2


def test_a_muted_fault_stays_muted_and_counts_on(store: Store, write: Write, make: Make) -> None:
    write(make())
    store.set_state([1], "muted", by="ada", now=now)
    write(make(at=now + 5))
    assert only_fault(store, state="muted").events == 2


def test_the_version_grows_with_everything_a_page_could_show(store: Store, write: Write, make: Make) -> None:
    seen = [store.version()]
    store.create_project("shop", now=now)
    seen.append(store.version())
    write(make())
    seen.append(store.version())
    store.set_state([1], "resolved", by="ada", now=now)
    seen.append(store.version())
    assert seen == sorted(set(seen))


def test_changes_since_a_moment_count_faults_with_newer_events(store: Store, write: Write, make: Make) -> None:
    write(make("a"), make("b"), at=now)
    write(make("b", at=now - 100), make("c", project="2"), at=now + 5)
    assert store.changed_since(now, project=None) == 2
    assert store.changed_since(now, project="1") == 1


# ---- what follows from a batch ---------------------------------------------------------------------


def news_of(store: Store, *events: Digested, at: float = now) -> dict[str, Any]:
    found: list[Any] = []
    store.write(Batch(events=list(events)), now=at, within=found.extend)
    return {news.newest.fingerprint.primary.value: news for news in found}


def test_a_batch_tells_what_it_did_to_each_fault(store: Store, make: Make) -> None:
    first = news_of(store, make("a"), make("a", at=now + 1), make("b"))
    assert {key: (news.created, news.events) for key, news in first.items()} == {"a": (True, 2), "b": (True, 1)}
    again = news_of(store, make("a", at=now + 2))
    assert (again["a"].created, again["a"].events, again["a"].fault) == (False, 1, first["a"].fault)
    assert first["a"].first.event.timestamp == now
    assert first["a"].newest.event.timestamp == now + 1


def test_a_batch_tells_which_faults_came_back(store: Store, make: Make) -> None:
    fault = news_of(store, make("a"))["a"].fault
    store.set_state([fault], "resolved", by="ann", now=now + 1)
    assert news_of(store, make("a", at=now + 2))["a"].regressed
    assert not news_of(store, make("a", at=now + 3))["a"].regressed


def test_an_event_that_was_known_is_no_news(store: Store, make: Make) -> None:
    event = make("a")
    news_of(store, event)
    assert news_of(store, event) == {}


def test_what_follows_from_a_batch_is_written_with_it_or_the_batch_is_not(store: Store, make: Make) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        store.write(Batch(offset="1", events=[make("a")]), now=now, within=fail)
    assert (store.faults(FaultQuery(), now=now).total, store.offset()) == (0, "")
