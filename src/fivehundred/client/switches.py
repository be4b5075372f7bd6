"""Turning retries off, for a whole process: in production for an emergency, in tests so that none waits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Switches:
    active: bool = True
    testing: int = 0  # attempts a call at most, without waits; 0: not testing
    usual: bool = True  # active and not testing: one look for the calls of every day

    def turn(self, active: bool, testing: int) -> None:
        self.active, self.testing, self.usual = active, testing, active and not testing


switches = Switches()


def set_active(active: bool) -> None:
    """``False``: every call is sent once, and neither breaker nor budget is asked. Errors stay as they are."""
    switches.turn(active, switches.testing)


def is_active() -> bool:
    return switches.active


def set_testing(attempts: int = 1) -> None:
    """For a test suite: at most so many attempts, no waits between them, no breaker, no budget. 0 ends it."""
    if attempts < 0:
        raise ValueError(f"set_testing({attempts}): attempts are 1 or more; 0 ends testing")
    switches.turn(switches.active, attempts)
