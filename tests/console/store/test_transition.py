"""Faults live on when the grouping algorithm changes: an event is found by its new key, else by its old one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fivehundred.console.store.base import Digested, Store
from fivehundred.fingerprint.model import Key


def under_both(made: Digested, older: str) -> Digested:
    return replace(made, fingerprint=replace(made.fingerprint, older=(Key("strict", older, ()),)))


def counts(store: Store) -> list[int]:
    return sorted(row[0] for row in store.database.rows("SELECT events FROM fault"))


def test_a_new_key_goes_on_with_the_fault_of_its_old_one(
    store: Store, write: Callable[..., None], make: Callable[..., Digested]
) -> None:
    write(make("old"), make("old"))
    write(under_both(make("new"), "old"))
    write(make("new"))  # after the transition
    assert counts(store) == [4]


def test_two_new_keys_of_one_old_fault_split_nothing(
    store: Store, write: Callable[..., None], make: Callable[..., Digested]
) -> None:
    write(make("old"))
    write(under_both(make("new-1"), "old"), under_both(make("new-2"), "old"))
    assert counts(store) == [3]


def test_what_is_new_in_the_transition_is_told_apart_as_the_new_version_does(
    store: Store, write: Callable[..., None], make: Callable[..., Digested]
) -> None:
    write(under_both(make("new-1"), "unseen"))
    write(under_both(make("new-2"), "unseen"))
    assert counts(store) == [1, 1]


def test_the_new_key_counts_for_more_than_the_old_one(
    store: Store, write: Callable[..., Any], make: Callable[..., Digested]
) -> None:
    write(make("old"), make("new"))
    write(under_both(make("new"), "old"))
    assert counts(store) == [1, 2]
