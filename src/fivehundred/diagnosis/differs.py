"""What differs between failing and good requests of one route: values that are much more frequent where it fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

failing_min: Final = 5  # events, before a share means anything
good_min: Final = 20
apart_min: Final = 0.3  # between the two shares


@dataclass(frozen=True, slots=True)
class Difference:
    name: str
    value: str
    failing: float  # share of the failing requests that have the value
    good: float  # share of the good ones

    @property
    def sentence(self) -> str:
        return f"{self.failing:.0%} of what fails has {self.name} {self.value}, and {self.good:.0%} of what goes well"


Counts = Mapping[str, Mapping[str, int]]  # name -> value -> requests


def differs(failing: Counts, good: Counts) -> list[Difference]:
    """The largest difference first; only names of which both sides are known well enough."""
    found: list[Difference] = []
    for name in failing.keys() & good.keys():
        bad_all, good_all = sum(failing[name].values()), sum(good[name].values())
        if bad_all < failing_min or good_all < good_min:
            continue
        for value, count in failing[name].items():
            one = Difference(name, value, count / bad_all, good[name].get(value, 0) / good_all)
            if one.failing - one.good >= apart_min:
                found.append(one)
    return sorted(found, key=lambda d: (d.good - d.failing, d.name, d.value))
