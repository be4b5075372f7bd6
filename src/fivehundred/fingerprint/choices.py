"""What people decided about grouping, applied to a fingerprint: their rules, splits and merges. Values only, no I/O.

A rule of the server comes before everything. A split takes a key apart by one field. A merge needs nothing for the
keys that the two faults had: the store maps those. What it teaches is for keys that come later: a message in which the
same words change, the same failure at another place, another state of the same resource.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final, Literal, TypeAlias, get_args

from fivehundred import limits
from fivehundred.event import Event, Frame, text
from fivehundred.fingerprint.memory import digest
from fivehundred.fingerprint.model import Fingerprint, Key
from fivehundred.fingerprint.template import template

Field: TypeAlias = Literal[
    "type", "message", "module", "function", "path", "route", "method", "logger", "level", "environment", "host",
    "release", "platform", "status", "caller",
]  # fmt: skip
fields: Final[tuple[Field, ...]] = get_args(Field)
any_text: Final = "*"


@dataclass(frozen=True, slots=True)
class Matcher:
    """A pattern with ``*`` and ``?`` that the whole of a value has to fit, in any case. ``field`` may be "tag:NAME"."""

    field: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Rule:
    """Events that fit all matchers have this fingerprint. It may hold ``{{ default }}`` and ``{{ FIELD }}``."""

    id: int
    matchers: tuple[Matcher, ...]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Split:
    """Events under ``key`` go apart by a field; with a value, only those that have it leave."""

    id: int
    key: str
    field: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a merge says about keys that come later: those with these parts belong to the fault of ``key``.

    ``*`` stands for any text in a part, and for any one word in a message.
    """

    id: int
    key: str
    kind: str
    parts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Book:
    """All that people decided for one project. ``rules`` in their order: the first that fits decides."""

    rules: tuple[Rule, ...] = ()
    splits: Mapping[str, tuple[Split, ...]] = field(default_factory=dict)  # by key
    lessons: Mapping[tuple[str, str], tuple[Lesson, ...]] = field(default_factory=dict)  # by kind and type or family

    @property
    def is_empty(self) -> bool:
        return not (self.rules or self.splits or self.lessons)


def book(rules: Iterable[Rule] = (), splits: Iterable[Split] = (), lessons: Iterable[Lesson] = ()) -> Book:
    by_key: dict[str, tuple[Split, ...]] = {}
    for split in splits:
        by_key[split.key] = (*by_key.get(split.key, ()), split)
    by_sort: dict[tuple[str, str], tuple[Lesson, ...]] = {}
    for lesson in lessons:
        sort = (lesson.kind, _sort(lesson.parts))
        by_sort[sort] = (*by_sort.get(sort, ()), lesson)
    return Book(tuple(rules), by_key, by_sort)


def applied(event: Event, fp: Fingerprint, decided: Book) -> Fingerprint:
    """The fingerprint as people want it."""
    if decided.is_empty:
        return fp
    before = fp.older
    if before:  # what people decided about the older version's keys holds for both
        fp = replace(fp, older=applied(event, replace(fp, keys=before, older=()), decided).keys)
    rule = next((r for r in decided.rules if rule_fits(r, event, fp)), None)
    if rule is not None:
        fp = _ruled(event, fp, rule)
    for split in _splits(fp, before, decided):
        value = split_value(split.field, event, fp)
        if not split.value or split.value == value:
            fp = _split(fp, split, value)
            break
    lesson = lesson_of(fp, decided)
    if lesson is not None and lesson.key != fp.primary.value:
        why = f"a key like this follows a person's merge ({lesson.id})"
        fp = replace(fp, continues=lesson.key, why=(*fp.why, why))
    return fp


def _splits(fp: Fingerprint, before: tuple[Key, ...], decided: Book) -> tuple[Split, ...]:
    own = decided.splits.get(fp.primary.value)
    return own or (decided.splits.get(before[0].value, ()) if before else ())


# ---- rules -----------------------------------------------------------------------------------------------


