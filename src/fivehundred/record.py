"""Dataclasses for what every process under guard imports: to a reader, a checker and ``dataclasses`` the same thing.

``dataclasses`` loads ``inspect``, ``ast`` and ``tokenize`` (10 ms) and writes four functions for each class (1 ms).
Here a class costs one function, and the fields that ``dataclasses.fields``, ``replace`` and ``asdict`` ask for are
made when somebody asks. Only ``slots=True``, with or without ``frozen=True``, and no inheritance between records.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

__all__ = ["field", "record", "replace"]

if TYPE_CHECKING:
    from dataclasses import dataclass as record
    from dataclasses import field, replace
else:

    def record(*, slots: bool, frozen: bool = False) -> Callable[[type], type]:
        """``@dataclass(slots=True, ...)``."""
        return _frozen if frozen else _made

    def field(*, default_factory: Callable[[], Any]) -> _Made:
        """A value made for each instance."""
        return _Made(default_factory)

    def replace(value: Any, **changes: Any) -> Any:
        """A copy with these fields changed."""
        return type(value)(**{name: getattr(value, name) for name in value.__match_args__} | changes)


class _Made:
    def __init__(self, factory: Callable[[], Any]) -> None:
        self.factory = factory


class _Fields:
    """``__dataclass_fields__``, by which ``dataclasses`` knows its own: made by it when it is first looked at."""

    def __init__(self, annotations: dict[str, Any], defaults: dict[str, Any], frozen: bool) -> None:
        self.annotations, self.defaults, self.frozen = annotations, defaults, frozen
        self.found: dict[str, Any] | None = None

    def __get__(self, instance: object, owner: type) -> dict[str, Any]:
        if self.found is None:
            import dataclasses

            members = {n: _field_of(dataclasses, self.defaults[n]) for n in self.annotations if n in self.defaults}
            twin = type(owner.__name__, (), {**members, "__annotations__": self.annotations})
            twin.__module__ = owner.__module__
            made: Any = dataclasses.dataclass(frozen=self.frozen)(twin)
            self.found = made.__dataclass_fields__
        return self.found


def _field_of(dataclasses: Any, default: object) -> object:
    return dataclasses.field(default_factory=default.factory) if isinstance(default, _Made) else default


def _made(cls: type, frozen: bool = False) -> type:
    annotations = cls.__annotations__
    members = {name: value for name, value in cls.__dict__.items() if name not in ("__dict__", "__weakref__")}
    defaults = {name: members.pop(name) for name in annotations if name in members}
    names = tuple(annotations)
    members |= {
        "__slots__": names,
        "__match_args__": names,
        "__init__": _init(cls, names, defaults, frozen),
        "__dataclass_fields__": _Fields(annotations, defaults, frozen),
        "__qualname__": cls.__qualname__,
    }
    members.setdefault("__repr__", _repr)
    members.setdefault("__eq__", _eq)
    members.setdefault("__hash__", _hash if frozen else None)
    if frozen:
        members |= {"__setattr__": _refuse, "__delattr__": _refuse, "__getstate__": _state, "__setstate__": _restore}
    return type(cls)(cls.__name__, cls.__bases__, members)


def _frozen(cls: type) -> type:
    return _made(cls, True)


def _init(cls: type, names: tuple[str, ...], defaults: dict[str, Any], frozen: bool) -> Callable[..., None]:
    """Written and compiled, as ``dataclasses`` does it: nothing is quicker to call."""
    asked, body = [], []
    scope: dict[str, Any] = {"_not_given": _not_given, "_set": object.__setattr__}
    for name in names:
        value, default = name, defaults.get(name, _not_given)
        if default is not _not_given:
            scope[f"_default_{name}"] = default.factory if isinstance(default, _Made) else default
            asked.append(f"{name}=_not_given" if isinstance(default, _Made) else f"{name}=_default_{name}")
        else:
            asked.append(name)
        if isinstance(default, _Made):
            made: object = default.factory
            fresh = "[]" if made is list else "{}" if made is dict else f"_default_{name}()"
            value = f"{fresh} if {name} is _not_given else {name}"
        body.append(f" _set(self, {name!r}, {value})" if frozen else f" self.{name} = {value}")
    exec(f"def __init__(self, {', '.join(asked)}):\n" + "\n".join(body or [" pass"]), scope)  # noqa: S102  # our own words
    init: Callable[..., None] = scope["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


_not_given = object()


def _values(value: Any) -> tuple[Any, ...]:
    return tuple([getattr(value, name) for name in value.__match_args__])


def _repr(self: Any) -> str:
    return f"{type(self).__qualname__}({', '.join(f'{n}={getattr(self, n)!r}' for n in self.__match_args__)})"


def _eq(self: Any, other: object) -> Any:
    return _values(self) == _values(other) if other.__class__ is self.__class__ else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _refuse(self: Any, name: str, *value: object) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _state(self: Any) -> list[Any]:
    return list(_values(self))


def _restore(self: Any, state: list[Any]) -> None:
    for name, value in zip(self.__match_args__, state, strict=True):
        object.__setattr__(self, name, value)
