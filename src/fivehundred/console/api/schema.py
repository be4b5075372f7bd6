"""JSON Schema (2020-12, the dialect of OpenAPI 3.1) of the plain dataclasses that the API answers with.

Made from the types themselves, so that the document cannot drift from the answers. Knows the few kinds of type that
the store's values use and fails loudly on any other.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Sequence
from typing import Annotated, Any, ForwardRef, Literal, Union, get_args, get_origin, get_type_hints

from fivehundred.console.api.bounds import Bound

Schema = dict[str, Any]

_PLAIN: dict[object, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
}


def components(*kinds: type, sent: Sequence[type] = ()) -> dict[str, Schema]:
    """A schema by name for each dataclass and those that they hold. Of what is ``sent``, defaults may be left out."""
    found: dict[str, Schema] = {}
    for kind in kinds:
        _of(kind, found)
    for kind in sent:
        found[kind.__name__]["required"] = [
            f.name
            for f in dataclasses.fields(kind)
            if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        ]
    return found


def _of(kind: object, found: dict[str, Schema]) -> Schema:
    if kind in _PLAIN:
        return dict(_PLAIN[kind])
    if get_origin(kind) is Annotated:
        plain, *said = get_args(kind)
        return _of(plain, found) | {n: v for one in said if isinstance(one, Bound) for n, v in one.schema().items()}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _object(kind, found)
    if isinstance(kind, str | ForwardRef) or kind is Any:
        return {}  # any JSON: what events carry
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_of(a, found) for a in arguments]}
    if origin is dict:
        return {"type": "object", "additionalProperties": _of(arguments[1], found)}
    if origin in (tuple, list) or (origin is not None and issubclass(origin, list | tuple)):
        return _array(arguments, found)
    raise TypeError(f"no schema is known for {kind!r}")


def _array(arguments: tuple[Any, ...], found: dict[str, Schema]) -> Schema:
    if len(arguments) == 1 or arguments[-1] is Ellipsis:
        return {"type": "array", "items": _of(arguments[0], found)}
    items = [_of(a, found) for a in arguments]
    return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}


def _object(kind: type, found: dict[str, Schema]) -> Schema:
    name = kind.__name__
    if name not in found:
        found[name] = {}  # before its fields, which may hold it again
        hints = get_type_hints(kind, include_extras=True)
        fields = [f.name for f in dataclasses.fields(kind)]
        found[name] = {
            "type": "object",
            "properties": {f: _of(hints[f], found) for f in fields},
            "required": fields,
            "additionalProperties": False,
        }
    return {"$ref": f"#/components/schemas/{name}"}
