"""The reference page says what the rules say."""

from __future__ import annotations

import re
from pathlib import Path

from fivehundred.diagnosis import reference


def test_the_page_of_the_rules_is_written_from_the_rules() -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "rules.md"
    assert page.read_text() == reference.page(), "run scripts/rules"


def test_each_kind_of_fact_is_described() -> None:
    root = Path(__file__).parents[2]
    page = (root / "docs" / "reference" / "evidence.md").read_text()
    sources = [path.read_text() for path in (root / "src" / "fivehundred" / "diagnosis").rglob("*.py")]
    kinds = {kind for source in sources for kind in re.findall(r'\bFact\(\s*"(\w+)"', source)}
    assert len(kinds) > 15
    assert not [kind for kind in kinds if f"`{kind}`" not in page]
