"""Memory: what grouping learned about one project. Which functions are shared helpers, and the groups it gave out.

A group's value is given once and stays, whatever is learned later: that is what makes learning safe online. Every
event with the same traits finds its group here; what is new may be an edited line, a renamed function, or a new fault.
Bounded by the limits below; the group that was longest without an event is forgotten first, and when its fault comes
back it gets the same value again, because values are hashes of what the group is, not numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from fivehundred.event import Json
from fivehundred.fingerprint.source import Line, alike
from fivehundred.fingerprint.template import constant

groups_max: Final = 5_000  # per project, some 600 bytes each
places_max: Final = 5_000  # functions of which the callers are remembered
releases_max: Final = 20  # per group, the newest
shapes_max: Final = 6  # wordings of its line that a group is known by
spots_max: Final = 24  # (release, line number) pairs that a group is known by
callers_max: Final = 8  # per group
variants_max: Final = 64  # groups of one bucket that a new message is compared with
rivals_max: Final = 60  # groups that share a function with a new one: where more do, it tells nothing
same_line_min: Final = 0.5  # share of common words from which a changed line is the same one, edited
names_until_data: Final = 3  # different names in one place of a message: the fourth is data too
words_until_data: Final = 6  # the same for plain words, which tell reasons apart more often


def digest(*parts: str) -> str:
    """16 hex digits that stand for these parts, in this order."""
    return hashlib.blake2b("\x1f".join(parts).encode("utf-8", "replace"), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Traits:
    """What of an event decides its group, read off before anything is looked up."""

    type: str
    place: str  # module.function, or what stands for it
    function: str
    callers: tuple[str, ...]  # nearest first
    codes: tuple[str, ...]
    words: tuple[str, ...]  # of the message, when a person wrote it
    line: Line
    lined: bool  # does the line tell faults apart? Not where the message does, or where chance chose the line
    release: str
    spot: str  # "release:line", empty when either is unknown

    @property
    def bucket(self) -> str:
        return f"{self.type}|{self.place}"


@dataclass(slots=True)
class Group:
    """One strict group. ``id`` is what it is looked up by here, ``value`` the key that its events are given."""

    id: str
    value: str
    type: str
    place: str
    function: str
    codes: tuple[str, ...]
    words: tuple[str, ...]
    callers: list[str] = field(default_factory=list)  # of the site, or the one that joined the key
    outer: list[str] = field(default_factory=list)  # the callers of those
    shapes: dict[str, frozenset[str]] = field(default_factory=dict)
    spots: list[str] = field(default_factory=list)
    releases: list[str] = field(default_factory=list)
    root: str = ""  # id of the group that it continues, or the first of those
    into: str = ""  # id of the group that it was absorbed by, when its message proved to hold data

    @property
    def bucket(self) -> str:
        return f"{self.type}|{self.place}"

    def clues(self) -> Iterable[str]:
        yield f"f|{self.type}|{self.function}"
        for place in (self.place, *self.callers):
            yield f"p|{self.type}|{place}"

    def to_json(self) -> list[Json]:
        shapes: list[Json] = [[s, *sorted(w)] for s, w in self.shapes.items()]
        return [
            self.id,
            self.value,
            self.type,
            self.place,
            self.function,
            list(self.codes),
            list(self.words),
            list(self.callers),
            list(self.outer),
            shapes,
            list(self.spots),
            list(self.releases),
            self.root,
            self.into,
        ]


@dataclass(frozen=True, slots=True)
class Found:
    """The group of an event, and how it was found."""

    group: Group
    caller: str = ""  # that joined the key, because the site is a helper
    continues: str = ""  # value of the older group that this one goes on from
    notes: tuple[str, ...] = ()


class Memory:
    """Mutable; one per project, used by one thread. ``Memory.from_json(m.to_json())`` goes on exactly as m."""

    def __init__(self) -> None:
        self._groups: dict[str, Group] = {}  # the longest unused first
        self._callers: dict[str, list[str]] = {}  # place -> [release, caller] of the newest release; [] is a helper
        self._buckets: dict[str, dict[str, None]] = {}
        self._clues: dict[str, dict[str, None]] = {}
        self._families: dict[str, dict[str, None]] = {}

    def find(self, t: Traits) -> Found:
        """The group of these traits, learned from and made where there is none yet."""
        caller = self._helper_caller(t)
        pool = self._pool(t, caller)
        notes: list[str] = []
        group = self._told_apart(t, pool) or self._absorbed(t, caller, notes)
        if group is None:
            group = self._create(t, caller, bool(pool))
            self._link(group, t, caller, notes)
        self._record(group, t, caller)
        while group.into and group.into in self._groups:
            group = self._groups[group.into]
        root = self._groups.get(group.root)
        return Found(group, caller, root.value if root else "", tuple(notes))

    # ---- helpers

    def is_helper(self, place: str) -> bool:
        return self._callers.get(place) == []

    def _helper_caller(self, t: Traits) -> str:
        """The first caller that is no helper, when the site is one; empty otherwise."""
        if not t.callers:
            return ""
        self._learn(t.place, t.callers[0], t.release)
        if not self.is_helper(t.place):
            return ""
        return next((c for c in t.callers if not self.is_helper(c)), t.callers[-1])

    def _learn(self, place: str, caller: str, release: str) -> None:
        seen = self._callers.pop(place, None)
        if seen == []:
            pass
        elif seen is None:
            seen = [release, caller]
        elif (known := _known_in(seen, release)) is None:
            seen = [release, caller, *seen[:6]]  # four releases: events of several arrive on the same day
        elif known != caller:
            seen = []
        self._callers[place] = seen
        if len(self._callers) > places_max:
            del self._callers[next(iter(self._callers))]

    # ---- finding

    def _pool(self, t: Traits, caller: str) -> list[Group]:
        """Groups of the same type, place, codes and words, and of the same caller where that counts."""
        groups = (self._groups[i] for i in self._buckets.get(t.bucket, ()))
        return [g for g in groups if g.codes == t.codes and g.words == t.words and (not caller or caller in g.callers)]

    def _told_apart(self, t: Traits, pool: list[Group]) -> Group | None:
        """The one of the pool whose line failed; None when it is a line that none of them is known by."""
        if not pool or not t.lined:
            return pool[0] if pool else None
        if t.line.shape:
            exact = next((g for g in pool if t.line.shape in g.shapes), None)
            if exact:
                return exact
        if t.spot:
            here = next((g for g in pool if t.spot in g.spots and not (g.shapes and t.line.shape)), None)
            if here:
                return here
        if t.line.shape:
            return self._edited(t, pool)
        # without source: any that did not fail at another line of this very release
        prefix = t.spot.rpartition(":")[0] + ":"
        free = [g for g in pool if not t.spot or not any(s.startswith(prefix) for s in g.spots)]
        return free[0] if free else None

    def _edited(self, t: Traits, pool: list[Group]) -> Group | None:
        """A line may change from release to release; within one, another line is another fault."""
        prefix = t.spot.rpartition(":")[0] + ":"
        best: Group | None = None
        best_score = 0.0
        for g in pool:
            if not g.shapes:
                score = 0.0 if t.spot and any(s.startswith(prefix) for s in g.spots) else 0.4
            elif not t.release or t.release in g.releases:
                continue
            else:
                score = max(alike(t.line.words, w) for w in g.shapes.values())
                score = score if score >= same_line_min else 0.0
            if score > best_score:
                best, best_score = g, score
        return best

    def _absorbed(self, t: Traits, caller: str, notes: list[str]) -> Group | None:
        """The oldest of several groups whose messages differ from this one in one word only: that word is data."""
        if constant(t.words) < 3:
            return None
        slots: dict[int, list[Group]] = {}
        for i in list(self._buckets.get(t.bucket, ()))[:variants_max]:
            g = self._groups[i]
            if g.codes != t.codes or len(g.words) != len(t.words) or (caller and caller not in g.callers):
                continue
            at = _one_difference(g.words, t.words)
            if at is not None:
                slots.setdefault(at, []).append(g)
        for at, variants in slots.items():
            plain = all(v.islower() and v.isalpha() for v in [t.words[at], *(g.words[at] for g in variants)])
            if len(variants) >= (words_until_data if plain else names_until_data):
                oldest = next((g for g in variants if not g.into), variants[0])
                for g in variants:
                    g.into = "" if g is oldest else oldest.id
                notes.append(f'"{t.words[at]}" was taken as data: {len(variants)} other messages differ only there')
                return oldest
        return None

    # ---- making

    def _create(self, t: Traits, caller: str, rivals: bool) -> Group:
        parts = [t.type, t.place, *t.codes, "", *t.words]
        name = digest("strict", *parts)
        if name in self._groups and caller:
            name = digest("strict", *parts, "called by", caller)
        if name in self._groups or rivals:
            name = digest("strict", *parts, "called by", caller, "line", t.line.shape or t.spot)
        while name in self._groups:
            name = digest(name)
        group = Group(name, name, t.type, t.place, t.function, t.codes, t.words)
        self._add(group)
        if len(self._groups) > groups_max:
            self._forget(next(iter(self._groups)))
        return group

    def _add(self, group: Group) -> None:
        self._groups[group.id] = group
        self._buckets.setdefault(group.bucket, {})[group.id] = None
        for clue in group.clues():
            self._clues.setdefault(clue, {})[group.id] = None
        if group.root:
            self._families.setdefault(group.root, {})[group.id] = None

    def _forget(self, name: str) -> None:
        group = self._groups.pop(name)
        for index, key in [(self._buckets, group.bucket), (self._families, group.root)] + [
            (self._clues, clue) for clue in group.clues()
        ]:
            members = index.get(key, {})
            members.pop(name, None)
            if not members:
                index.pop(key, None)

    def _record(self, group: Group, t: Traits, caller: str) -> None:
        """The group is known by this event's traits as well from now on, and was used last."""
        self._groups[group.id] = self._groups.pop(group.id)
        above = t.callers[t.callers.index(caller) :] if caller else t.callers
        if above and above[0] not in group.callers and len(group.callers) < callers_max:
            group.callers.append(above[0])
            self._clues.setdefault(f"p|{group.type}|{above[0]}", {})[group.id] = None
        if len(above) > 1 and above[1] not in group.outer and len(group.outer) < callers_max:
            group.outer.append(above[1])
        if t.line.shape and t.line.shape not in group.shapes:
            group.shapes[t.line.shape] = t.line.words
            if len(group.shapes) > shapes_max:
                del group.shapes[next(iter(group.shapes))]
        if t.spot and t.spot not in group.spots:
            group.spots = [*group.spots[-spots_max + 1 :], t.spot]
        if t.release and t.release not in group.releases:
            group.releases = [*group.releases[-releases_max + 1 :], t.release]
            self._part(group, t.release)

    # ---- continuity over releases

    def _link(self, group: Group, t: Traits, caller: str, notes: list[str]) -> None:
        """Names the one older group that this new one goes on from: renamed, moved, extracted or inlined."""
        if not t.release:
            return
        names: dict[str, None] = {}
        for clue in _clues_of(t):
            members = self._clues.get(clue, {})
            names.update(members if len(members) <= rivals_max else {})
        names.pop(group.id, None)
        if not names:
            return
        scores = sorted(((self._likeness(self._groups[n], t, caller), n) for n in names), reverse=True)
        best, name = scores[0]
        if best < 1 or (len(scores) > 1 and scores[1][0] == best):
            return
        older = self._groups[name]
        group.root = older.root or older.id
        self._families.setdefault(group.root, {})[group.id] = None
        notes.append(f"continues {older.place}, which fell silent in {t.release}")

    def _likeness(self, g: Group, t: Traits, caller: str) -> int:
        """0: not the same fault. Else the more the likelier: content (line, message) and structure (names, callers)."""
        if g.into or g.codes != t.codes or g.words != t.words:
            return 0
        if g.bucket == t.bucket and (not caller or caller in g.callers):
            return 0
        if any(t.release in m.releases for m in self._family(g)):
            return 0
        content = 2 if constant(t.words) > 1 else 0
        if t.line.shape and g.shapes:
            if t.line.shape in g.shapes:
                content += 2 if t.line.words else 1
            elif not content and max(alike(t.line.words, w) for w in g.shapes.values()) < same_line_min:
                return 0
        if g.bucket == t.bucket:
            above = t.callers[t.callers.index(caller) + 1 :]
            structure = max(_structure(c, g.outer, caller, above) for c in g.callers) if g.callers else 0
        else:
            structure = _structure(g.place, g.callers, t.place, t.callers)
        return content + structure if (content >= 2 and structure >= 2) or structure >= 3 else 0

    def _family(self, group: Group) -> Iterable[Group]:
        root = group.root or group.id
        if root in self._groups:
            yield self._groups[root]
        for name in self._families.get(root, ()):
            yield self._groups[name]

    def _part(self, group: Group, release: str) -> None:
        """Two groups that occur in one release are two faults: the one that was taken for the other's goes its way."""
        others = [g for g in self._family(group) if g is not group and release in g.releases]
        for g in [*others, group] if others else ():
            if g.root:
                self._families.get(g.root, {}).pop(g.id, None)
                g.root = ""
                g.value = digest(g.value, "apart")

    # ---- persistence

    def to_json(self) -> dict[str, Json]:
        groups: list[Json] = [g.to_json() for g in self._groups.values()]
        places: list[Json] = [[p, *seen] for p, seen in self._callers.items()]
        buckets: list[Json] = [list(b) for b in self._buckets.values() if len(b) > 1]
        return {"version": 1, "groups": groups, "places": places, "order": buckets}

    def _untangle(self) -> None:
        """Absorbed groups lead to one that is not: damaged pointers must lead to no circle."""
        for group in self._groups.values():
            passed, at = {group.id}, group
            while at.into in self._groups and at.into not in passed:
                passed.add(at.into)
                at = self._groups[at.into]
            if at.into in passed:
                at.into = ""

    @classmethod
    def from_json(cls, raw: dict[str, Json]) -> Memory:
        """What ``to_json`` made; a row that is damaged is left out. Another version's is an empty memory."""
        memory = cls()
        groups, places, order = raw.get("groups"), raw.get("places"), raw.get("order")
        if raw.get("version") != 1 or not isinstance(groups, list):
            return memory
        for group in filter(None, map(_group, groups[:groups_max])):
            memory._add(group)
        memory._untangle()
        for entry in places if isinstance(places, list) else ():
            names = _texts(entry)
            if names:
                memory._callers[names[0]] = names[1:]
        for bucket in order if isinstance(order, list) else ():
            names = _texts(bucket)
            known = (
                memory._buckets.get(memory._groups[names[0]].bucket) if names and names[0] in memory._groups else None
            )
            if known is not None and set(names) == known.keys():
                memory._buckets[memory._groups[names[0]].bucket] = dict.fromkeys(names)
        return memory


