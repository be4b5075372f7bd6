#!/usr/bin/env python3
"""Does the Client's policy end an overload or feed it? A discrete-event simulation that runs the Client's own code.

Breaker, budget and waits are those of ``fivehundred.client``, with the simulated clock passed in. A tier has workers
and a bounded queue; a full queue answers 503; a worker goes on serving what its caller has given up (that is what
keeps an overload alive). With two tiers, the clients call a front tier whose workers call the back tier with the same
policy, once as a layer of its own and once told by the header not to retry.

    bench/retry_storm.py [--seeds 101,102] [--random 20] [--policies none,ours] [--json docs/why/retries.json]

``--random`` draws worlds of any load, time-out, queue, number of clients and of tiers instead of the listed ones, and
the last lines say where the bar is missed: recover wherever no retry does, and lose at most two points against it.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import json
import math
import random
import statistics
import sys
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from fivehundred.client.origin import Origin
from fivehundred.client.policy import Outcome, cost, in_doubt, is_overload, wait_s

ours_attempts, patience_s, trigger = 4, 5.0, (30.0, 60.0)


@dataclass(frozen=True)
class World:
    """One setting: everything that was not the tuning ground is a fresh one."""

    name: str
    load: float = 0.8  # of capacity, outside the trigger
    peak: float = 1.2  # of capacity, within
    slow: float = 1.0  # service time within the trigger, as a multiple
    hang: bool = False
    down: bool = False  # 500 at once within the trigger
    p500: float = 0.0
    lost: float = 0.0  # share of answers that never arrive
    clients: int = 100
    timeout_s: float = 1.0
    queue_s: float = 2.0
    tiers: int = 1
    told: bool = True  # the lower layer is told that the upper one retries
    workers: int = 5
    service_s: float = 0.05
    seconds: float = 120.0

    @property
    def capacity(self) -> float:
        return self.workers / self.service_s

    @property
    def has_trigger(self) -> bool:
        return self.peak != self.load or self.slow != 1 or self.hang or self.down


@dataclass
class Result:
    world: str
    policy: str
    seed: int
    timely: float = 0.0
    recovery_s: float | None = None  # None: there was nothing to recover from; inf: never
    amplification: float = 0.0
    by_second: list[float] = field(default_factory=list)


Send = Callable[[Callable[[Outcome | None], None]], None]


class Simulation:
    def __init__(self, world: World, policy: str, seed: int) -> None:
        self.world, self.policy = world, policy
        self.now, self.events = 0.0, list[tuple[float, int, Callable[[], None]]]()
        self.count = itertools.count()
        self.chance = random.Random(f"{seed}-policy").random
        self.service = random.Random(f"{seed}-service")
        self.arrivals = random.Random(f"{seed}-arrivals")
        self.origins = [Origin(str(number)) for number in range(world.clients)]
        self.tiers = [Tier(self, last=number == world.tiers - 1) for number in range(world.tiers)]
        self.sent = 0

    def at(self, when: float, do: Callable[[], None]) -> None:
        heapq.heappush(self.events, (when, next(self.count), do))

    def in_trigger(self) -> bool:
        return trigger[0] <= self.now < trigger[1]

    def run(self, result: Result) -> Result:
        seconds = int(self.world.seconds)
        began, timely = [0] * seconds, [0] * seconds
        self.at(0.0, lambda: self._arrive(began, timely))
        while self.events:
            self.now, _, do = heapq.heappop(self.events)
            if self.now > self.world.seconds + 40:
                break
            do()
        result.timely = sum(timely) / sum(began)
        result.amplification = self.sent / sum(began)
        result.by_second = [round(t / b, 3) if b else 1.0 for t, b in zip(timely, began, strict=True)]
        if self.world.has_trigger:
            result.recovery_s = recovery(result.by_second)
        return result

    def _arrive(self, began: list[int], timely: list[int]) -> None:
        if self.now >= self.world.seconds:
            return
        second, start = int(self.now), self.now
        began[second] += 1

        def done(outcome: Outcome | None) -> None:
            timely[second] += outcome is None and self.now - start <= patience_s

        origin = self.origins[int(self.arrivals.random() * self.world.clients)]
        Call(self, origin, lambda reply: self._send(reply), done, self.attempts()).attempt()
        load = self.world.peak if self.in_trigger() else self.world.load
        self.at(self.now + self.arrivals.expovariate(self.world.capacity * load), lambda: self._arrive(began, timely))

    def attempts(self) -> int:
        return {"none": 1, "urllib3": 4, "ours": ours_attempts}[self.policy]

    def _send(self, reply: Callable[[Outcome | None], None]) -> None:
        self.sent += 1
        self.tiers[0].receive(reply)


class Call:
    """One call of one client: the Client's rules on simulated time."""

    def __init__(
        self, sim: Simulation, origin: Origin, send: Send, done: Callable[[Outcome | None], None], attempts: int
    ):
        self.sim, self.origin, self.send, self.done, self.attempts = sim, origin, send, done, attempts
        self.number, self.deadline, self.ticket = 0, sim.now + 30, 0

    def attempt(self) -> None:
        if self.sim.policy == "ours":
            ticket = self.origin.admit(self.sim.now)
            if ticket is None:
                return self.done(Outcome(failure="not sent"))
            self.ticket = ticket
        self.number += 1
        answered: list[bool] = []

        def reply(outcome: Outcome | None) -> None:
            if not answered:
                answered.append(True)
                self._judge(outcome)

        self.sim.at(self.sim.now + self.sim.world.timeout_s, lambda: reply(Outcome(failure="timeout")))
        self.send(reply)
        return None

    def _judge(self, outcome: Outcome | None) -> None:
        now = self.sim.now
        if outcome is None:
            if self.sim.policy == "ours":
                self.origin.succeeded(now, self.ticket)
            return self.done(None)
        if self.sim.policy == "ours":
            self.origin.failed(now, self.ticket, overload=is_overload(outcome))
        wait = self._wait(now, outcome)
        if wait is None:
            return self.done(outcome)
        return self.sim.at(now + wait, self.attempt)

    def _wait(self, now: float, outcome: Outcome) -> float | None:
        if self.number >= self.attempts:
            return None
        if self.sim.policy == "urllib3":  # Retry(total=3, backoff_factor=0.5): 0, 1, 2 s
            return 0.0 if self.number == 1 else 0.5 * 2 ** (self.number - 1)
        wait = wait_s(self.number, None, self.sim.chance)
        if now + wait >= self.deadline or self.origin.open_at(now + wait):
            return None
        return wait if self.origin.take(now, cost(outcome), in_doubt=in_doubt(outcome)) else None