def rule_fits(rule: Rule, event: Event, fp: Fingerprint) -> bool:
    return bool(rule.matchers) and all(_fits(m, event, fp) for m in rule.matchers)


def _fits(matcher: Matcher, event: Event, fp: Fingerprint) -> bool:
    return any(_pattern(matcher.pattern).fullmatch(v[:2_000].casefold()) for v in values_of(matcher.field, event, fp))


@lru_cache(maxsize=2_000)
def _pattern(pattern: str) -> re.Pattern[str]:
    # fnmatch makes each star atomic, so that no value takes more than linear time a star; "[" means itself here
    folded = pattern[: limits.grouping_pattern_chars_max].casefold().replace("[", "[[]")
    return re.compile(fnmatch.translate(folded))


def _ruled(event: Event, fp: Fingerprint, rule: Rule) -> Fingerprint:
    shown = _VARIABLE.sub(lambda m: _variable(m[1].strip(), event, fp), rule.fingerprint)
    key = Key("rule", digest("rule", shown), (("rule", str(rule.id)), ("fingerprint", shown[:300])))
    tests = " and ".join(f"{m.field} fits {m.pattern}" for m in rule.matchers)
    why = (f"grouped by rule {rule.id} of this Console, because {tests}",)
    return replace(fp, keys=(key, *fp.keys), why=why + fp.why, continues="")


_VARIABLE: Final = re.compile(r"\{\{([^{}]{1,100})\}\}")


def _variable(name: str, event: Event, fp: Fingerprint) -> str:
    return fp.primary.value if name == "default" else value_of(name, event, fp)


# ---- splits ----------------------------------------------------------------------------------------------


def split_value(name: str, event: Event, fp: Fingerprint) -> str:
    """What tells events of one fault apart: of a message, its words without what looks like data."""
    value = value_of(name, event, fp)
    return " ".join(template(value)) if name == "message" else value


def _split(fp: Fingerprint, split: Split, value: str) -> Fingerprint:
    shown = value[:200]
    key = Key("split", digest("split", split.key, split.field, value), (*fp.primary.parts, (split.field, shown)))
    why = (f"and by {split.field}, because a person split the fault ({split.id}): {shown or 'none'}",)
    others = tuple(k for k in fp.keys if k.value != fp.primary.value)
    return replace(fp, keys=(key, *others), why=fp.why + why, continues="")


# ---- merges ----------------------------------------------------------------------------------------------


def lessons_of(number: int, into: Mapping[str, object], other: Mapping[str, object]) -> list[Lesson]:
    """What two keys that a person called one fault say about keys to come; they are as ``Key.to_json`` has them.

    Only where they differ in one way: in words of the message, in the place, or in the state of one resource. From
    two that have nothing in common nothing can be learned.
    """
    kind, a, b = str(into.get("kind", "")), _parts(into), _parts(other)
    if kind != other.get("kind") or kind not in ("strict", "outage", "message"):
        return []
    key = str(into.get("value", ""))
    differ = {name for name in {**a, **b} if a.get(name, "") != b.get(name, "")}
    if kind == "outage":
        same = {name: a[name] for name in ("family", "peer") if a.get(name) and a.get(name) == b.get(name)}
        return [Lesson(number, key, kind, same)] if differ == {"kind"} and "peer" in same else []
    if differ == {"message"}:
        words = _common(a.get("message", "").split(), b.get("message", "").split())
        parts = {**a, "message": " ".join(words)}
        return [Lesson(number, key, kind, parts)] if sum(w != any_text and len(w) > 1 for w in words) >= 2 else []
    if kind == "strict" and differ and differ <= {"site", "caller", "line"}:
        said = a.get("message", "") or a.get("codes", "")
        at = {"site": any_text} if "site" in differ and len(said.split()) >= 2 else {}
        kept = {name: value for name, value in a.items() if name not in ("caller", "line", *(at or ()))}
        return [Lesson(number, key, kind, {**kept, **at})] if at or "site" not in differ else []
    return []


