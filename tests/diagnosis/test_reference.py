"""The reference page says what the rules say."""

from __future__ import annotations

from pathlib import Path

from fivehundred.diagnosis import reference


def test_the_page_of_the_rules_is_written_from_the_rules() -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "rules.md"
    assert page.read_text() == reference.page(), "run scripts/rules"