class Tier:
    def __init__(self, sim: Simulation, last: bool) -> None:
        self.sim, self.last = sim, last
        self.busy, self.queue = 0, deque[Callable[[Outcome | None], None]]()
        self.free = (
            sim.world.workers if last else sim.world.workers * 80
        )  # a front tier mostly waits, so it must not be what is short
        self.queue_max = max(1, int(sim.world.queue_s * sim.world.capacity))
        self.origins = [Origin(f"front {number}") for number in range(4)]

    def receive(self, reply: Callable[[Outcome | None], None]) -> None:
        sim = self.sim
        if self.last and sim.world.down and sim.in_trigger():
            return sim.at(sim.now + 0.005, lambda: reply(Outcome(500)))
        if len(self.queue) >= self.queue_max:
            return sim.at(sim.now + 0.002, lambda: reply(Outcome(503)))
        self.queue.append(reply)
        return self._start()

    def _start(self) -> None:
        sim = self.sim
        while self.queue and self.busy < self.free:
            if self.last and sim.world.hang and sim.in_trigger():
                return sim.at(trigger[1], self._start)
            self.busy += 1
            self._serve(self.queue.popleft())
        return None

    def _serve(self, reply: Callable[[Outcome | None], None]) -> None:
        sim, world = self.sim, self.sim.world

        def end(outcome: Outcome | None) -> None:
            self.busy -= 1
            reply(outcome)
            self._start()

        if not self.last:
            attempts = 1 if world.told else sim.attempts()
            origin = self.origins[int(sim.service.random() * len(self.origins))]
            Call(sim, origin, sim.tiers[1].receive, end, attempts).attempt()
            return
        seconds = 0.01 + sim.service.expovariate(1 / (world.service_s - 0.01))
        seconds *= world.slow if sim.in_trigger() else 1.0
        bad = world.p500 and sim.service.random() < world.p500
        if world.lost and sim.service.random() < world.lost:
            reply = _nobody
        sim.at(sim.now + seconds, lambda: end(Outcome(500) if bad else None))


def _nobody(outcome: Outcome | None) -> None:
    """Hears an answer that is lost: the caller's time-out is all that it gets."""


def recovery(by_second: list[float]) -> float:
    """Seconds from the end of the trigger to the first of five seconds of which 95 % of the calls were timely."""
    end = int(trigger[1])
    for second in range(end, len(by_second) - 4):
        if all(share >= 0.95 for share in by_second[second : second + 5]):
            return second - end
    return math.inf


