"""The reference page of the rules, written from the rules themselves: ``python -m fivehundred.diagnosis.reference``.

A test holds docs/reference/rules.md to it.
"""

from __future__ import annotations

from fivehundred.diagnosis.rules.base import Rule
from fivehundred.diagnosis.rules.order import sections

head = """# Rules of the diagnosis

Written from the rules in `src/fivehundred/diagnosis/rules`; change those, then run `scripts/rules`.
The first rule that matches and is not vetoed decides. The others that match are shown as "also seen".
"""


def page() -> str:
    parts = [head]
    for title, rules in sections:
        parts.append(f"\n## {title}\n")
        parts.extend(_rule(rule) for rule in rules)
    return "".join(parts)


def _rule(rule: Rule) -> str:
    lines = [f"\n### `{rule.id}`\n", f"It failed because {rule.because}."]
    lines.append(f"- Cause: {rule.cause}. Retrying: `{rule.transient}`, when/until {rule.until}.")
    if rule.status != 500:
        lines.append(f"- Answered with {rule.status}.")
    lines.append(f"- Do: {rule.advice}.")
    if rule.told_apart:
        lines.append(f"- Told apart from {rule.told_apart}.")
    for name, values in _codes(rule):
        lines.append(f"- {name}: {', '.join(f'`{value}`' for value in values)}")
    if rule.when is not None:
        lines.append(f"- Looks for: {_words(rule.when)}")
    if rule.confirms is not None:
        lines.append(f"- Confirmed by: {_words(rule.confirms)}")
    if rule.excludes is not None:
        lines.append(f"- Never certain without: {_words(rule.excludes)}")
    lines.extend(f"- It is not {veto.twin} when: {_words(veto.find)}" for veto in rule.vetoes)
    lines.append(f"- Source: {rule.source}.\n")
    return "\n".join(lines)


def _codes(rule: Rule) -> list[tuple[str, list[str]]]:
    named = (
        ("SQLSTATE", rule.sqlstates),
        ("MySQL", rule.mysql),
        ("SQLite", rule.sqlite),
        ("System codes", rule.errnos),
        ("Answers of other services", rule.replies),
        ("Classes", rule.classes),
    )
    return [(name, [str(value) for value in values]) for name, values in named if values]


def _words(finder: object) -> str:
    """The first line of a finder's docstring says which fact it looks for; one without is a mistake."""
    text = str(getattr(finder, "__doc__", None) or "").partition("\n")[0]
    if not text:
        raise ValueError(f"{finder} says nothing of the fact it looks for: give it a docstring")
    return text


if __name__ == "__main__":
    print(page(), end="")
