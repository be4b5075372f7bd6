"""CPU microseconds an event for grouping and for diagnosis, on 68 different events. ``python -m bench.grouping_cpu``

The first pass over events that nothing has seen yet is what a new fault costs; the later ones what a storm costs.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from tests.diagnosis.elsewhere import first

from fivehundred.diagnosis.diagnose import diagnose
from fivehundred.event import Event
from fivehundred.fingerprint.transition import Learned

passes = 20


def cpu_us(call: Callable[[Event], object]) -> list[float]:
    spans = []
    for one in first:
        started = time.thread_time_ns()
        call(one.event)
        spans.append((time.thread_time_ns() - started) / 1000)
    return spans


def main() -> None:
    learned = Learned.from_json({})
    for name, call in (("grouping", learned.fingerprint), ("diagnosis", diagnose)):
        cold, *warm = [statistics.median(cpu_us(call)) for _ in range(passes)]
        print(f"{name:10} first pass {cold:5.0f} us   later passes {statistics.median(warm):5.0f} us (medians)")


if __name__ == "__main__":
    main()