def lesson_of(fp: Fingerprint, decided: Book) -> Lesson | None:
    """The one that this key follows."""
    key = fp.primary
    parts = dict(key.parts)
    for lesson in decided.lessons.get((key.kind, _sort(parts)), ()):
        if all(_like(want, parts.get(name, ""), name) for name, want in lesson.parts.items()) and all(
            name in lesson.parts or name in ("caller", "line", "kind") for name in parts
        ):
            return lesson
    return None


def _sort(parts: Mapping[str, str]) -> str:
    return parts.get("type") or parts.get("family") or ""


def _like(want: str, value: str, name: str) -> bool:
    if want in (value, any_text):
        return True
    if name != "message" or any_text not in want:
        return False
    a, b = want.split(), value.split()
    return len(a) == len(b) and all(x in (any_text, y) for x, y in zip(a, b, strict=True))


def _common(a: Sequence[str], b: Sequence[str]) -> list[str]:
    if len(a) != len(b):
        return []
    return [x if x == y else any_text for x, y in zip(a, b, strict=True)]


def _parts(key: Mapping[str, object]) -> dict[str, str]:
    found = key.get("parts")
    pairs = found if isinstance(found, list | tuple) else ()
    return {str(p[0]): str(p[1]) for p in pairs if isinstance(p, list | tuple) and len(p) == 2}


# ---- what of an event is looked at -----------------------------------------------------------------------


def value_of(name: str, event: Event, fp: Fingerprint) -> str:
    """The one value that stands for a field: of the exception and the frame that decided."""
    return next(iter(values_of(name, event, fp)), "")


def values_of(name: str, event: Event, fp: Fingerprint) -> list[str]:
    """All values of a field; the one that decided is the first."""
    if name.startswith("tag:"):
        found = event.tags.get(name[4:])
        return [found] if found else []
    values = _OF.get(name)
    return [v for v in values(event, fp) if v] if values else []


def _frames(event: Event, fp: Fingerprint) -> list[Frame]:
    """The deciding frame first, then its callers, then those of the other exceptions."""
    own = event.exceptions[fp.root].frames if 0 <= fp.root < len(event.exceptions) else event.frames
    first = own[fp.frame :: -1] if 0 <= fp.frame < len(own) else []
    return [*first, *(f for x in event.exceptions for f in x.frames), *event.frames]


def _types(event: Event, fp: Fingerprint) -> list[str]:
    own = [event.exceptions[fp.root].type] if 0 <= fp.root < len(event.exceptions) else []
    return [*own, *(x.type for x in event.exceptions)]


def _messages(event: Event, fp: Fingerprint) -> list[str]:
    own = [event.exceptions[fp.root].value] if 0 <= fp.root < len(event.exceptions) else []
    return [*own, event.message, event.message_template, *(x.value for x in event.exceptions)]


def _callers(event: Event, fp: Fingerprint) -> list[str]:
    frames = _frames(event, fp)[1:2]
    return [f"{f.module.rpartition('.')[2]}.{f.function}" for f in frames]


_OF: Final[Mapping[str, Callable[[Event, Fingerprint], list[str]]]] = {
    "type": _types,
    "message": _messages,
    "module": lambda event, fp: [f.module for f in _frames(event, fp)],
    "function": lambda event, fp: [f.function for f in _frames(event, fp)],
    "path": lambda event, fp: [f.filename for f in _frames(event, fp)],
    "caller": _callers,
    "route": lambda event, fp: [text(event.ours.get("route")), event.transaction],
    "method": lambda event, fp: [text(event.ours.get("method")), event.request.method if event.request else ""],
    "status": lambda event, fp: [str(event.ours.get("status") or "")],
    "logger": lambda event, fp: [event.logger],
    "level": lambda event, fp: [event.level],
    "environment": lambda event, fp: [event.environment],
    "host": lambda event, fp: [event.server_name],
    "release": lambda event, fp: [event.release],
    "platform": lambda event, fp: [event.platform],
}
