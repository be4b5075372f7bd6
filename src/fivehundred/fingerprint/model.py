"""The words of grouping: Key and Fingerprint. Values only; the rule is in the files beside."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

from fivehundred.event import Json

version: int = 1  # of the algorithm; keys of different versions are never compared

KeyKind: TypeAlias = Literal["rule", "split", "client", "outage", "env", "strict", "loose", "line", "message"]


@dataclass(frozen=True, slots=True)
class Key:
    """One way to say which fault an event belongs to."""

    kind: KeyKind
    value: str  # 16 hex digits, a hash of kind and parts
    parts: tuple[
        tuple[str, str], ...
    ]  # what went in, by name: (("type", "ZeroDivisionError"), ("site", "app.cause_error"))


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """All keys of an event. The first one groups; the others serve continuity over releases and suggested merges."""

    version: int
    keys: tuple[Key, ...]
    title: str  # what the fault is called: the exception's type, or the start of the message
    message: str  # the message, one line, of the exception that decided
    culprit: str  # "shop.orders in total": where in the application; empty when nothing is known
    root: int  # index into event.exceptions of the exception that decided; -1 when the event has none
    frame: int  # index into its frames (or event.frames) of the site; -1 when it has none
    why: tuple[str, ...]  # sentences: which key, what joined it, what was ignored
    continues: str = ""  # value of a key of the fault that this one continues when its own key is new; empty: none
    older: tuple[Key, ...] = ()  # keys by the version before, while the algorithm is in transition

    @property
    def primary(self) -> Key:
        return self.keys[0]

    def to_json(self) -> dict[str, Json]:
        return asdict(self)
