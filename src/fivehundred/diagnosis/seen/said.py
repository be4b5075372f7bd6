"""What a message says in a form that is the same in every language and driver, where no code came with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from fivehundred.diagnosis import statements
from fivehundred.diagnosis.model import Fact

if TYPE_CHECKING:
    from fivehundred.diagnosis.case import Case

Facts = Iterator[Fact]


def schema_said(case: Case) -> Facts:
    """A database names a table or column that it does not have, and its driver passed on no code."""
    if any(one.sqlstate for one in case.raised) or "sqlite" in case.products or "mysql" in case.products:
        return  # these have codes or rows of their own
    name = statements.missing_name(case)
    if name and statements.about_a_statement(case):
        yield Fact("message", name, "missing", "strong", "exception", f"the database does not know the name {name}")


def settings_invalid(case: Case) -> Facts:
    """A model of the settings was refused while it was built: what it validates comes from the surroundings."""
    for one in case.raised:
        found = _settings_model.search(one.text) if one.named("ValidationError") else None
        if found:
            field = one.text.split("\n", 2)[1:2]
            what = f"the settings model {found[1]} was refused" + (f" for {field[0].strip()[:80]}" if field else "")
            yield Fact("message", found[1], "refused", "strong", f"exception[{one.number}].value", what)
            return


_settings_model: Final = re.compile(r"\bvalidation errors? for (\w*(?:Settings|Config|Configuration))\b")
