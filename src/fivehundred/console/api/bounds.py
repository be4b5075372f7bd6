"""What a value that is sent must be beyond its type, as JSON Schema says it: for the document alone.

The store and the desks refuse what does not fit, in words of their own; here the same bounds are told beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Final, TypeAlias


@dataclass(frozen=True, slots=True)
class Bound:
    minimum: float | None = None
    maximum: float | None = None
    length_min: int | None = None
    length_max: int | None = None
    items_min: int | None = None
    items_max: int | None = None
    pattern: str | None = None

    def schema(self) -> dict[str, float | str]:
        return {_WORDS[f.name]: value for f in fields(self) if (value := getattr(self, f.name)) is not None}


_WORDS: Final = {
    "minimum": "minimum",
    "maximum": "maximum",
    "length_min": "minLength",
    "length_max": "maxLength",
    "items_min": "minItems",
    "items_max": "maxItems",
    "pattern": "pattern",
}
_said: Final = r"[^\s\x00]"  # at least one character that is not blank

Number: TypeAlias = Annotated[int, Bound(minimum=1, maximum=2**63 - 1)]  # of a fault, a channel ...
Count: TypeAlias = Annotated[int, Bound(minimum=1, maximum=1_000_000_000)]
Days: TypeAlias = Annotated[int, Bound(minimum=1, maximum=3_650)]
Megabytes: TypeAlias = Annotated[int, Bound(minimum=1, maximum=10_000_000)]
Share: TypeAlias = Annotated[float, Bound(minimum=0.5, maximum=0.99999)]
Name60: TypeAlias = Annotated[str, Bound(length_min=1, length_max=60, pattern=_said)]
Name100: TypeAlias = Annotated[str, Bound(length_min=1, length_max=100, pattern=_said)]
Comment: TypeAlias = Annotated[str, Bound(length_min=1, length_max=4_000, pattern=_said)]
Pattern: TypeAlias = Annotated[str, Bound(length_min=1, length_max=200, pattern=_said)]
Faults: TypeAlias = Annotated[tuple[Number, ...], Bound(items_max=200)]
SomeFaults: TypeAlias = Annotated[tuple[Number, ...], Bound(items_min=1, items_max=200)]
Field: TypeAlias = Annotated[
    str,
    Bound(
        pattern="^(?:type|message|module|function|path|route|method|logger|level|environment|host|release|platform"
        "|status|caller|tag:[A-Za-z0-9_.-]{1,60})$"
    ),
]
Matcher: TypeAlias = tuple[Field, Pattern]

reference: Final = {
    "type": "string",
    "pattern": "^(?:urn:uuid:)?(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$",
}
