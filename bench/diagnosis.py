"""Microseconds for the quick verdict and for a whole diagnosis. ``python bench/diagnosis.py``"""

import os
import statistics
import time

import requests
import sqlalchemy

from fivehundred import event, event_wire
from fivehundred.diagnosis.diagnose import diagnose
from fivehundred.diagnosis.quick import quick
from fivehundred.guard.capture import About, capture
from fivehundred.guard.request import RequestParts


def refused():
    sqlalchemy.create_engine("postgresql+psycopg://x@127.0.0.1:1/x").connect()


def upstream():
    requests.get("http://127.0.0.1:1/")


def median_us(call, times=500):
    spans = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        spans.append(time.perf_counter() - started)
    return statistics.median(spans) * 1e6


def main():
    about, parts = (
        About(app_paths=(os.getcwd(),)),
        RequestParts(method="GET", host="h", path="/x", query="name=O'Brien"),
    )
    for name, fail in (
        ("zero division", lambda: 1 / 0),
        ("environment", lambda: os.environ["NO"]),
        ("refused", refused),
        ("upstream", upstream),
    ):
        try:
            fail()
        except Exception as exc:
            found = event.parse(event_wire.to_wire(capture(exc, parts, about)), received_at=time.time())
            first, whole = median_us(lambda e=exc: quick(e)), median_us(lambda f=found: diagnose(f))
            print(f"{name:15} quick {first:6.1f} us   diagnose {whole:6.0f} us")


if __name__ == "__main__":
    main()
