"""The reference of situations and the tests that provoke them name each other."""

from __future__ import annotations

import re
from pathlib import Path

here = Path(__file__).parent
page = (here.parents[1] / "docs/reference/client-situations.md").read_text("utf-8")
row = re.compile(r"^\| (\d+) \| (.+) \| (.+) \| (`test_.+`) \|$", re.MULTILINE)
tests = {
    name: arguments
    for file in here.glob("test_*.py")
    for name, arguments in re.findall(r"^def (test_\w+)\(([^)]*)\)", file.read_text("utf-8"), re.MULTILINE)
}


def test_each_situation_is_provoked_by_a_test() -> None:
    rows = row.findall(page)
    assert [int(number) for number, *_ in rows] == list(range(1, len(rows) + 1))
    assert len(rows) == page.count("\n| ") - page.count("\n| # |")  # no row is written otherwise
    for *_, names in rows:
        for name in re.findall(r"`(test_\w+)`", names):
            assert name in tests


def test_each_situation_of_the_reference_is_one_of_the_tests_of_situations() -> None:
    for name in re.findall(r"^def (test_\w+)", (here / "test_situations.py").read_text("utf-8"), re.MULTILINE):
        assert name in page or name in grouped, name


grouped = (  # told by another row of the page
    "test_no_answer_is_also_the_librarys_own_error",
    "test_a_generator_is_sent_once_and_the_error_says_why",
    "test_hops_of_a_redirect_share_one_deadline",
)
