"""Which two faults may be one: near keys, said as a reason that a person can judge. Nothing is merged by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fivehundred.fingerprint.template import constant


@dataclass(frozen=True, slots=True)
class Suggestion:
    fault: int
    reason: str
    strength: int  # 1 to 3: how much speaks for it


@dataclass(frozen=True, slots=True)
class Keys:
    """The newest fingerprint of a fault, as far as it is compared."""

    fault: int
    kind: str
    parts: Mapping[str, str]
    values: Mapping[str, str]  # kind -> value of its keys

    @classmethod
    def of(cls, fault: int, fingerprint: Mapping[str, object]) -> Keys:
        """From ``Fingerprint.to_json()``; what is no such thing is near to nothing."""
        raw = fingerprint.get("keys")
        keys = [k for k in raw if isinstance(k, dict)] if isinstance(raw, list | tuple) else []
        named = next((k for k in keys if k.get("kind") not in ("rule", "client")), {})
        pairs = named.get("parts") or ()
        parts = {str(p[0]): str(p[1]) for p in pairs if isinstance(p, list | tuple) and len(p) == 2}
        return cls(fault, str(named.get("kind", "")), parts, {str(k.get("kind")): str(k.get("value")) for k in keys})


def suggested(one: Keys, others: Iterable[Keys], limit: int) -> list[Suggestion]:
    """The nearest first."""
    found = [s for other in others if other.fault != one.fault and (s := _near(one, other)) is not None]
    return sorted(found, key=lambda s: (-s.strength, -s.fault))[:limit]


def _near(a: Keys, b: Keys) -> Suggestion | None:
    if a.kind == b.kind == "outage":
        return _resource(a, b)
    if not a.parts.get("type") or a.parts.get("type") != b.parts.get("type"):
        return None
    same_place = bool(a.parts.get("site")) and a.parts.get("site") == b.parts.get("site")
    same_codes = a.parts.get("codes") == b.parts.get("codes")
    words_a, words_b = a.parts.get("message", "").split(), b.parts.get("message", "").split()
    if same_place and same_codes and words_a != words_b:
        changed = [(x, y) for x, y in zip(words_a, words_b, strict=False) if x != y]
        if len(words_a) == len(words_b) and len(changed) == 1 and len(words_a) > 2:
            return Suggestion(b.fault, f"the messages differ in one word only: {changed[0][0]}, {changed[0][1]}", 3)
    if same_codes and words_a == words_b:
        return _moved(a, b, same_place, constant(tuple(words_a)) > 1)
    return None


def _resource(a: Keys, b: Keys) -> Suggestion | None:
    same = [a.parts.get(n) for n in ("family", "peer") if a.parts.get(n) and a.parts.get(n) == b.parts.get(n)]
    if len(same) < 2:
        return None
    states = f"{a.parts.get('kind')}, {b.parts.get('kind')}"
    return Suggestion(b.fault, f"two states of one resource, {' at '.join(map(str, same))}: {states}", 3)


def _moved(a: Keys, b: Keys, same_place: bool, said: bool) -> Suggestion | None:
    same_line = "line" in a.values and a.values["line"] == b.values.get("line")
    if same_place and same_line:
        return Suggestion(b.fault, "the same line of the same function, called from elsewhere", 3)
    if same_place:
        return Suggestion(b.fault, "the same function, at another line or called from elsewhere", 2 if said else 1)
    if same_line:
        return Suggestion(b.fault, f"the same line at another place, {b.parts.get('site')}", 3 if said else 2)
    if said:
        return Suggestion(b.fault, f"the same type and message at another place, {b.parts.get('site')}", 2)
    return None
