"""The desk of the ownership rules: which path, address or tag belongs to whom. A new fault is assigned by them.

Like in the files that code hosts read, the last rule that fits wins: general rules stand first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from fivehundred.console.store.base import FaultNews, NotFound
from fivehundred.console.store.database import Database
from fivehundred.console.store.patterns import fits, pattern_chars_max
from fivehundred.console.store.triage import Owner, Triage, TriageRefused, owner_chars_max
from fivehundred.event import Event, text

RuleKind: TypeAlias = Literal["path", "module", "route", "url", "tag"]
rule_kinds: Final[tuple[RuleKind, ...]] = get_args(RuleKind)
rules_max: Final = 500


@dataclass(frozen=True, slots=True)
class OwnerRule:
    id: int
    project: str  # empty: all
    kind: RuleKind
    pattern: str
    owner: Owner


class Ownership:
    def __init__(self, database: Database) -> None:
        self._db = database

    def rules(self) -> list[OwnerRule]:
        """In their order: the last one that fits wins."""
        found = self._db.rows(
            "SELECT id, project, kind, pattern, owner, owner_kind, owner_id FROM owner_rule ORDER BY id"
        )
        return [OwnerRule(n, project, kind, pattern, Owner(*whose)) for n, project, kind, pattern, *whose in found]

    def add(self, project: str, kind: str, pattern: str, owner: Owner) -> int:
        """Raises TriageRefused for a rule that is none."""
        known = next((k for k in rule_kinds if k == kind), None)
        pattern = pattern.replace("\0", "").strip()
        if known is None:
            raise TriageRefused(f"a rule looks at one of {', '.join(rule_kinds)}, not at {kind[:40]!r}")
        if not pattern or len(pattern) > pattern_chars_max:
            raise TriageRefused(f"a pattern has 1 to {pattern_chars_max} characters, as in {_examples[known]}")
        if known == "tag" and "=" not in pattern:
            raise TriageRefused(
                f"a tag is written as name=value, as in {_examples['tag']}, and {pattern[:60]!r} is not"
            )
        if not owner.name.strip() or len(owner.name) > owner_chars_max:
            raise TriageRefused("a rule says whose the fault is: name a member or a team")
        with self._db.transaction():
            if (self._db.number("SELECT count(*) FROM owner_rule") or 0) >= rules_max:
                raise TriageRefused(f"there are {rules_max} rules already; remove one first")
            row = {"project": project, "kind": known, "pattern": pattern, "owner": owner.name.strip()}
            number = self._db.insert("owner_rule", {**row, "owner_kind": owner.kind, "owner_id": owner.id})
            self._db.changed()
        return number

    def remove(self, rule: int) -> None:
        """Raises NotFound."""
        with self._db.transaction():
            if not self._db.execute("DELETE FROM owner_rule WHERE id = ?", (rule,)):
                raise NotFound(f"there is no ownership rule {rule}")
            self._db.changed()

    def follow(self, news: Sequence[FaultNews], *, now: float) -> int:
        """Within a batch: faults that it created are given to their owners."""
        created = [one for one in news if one.created]
        rules = self.rules() if created else []
        assigned = 0
        for one in created:
            rule = owner_of(rules, one.project, one.first.event)
            if rule is not None:
                assigned += Triage(self._db).assign([one.fault], rule.owner, by="console", now=now)
        return assigned


_examples: Final[dict[RuleKind, str]] = {
    "path": "shop/payments/*",
    "module": "shop.payments*",
    "route": "/orders/*",
    "url": "https://shop.example/api/*",
    "tag": "region=eu",
}


def owner_of(rules: Sequence[OwnerRule], project: str, event: Event) -> OwnerRule | None:
    """The rule that decides."""
    fitting = [rule for rule in rules if rule.project in ("", project) and rule_fits(rule, event)]
    return fitting[-1] if fitting else None


def rule_fits(rule: OwnerRule, event: Event) -> bool:
    return any(fits(rule.pattern, value) for value in _values(rule.kind, event))


def _values(kind: RuleKind, event: Event) -> list[str]:
    """What a rule of that kind looks at."""
    if kind in ("path", "module"):
        frames = [*event.frames, *(frame for x in event.exceptions for frame in x.frames)]
        own = [frame for frame in frames if frame.in_app is not False]
        return [frame.filename if kind == "path" else frame.module for frame in own if frame.filename or frame.module]
    if kind == "tag":
        return [f"{name}={value}" for name, value in event.tags.items()]
    if kind == "route":
        return [value for value in (text(event.ours.get("route")), event.transaction) if value]
    url = event.request.url if event.request else ""
    return [url, urlsplit(url).path] if _is_url(url) else []


def _is_url(url: str) -> bool:
    try:
        urlsplit(url)
    except ValueError:
        return False
    return bool(url)
