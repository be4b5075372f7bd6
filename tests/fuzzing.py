"""For scripts/fuzz: every property of the suite gets many times its examples, other ones each time."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

factor = int(os.environ.get("FIVEHUNDRED_FUZZ", "1"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        function = getattr(item, "obj", None)
        inner = getattr(function, "__func__", function)
        if getattr(inner, "is_hypothesis_test", False):
            before = getattr(inner, "_hypothesis_internal_use_settings", None) or settings()
            more = settings(
                before,
                max_examples=before.max_examples * factor,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            )
            inner._hypothesis_internal_use_settings = more  # type: ignore[union-attr]
    items[:] = [i for i in items if getattr(getattr(i.obj, "__func__", i.obj), "is_hypothesis_test", False)]  # type: ignore[attr-defined]