def worlds() -> Iterator[World]:
    overload = World("overload 120 -> 80 %")
    yield overload
    yield World("overload 150 -> 80 %", peak=1.5)
    yield World("overload 120 -> 90 %", load=0.9)
    yield World("overload 200 -> 60 %", load=0.6, peak=2.0)
    yield World("overload, time-out 0.3 s", timeout_s=0.3)
    yield World("overload, time-out 3 s", timeout_s=3.0)
    yield World("overload, queue 0.5 s", queue_s=0.5)
    yield World("overload, queue 10 s", queue_s=10.0)
    yield World("overload, 5 clients", clients=5)
    yield World("overload, 1000 clients", clients=1000)
    yield World("hang 30 s", peak=0.8, hang=True)
    yield World("hang 30 s, 5 clients", peak=0.8, hang=True, clients=5)
    yield World("3 x slow, load 70 %", load=0.7, peak=0.7, slow=3.0)
    yield World("3 x slow, load 70 %, 1000 clients", load=0.7, peak=0.7, slow=3.0, clients=1000)
    yield World("500s for 30 s", peak=0.8, down=True)
    yield World("15 % transient 500s", load=0.6, peak=0.6, p500=0.15)
    yield World("1 of 5 back ends answers 500", load=0.6, peak=0.6, p500=0.2)
    yield World("3 % of answers lost", load=0.6, peak=0.6, lost=0.03)
    yield World("3 % of answers lost, 1000 clients", load=0.6, peak=0.6, lost=0.03, clients=1000)
    yield World(
        "2.8 x slow, load 43 %, 281 clients", load=0.43, peak=0.43, slow=2.8, clients=281, timeout_s=0.39, queue_s=6.2
    )
    yield World("two tiers, overload, told", tiers=2)
    yield World("two tiers, overload, not told", tiers=2, told=False)
    yield World("two tiers, hang, not told", tiers=2, peak=0.8, hang=True, told=False)
    yield World("two tiers, 15 % 500s, not told", tiers=2, load=0.6, peak=0.6, p500=0.15, told=False)
    yield World("two tiers, hang, told", tiers=2, peak=0.8, hang=True)
    yield World("two tiers, 15 % 500s, told", tiers=2, load=0.6, peak=0.6, p500=0.15)


def drawn(count: int, seed: str) -> Iterator[World]:
    """Worlds that nobody has chosen."""
    rng = random.Random(f"worlds {seed}")
    for _ in range(count):
        kind, load = rng.choice(("overload", "hang", "slow", "500s")), round(rng.uniform(0.4, 0.9), 2)
        clients = round(10 ** rng.uniform(0.7, 3))
        timeout_s, queue_s = round(10 ** rng.uniform(-0.5, 0.5), 2), round(10 ** rng.uniform(-0.3, 1), 1)
        peak = round(rng.uniform(1.1, 2.5), 1) if kind == "overload" else load
        slow = round(rng.uniform(1.5, 5), 1) if kind == "slow" else 1.0
        tiers, told = rng.choice(((1, True), (2, True), (2, False)))
        told_word = "" if tiers == 1 else ", told" if told else ", not told"
        yield World(
            f"{kind} {slow if kind == 'slow' else peak:g} load {load:g}, {clients} clients, {timeout_s:g} s, "
            f"queue {queue_s:g} s, {tiers} tiers{told_word}",
            load=load,
            peak=peak,
            slow=slow,
            hang=kind == "hang",
            down=kind == "500s",
            clients=clients,
            timeout_s=timeout_s,
            queue_s=queue_s,
            tiers=tiers,
            told=told,
        )


def missed(found: list[dict[str, Any]]) -> Iterator[str]:
    """Where the bar is not met, by the medians of the seeds."""
    for world in dict.fromkeys(run["world"] for run in found):
        runs = {p: [r for r in found if r["world"] == world and r["policy"] == p] for p in ("none", "ours")}
        timely = {p: 100 * statistics.median(run["timely"] for run in of) for p, of in runs.items()}
        ends = {p: statistics.median(_or_never(run["recovery_s"]) for run in of) for p, of in runs.items()}
        if timely["ours"] < timely["none"] - 2:
            yield f"{world}: {timely['none']:.1f} % without, {timely['ours']:.1f} % with"
        if ends["none"] < math.inf and ends["ours"] == math.inf:
            yield f"{world}: recovers after {ends['none']:.0f} s without, never with"


def _or_never(recovery_s: float | None) -> float:
    return math.inf if recovery_s is None else recovery_s


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="101,102,103", help="none of them was used for tuning")
    parser.add_argument("--only", default="", help="worlds whose name holds this")
    parser.add_argument("--random", type=int, default=0, help="so many drawn worlds instead of the listed ones")
    parser.add_argument(
        "--policies", default="none,urllib3,ours", help="none,ours is enough to see where the bar is missed"
    )
    parser.add_argument("--json", metavar="FILE")
    args = parser.parse_args()
    found: list[dict[str, Any]] = []
    print(f"{'world':36} {'policy':8} {'timely %':>9} {'recovery s':>11} {'sent/call':>10}")
    chosen = drawn(args.random, args.seeds) if args.random else worlds()
    for world in (world for world in chosen if args.only in world.name):
        for policy in args.policies.split(","):
            runs = [
                Simulation(world, policy, int(s)).run(Result(world.name, policy, int(s))) for s in args.seeds.split(",")
            ]
            timely = 100 * statistics.median(run.timely for run in runs)
            ends = [run.recovery_s for run in runs if run.recovery_s is not None]
            shown = (
                "-"
                if not ends
                else "never"
                if statistics.median(ends) == math.inf
                else f"{statistics.median(ends):.0f}"
            )
            amplification = statistics.median(run.amplification for run in runs)
            print(f"{world.name:36} {policy:8} {timely:9.1f} {shown:>11} {amplification:10.2f}", flush=True)
            found += [
                asdict(run) | {"recovery_s": None if run.recovery_s == math.inf else run.recovery_s} for run in runs
            ]
    misses = list(missed(found))
    print("\n".join(["the bar is missed in:", *misses]) if misses else "the bar is met in every world")
    if args.json:
        with open(args.json, "w") as file:
            json.dump(found, file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
