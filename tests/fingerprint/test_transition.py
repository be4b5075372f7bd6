"""A change of the algorithm, with a made-up older version that groups by the type alone."""

from __future__ import annotations

import json

from fivehundred.event import Event, Json, parse
from fivehundred.fingerprint.choices import Split, applied, book
from fivehundred.fingerprint.memory import Memory, digest
from fivehundred.fingerprint.model import Fingerprint, Key
from fivehundred.fingerprint.rule import fingerprint
from fivehundred.fingerprint.transition import Learned


class ByType:
    """The memory of version 0: how many events it saw."""

    def __init__(self, raw: dict[str, Json]) -> None:
        seen = raw.get("seen")
        self.seen = seen if isinstance(seen, int) else 0

    def fingerprint(self, event: Event) -> Fingerprint:
        self.seen += 1
        kind = event.exceptions[0].type
        return Fingerprint(0, (Key("strict", digest("0", kind), (("type", kind),)),), kind, "", "", 0, 0, ())

    def to_json(self) -> dict[str, Json]:
        return {"version": 0, "seen": self.seen}


class Version0:
    version = 0

    def load(self, raw: dict[str, Json]) -> ByType:
        return ByType(raw)


def event(kind: str = "ValueError", function: str = "total", **more: Json) -> Event:
    frame = {"module": "shop.orders", "function": function, "filename": "/srv/shop/orders.py", "in_app": True}
    value = {"type": kind, "value": "no", "stacktrace": {"frames": [frame]}}
    return parse({"exception": {"values": [value]}, **more}, received_at=1.8e9)


def as_stored(learned: Learned) -> dict[str, Json]:
    stored: dict[str, Json] = json.loads(json.dumps(learned.to_json()))
    return stored


def test_without_an_older_version_nothing_is_added() -> None:
    learned = Learned.from_json({})
    assert learned.fingerprint(event()) == fingerprint(event(), Memory())
    assert learned.to_json().keys() == Memory().to_json().keys()


def test_an_event_has_the_keys_of_both_versions() -> None:
    found = Learned.from_json({}, Version0()).fingerprint(event())
    assert found.keys == fingerprint(event(), Memory()).keys
    assert found.older[0].value == digest("0", "ValueError")


def test_what_the_older_version_learned_goes_on_beside_the_new() -> None:
    learned = Learned.from_json({"version": 0, "seen": 41}, Version0())
    learned.fingerprint(event())
    again = Learned.from_json(as_stored(learned), Version0())
    assert again.former is not None
    assert again.former.to_json() == {"version": 0, "seen": 42}
    assert again.memory.to_json() == learned.memory.to_json()


def test_when_the_transition_is_over_only_the_new_memory_is_left() -> None:
    learned = Learned.from_json({"version": 0}, Version0())
    learned.fingerprint(event())
    after = Learned.from_json(as_stored(learned))
    assert after.fingerprint(event()).older == ()
    assert after.fingerprint(event()).primary == learned.fingerprint(event()).primary


def test_a_split_of_the_older_version_holds_for_the_new_one() -> None:
    decided = book(splits=[Split(1, digest("0", "ValueError"), "environment")])
    learned = Learned.from_json({}, Version0())
    keys = {
        environment: applied(one, learned.fingerprint(one), decided)
        for environment in ("live", "test")
        for one in [event(environment=environment)]
    }
    before = Version0().load({})
    for environment, found in keys.items():
        one = event(environment=environment)
        assert found.primary.value == applied(one, before.fingerprint(one), decided).primary.value
    assert keys["live"].primary != keys["test"].primary
