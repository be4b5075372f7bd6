"""Whatever an event holds, there is a Diagnosis; whatever an exception does, there is a Verdict."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from fivehundred import event
from fivehundred.diagnosis.case import case_of
from fivehundred.diagnosis.diagnose import _decide, diagnose
from fivehundred.diagnosis.model import Diagnosis, History
from fivehundred.diagnosis.quick import quick
from fivehundred.diagnosis.runbook import runbook

leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
words = st.sampled_from(
    [
        *("KeyError", "'A'", "MemoryError", "RecursionError", "psycopg", "sqlite3", "[Errno", "111]", "42P01"),
        *("os.environ[", "{{7*7}}", "'", "OR", "1=1--", "[SQL:", "SELECT", "'x']", "http://127.0.0.1:1/", "$ne"),
        *("../etc/passwd", "__getitem__", "os", "re", "json", "gunicorn", "handle_abort", "TimeoutError"),
    ]
)
trees = st.recursive(
    leaves | words, lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=8), x, max_size=3)
)
frame = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("filename", "module", "function", "context_line", "lineno", "in_app", "vars"), words | trees
    ),
)
exception = st.fixed_dictionaries(
    {},
    optional={
        "type": words | trees,
        "module": words | trees,
        "value": words | trees,
        "mechanism": st.fixed_dictionaries({}, optional={"data": trees, "meta": trees}),
        "stacktrace": st.fixed_dictionaries({"frames": st.lists(frame, max_size=4)}),
    },
)
names = ("resources", "pools", "probes", "worked", "env_missing", "sql", "changed", "requests_now", "route", "status")
ours = st.fixed_dictionaries({}, optional=dict.fromkeys(names, trees))
request = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("url", "method", "query_string", "data", "headers", "cookies"), words | trees)
)
payload = st.fixed_dictionaries(
    {},
    optional={
        "exception": st.fixed_dictionaries({"values": st.lists(exception, max_size=3)}) | trees,
        "contexts": st.fixed_dictionaries({"fivehundred": ours}),
        "request": request,
        "breadcrumbs": trees,
        "message": trees,
        "release": trees,
    },
)


@given(payload)
@settings(max_examples=300, deadline=None)
def test_any_event_gets_a_diagnosis_with_six_steps_and_no_rule_trips(raw: object) -> None:
    parsed = event.parse(raw, received_at=1.0)
    case = case_of(parsed, History())
    runbook(case, _decide(case))  # without the edge that would hide a fault
    diagnosis = diagnose(parsed)
    assert Diagnosis.from_json(diagnosis.to_json()) == diagnosis
    assert [step.name for step in diagnosis.runbook] == ["logs", "code", "database", "resources", "security", "retry"]


class Hostile(Exception):
    def __getattribute__(self, name: str) -> object:
        raise SystemExit

    def __str__(self) -> str:
        raise SystemExit


def test_a_hostile_exception_gets_a_verdict_and_none_of_its_code_runs() -> None:
    assert quick(Hostile()).status == 500


def test_a_circle_of_causes_ends() -> None:
    one, other = ValueError("a"), KeyError("b")
    BaseException.__setattr__(one, "__cause__", other)
    BaseException.__setattr__(other, "__cause__", one)
    assert quick(one).cause == "bug"