def _group(row: Json) -> Group | None:
    """None for a row that is damaged: its fault gets the same value again when it comes back."""
    if not isinstance(row, list) or len(row) != 14 or not all(isinstance(text, str) for text in row[:5]):
        return None
    name, value, kind, place, function = _texts(row[:5])
    shapes = [s for s in map(_texts, row[9]) if s] if isinstance(row[9], list) else []
    return Group(
        name,
        value,
        kind,
        place,
        function,
        codes=tuple(_texts(row[5])),
        words=tuple(_texts(row[6])),
        callers=_texts(row[7]),
        outer=_texts(row[8]),
        shapes={s[0]: frozenset(s[1:]) for s in shapes[:shapes_max]},
        spots=_texts(row[10]),
        releases=_texts(row[11]),
        root=row[12] if isinstance(row[12], str) else "",
        into=row[13] if isinstance(row[13], str) else "",
    )


def _texts(value: Json) -> list[str]:
    return [str(v) for v in value] if isinstance(value, list) else []


def _known_in(seen: list[str], release: str) -> str | None:
    return next((seen[i + 1] for i in range(0, len(seen), 2) if seen[i] == release), None)


def _one_difference(a: tuple[str, ...], b: tuple[str, ...]) -> int | None:
    at = None
    for i, (x, y) in enumerate(zip(a, b, strict=True)):
        if x != y:
            if at is not None:
                return None
            at = i
    return at


def _clues_of(t: Traits) -> Iterable[str]:
    yield f"f|{t.type}|{t.function}"
    for place in (t.place, *t.callers[:2]):
        yield f"p|{t.type}|{place}"


def _structure(old: str, old_callers: Sequence[str], new: str, new_callers: Sequence[str]) -> int:
    """How much speaks for one function being the other one renamed, moved, extracted or inlined."""
    a, b = old.partition(".")[2], new.partition(".")[2]
    score = 2 if a == b else int(_related(a, b))
    score += 2 * bool(set(new_callers[:2]) & set(old_callers))
    return score + 2 * (old in new_callers[:1] or new in old_callers)


def _related(a: str, b: str) -> bool:
    """Does one name hold most of the other's parts? total and do_total, price and _price_inner."""
    x, y = ({p for p in n.lower().replace(".", "_").split("_") if p} for n in (a, b))
    return bool(x and y) and len(x & y) * 2 >= min(len(x), len(y)) + 1
