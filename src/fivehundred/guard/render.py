"""Values as JSON without running the application's code: no ``repr``, no ``str``, no property, no descriptor.

Built-in scalars and containers are rendered by their own C functions, called on the base class, so that a subclass's
overrides never run. Of other objects the type's name and, one level deep, what is stored in their ``__dict__`` and
slots is shown. Everything is bounded; what was left out is counted in ``cut``.
"""

from __future__ import annotations

import time
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from types import BuiltinFunctionType, FunctionType, GetSetDescriptorType, MemberDescriptorType, MethodType, ModuleType
from typing import Any, Final

from fivehundred import limits, scrub
from fivehundred.event import Json, clean

_type_name = type.__dict__["__qualname__"].__get__
_type_module = type.__dict__["__module__"].__get__
_type_mro = type.__dict__["__mro__"].__get__
_type_dict = type.__dict__["__dict__"].__get__


def type_name(kind: type) -> str:
    """``package.module.Class``, or the bare name of a built-in; asks the type itself, whatever its metaclass says."""
    module, name = module_name(kind), plain_name(kind)
    return name if module in ("builtins", "") else f"{module}.{name}"


def plain_name(kind: type) -> str:
    name = _type_name(kind)
    return clean(str.__str__(name)[: limits.name_chars_max])


def module_name(kind: type) -> str:
    try:
        module = _type_module(kind)
    except AttributeError:
        return ""
    return clean(str.__str__(module)[: limits.name_chars_max]) if issubclass(type(module), str) else ""


def mro(kind: type) -> tuple[type, ...]:
    found: tuple[type, ...] = _type_mro(kind)
    return found


def is_one_of(value: object, *kinds: type) -> bool:
    """By identity: ``type(value) in (str, int)`` may run the ``__eq__`` of a metaclass."""
    kind = type(value)
    return any(kind is known for known in kinds)


def stored(value: object) -> dict[str, object]:
    """What lies in an object's ``__dict__`` and slots, read through the C descriptors alone."""
    found: dict[str, object] = {}
    for kind in mro(type(value)):
        names = _type_dict(kind)
        holder = names.get("__dict__")
        if type(holder) is GetSetDescriptorType:
            attributes = holder.__get__(value)
            if issubclass(type(attributes), dict):
                for name, inner in _stable(dict.items(attributes), limits.value_items_max + 20):
                    if type(name) is str:
                        found.setdefault(name, inner)
        slots = names.get("__slots__")
        if slots is not None and is_one_of(slots, str, tuple, list):
            _read_slots(value, names, found)
    return found


def _read_slots(value: object, names: Any, found: dict[str, object]) -> None:
    for name, member in islice(names.items(), 200):
        if type(member) is MemberDescriptorType and type(name) is str and not name.startswith("__"):
            try:
                found.setdefault(name, member.__get__(value))
            except AttributeError:
                continue  # a slot that was never filled


def attribute(value: object, name: str, own: dict[str, object] | None = None) -> object:
    """A stored attribute, a constant of the class, or a C field; None for anything that would run Python code.

    ``own`` is ``stored(value)`` where the caller has it already.
    """
    if own is None:
        own = stored(value)
    if name in own:
        return own[name]
    for kind in mro(type(value)):
        member = _type_dict(kind).get(name)
        if member is None:
            continue
        if is_one_of(member, MemberDescriptorType, GetSetDescriptorType):
            try:
                return member.__get__(value)
            except AttributeError:
                continue
        if is_one_of(member, str, int, bytes):
            return member
        return None
    return None


# Who sent a request, as proxies hand it on: an address identifies a person, and seldom explains a failure.
personal_headers: Final = frozenset(
    ("x-forwarded-for", "forwarded", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip")
)
_personal: Final = frozenset(
    ("REMOTE_ADDR", "REMOTE_HOST", *(f"HTTP_{name.upper().replace('-', '_')}" for name in personal_headers))
)


_half_s: Final = limits.capture_ms_max / 2_000


class Renderer:
    """One event's worth of rendering, within a budget of nodes and time for each part of the event."""

    def __init__(self, secret_names: frozenset[str] = frozenset()) -> None:
        self.secret_names = secret_names
        self.cut: dict[str, int] = {}
        self.renew()

    def renew(self) -> None:
        """The next part of the event begins, with a budget of its own: it does not pay for what the last one took."""
        self.nodes_left = limits.nodes_max
        self._cpu_until: float | None = None
        self._late_at = time.perf_counter() + _half_s

    def _is_late(self) -> bool:
        """By the work done: a thread that waits for the interpreter's lock, or for a cold file, has done none.

        Work is measured by a clock that costs as much as all of a small event, so only once half of the time is over:
        from there on the other half is granted in work.
        """
        now = time.perf_counter()
        if now <= self._late_at:
            return False
        worked = time.thread_time()
        if self._cpu_until is None:
            self._cpu_until = worked + _half_s
        left = self._cpu_until - worked
        self._late_at = now + left
        return left <= 0

    def local(self, name: str, value: object) -> Json:
        """A named value, such as a local variable, within its own share of the budget."""
        if self.is_secret(name):
            return hidden(value)
        kept = self.nodes_left
        self.nodes_left = share = min(kept, limits.nodes_per_local_max)
        try:
            return self.value(value)
        finally:
            self.nodes_left += kept - share

    def is_secret(self, name: str) -> bool:
        return (
            scrub.is_secret_name(name)
            or name in _personal
            or (bool(self.secret_names) and name.lower().replace("_", "").replace("-", "") in self.secret_names)
        )

    def value(self, value: object, depth: int = 0) -> Json:
        kind = type(value)
        if value is None or kind is bool:
            return value  # type: ignore[return-value]
        if kind is str:
            return self.text(value)  # type: ignore[arg-type]
        if kind is int or kind is float:
            return number(value)  # type: ignore[arg-type]
        self.nodes_left -= 1
        if self.nodes_left < 0 or self._is_late():
            self.count("values")
            return "…"
        return self._other(value, kind, depth)

    def _other(self, value: object, kind: type, depth: int) -> Json:
        known = _renderers.get(id(kind))
        if known is not None:
            return known(self, value, depth)
        for base in mro(kind):
            known = _by_base.get(id(base))
            if known is not None:
                return known(self, value, depth)
        return self.instance(value, kind, depth)

    def text(self, value: str, chars_max: int = limits.value_chars_max) -> str:
        if len(value) > chars_max:
            self.count("text")
            size = str.__len__(value)
            return f"{scrub.scrub_text(clean(value[:chars_max]))}… ({size} characters)"
        return scrub.scrub_text(clean(value))

    def mapping(self, items: Iterator[tuple[object, object]], size: int, depth: int) -> Json:
        if depth >= limits.value_depth_max:
            self.count("depth")
            return f"{{… {size} items}}"
        found: dict[str, Json] = {}
        for key, inner in islice(items, limits.value_items_max):
            name = self.key(key)
            found[name] = hidden(inner) if self.is_secret(name) else self.value(inner, depth + 1)
            if self.nodes_left < 0:
                break
        if size > len(found):
            self.count("items", size - len(found))
            found["…"] = f"{size - len(found)} more"
        return found

    def key(self, key: object) -> str:
        if type(key) is str:
            return scrub.scrub_text(clean(key[:100]))
        rendered = self.value(key, limits.value_depth_max)
        return rendered if isinstance(rendered, str) else str(rendered)

    def sequence(self, items: Iterable[object], size: int, depth: int) -> Json:
        if depth >= limits.value_depth_max:
            self.count("depth")
            return f"[… {size} items]"
        found: list[Json] = []
        for inner in islice(items, limits.value_items_max):
            found.append(self.value(inner, depth + 1))
            if self.nodes_left < 0:
                break
        if len(found) == 2 and type(found[0]) is str and self.is_secret(_bare(found[0])):
            found[1] = scrub.mark  # a header as a pair
        if size > len(found):
            self.count("items", size - len(found))
            found.append(f"… {size - len(found)} more")
        return found

    def instance(self, value: object, kind: type, depth: int) -> Json:
        name = type_name(kind)
        if depth >= 2 or _opaque(kind):
            return f"<{name}>"
        found: dict[str, Json] = {}
        for attribute, inner in stored(value).items():
            if attribute.startswith("_"):
                continue
            if len(found) >= limits.value_items_max:
                self.count("items")
                break
            shown = self.local(attribute, inner) if depth == 0 else self._inner(attribute, inner)
            found[clean(attribute[:100])] = shown
            if self.nodes_left < 0:
                break
        return {"__class__": name, **found} if found else f"<{name}>"

    def _inner(self, name: str, value: object) -> Json:
        return hidden(value) if self.is_secret(name) else self.value(value, 2)

    def count(self, what: str, number: int = 1) -> None:
        self.cut[what] = self.cut.get(what, 0) + number


def hidden(value: object) -> Json:
    """The mark in place of a secret; that there is none, or an empty one, is no secret and often the very bug."""
    if value is None or type(value) is bool:
        return value
    return "" if type(value) is str and not value else scrub.mark


def number(value: int | float) -> Json:
    if type(value) is float:
        return value if value - value == 0 else float.__repr__(value)  # JSON knows no infinity and no NaN
    size = int.bit_length(value)  # type: ignore[arg-type]
    if size <= 63:
        return scrub.scrub_number(int.__index__(value))  # type: ignore[arg-type]
    return int.__repr__(value) if size <= 256 else f"an integer of {size} bits"


def _bare(name: str) -> str:
    return name[2:-1] if name[:2] in ("b'", 'b"') else name


def _opaque(kind: type) -> bool:
    """Types whose stored state tells nothing: the plumbing of servers and frameworks."""
    module = module_name(kind)
    return module.partition(".")[0] in _plumbing


_plumbing: Final = frozenset(
    {
        "asyncio", "threading", "logging", "socket", "ssl", "http", "io", "_io", "concurrent", "selectors",
        "contextvars", "_thread", "importlib", "sys", "types", "starlette", "fastapi", "uvicorn", "gunicorn",
        "waitress", "werkzeug", "flask", "django", "anyio", "sniffio", "h11", "httptools", "uvloop", "hypercorn",
        "sqlalchemy", "psycopg", "psycopg2", "psycopg_pool", "asyncpg", "pymysql", "redis", "celery", "kombu",
        "gevent", "greenlet", "jinja2", "fivehundred", "urllib3", "requests", "httpx", "httpcore", "httpx2",
        "httpcore2", "aiohttp", "botocore", "boto3", "grpc", "pymongo",
    }
)  # fmt: skip


# ---- the types that are known --------------------------------------------------------------------

Render = Callable[[Renderer, Any, int], Json]


def _bytes(r: Renderer, value: Any, depth: int) -> Json:
    size = len(value) if type(value) is not memoryview else value.nbytes
    if type(value) is memoryview:
        return f"<memory at {size} bytes>"
    head = scrub.scrub_text(bytes.__repr__(bytes(value[: limits.value_chars_max // 2])))
    if size > limits.value_chars_max // 2:
        r.count("text")
        head += f"… ({size} bytes)"
    return head


def _bytes_base(r: Renderer, value: Any, depth: int) -> Json:
    base: type[bytes] | type[bytearray] = bytes if issubclass(type(value), bytes) else bytearray
    return _bytes(r, base.__getitem__(value, slice(0, limits.value_chars_max)), depth)


def _dict(r: Renderer, value: Any, depth: int) -> Json:
    return r.mapping(_stable(dict.items(value)), dict.__len__(value), depth)


def _stable(
    items: Iterable[tuple[object, object]], items_max: int = limits.value_items_max
) -> Iterator[tuple[object, object]]:
    """A few items of a dict that another thread may be changing."""
    try:
        return iter(list(islice(items, items_max)))
    except RuntimeError:
        return iter([])


def _list(r: Renderer, value: Any, depth: int) -> Json:
    return r.sequence(list.__iter__(value), list.__len__(value), depth)


def _tuple(r: Renderer, value: Any, depth: int) -> Json:
    return r.sequence(tuple.__iter__(value), tuple.__len__(value), depth)


def _set(r: Renderer, value: Any, depth: int) -> Json:
    base: Any = set if issubclass(type(value), set) else frozenset
    try:
        some = list(islice(base.__iter__(value), limits.value_items_max))
    except RuntimeError:  # changed by another thread meanwhile
        some = []
    return r.sequence(some, base.__len__(value), depth)


def _deque(r: Renderer, value: Any, depth: int) -> Json:
    try:
        some = list(islice(deque.__iter__(value), limits.value_items_max))
    except RuntimeError:
        some = []
    return r.sequence(some, deque.__len__(value), depth)


def _str_base(r: Renderer, value: Any, depth: int) -> Json:
    return r.text(str.__getitem__(value, slice(0, limits.value_chars_max + 1)))


def _int_base(r: Renderer, value: Any, depth: int) -> Json:
    return number(int.__index__(value))


def _float_base(r: Renderer, value: Any, depth: int) -> Json:
    return number(float.__float__(value))


def _complex(r: Renderer, value: Any, depth: int) -> Json:
    return complex.__repr__(value)


def _range(r: Renderer, value: Any, depth: int) -> Json:
    return range.__repr__(value)


def _class(r: Renderer, value: Any, depth: int) -> Json:
    return f"<class {type_name(value)}>"


def _function(r: Renderer, value: Any, depth: int) -> Json:
    return f"<function {clean(value.__qualname__[:200])}>"


def _method(r: Renderer, value: Any, depth: int) -> Json:
    function = value.__func__
    return f"<method {clean(function.__qualname__[:200])}>" if type(function) is FunctionType else "<method>"


def _builtin(r: Renderer, value: Any, depth: int) -> Json:
    return f"<function {value.__name__}>"


def _module(r: Renderer, value: Any, depth: int) -> Json:
    name = _module_dict(value).get("__name__")
    return f"<module {clean(name[:200])}>" if type(name) is str else "<module>"


_module_dict: Final[Callable[[object], dict[str, object]]] = vars(ModuleType)["__dict__"].__get__


def _exception(r: Renderer, value: Any, depth: int) -> Json:
    args = BaseException.__dict__["args"].__get__(value)
    name = type_name(type(value))
    if depth >= limits.value_depth_max or not args:
        return f"<{name}>"
    return {"__class__": name, "args": _tuple(r, args, depth + 1)}


def _stdlib(r: Renderer, value: Any, depth: int) -> Json:
    """Value types of the standard library whose text is computed by the standard library alone."""
    try:
        return r.text(str(value))
    except Exception:  # a half-built instance, as __new__ and pickles make them
        return f"<{type_name(type(value))}>"


def _moment(r: Renderer, value: Any, depth: int) -> Json:
    zone = value.tzinfo
    if zone is not None and module_name(type(zone)) not in ("datetime", "zoneinfo"):
        return f"<{type_name(type(value))}>"  # its text would ask a time zone class of the application
    return _stdlib(r, value, depth)


_by_type: dict[type, Render] = {
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
    dict: _dict,
    list: _list,
    tuple: _tuple,
    set: _set,
    frozenset: _set,
    deque: _deque,
    defaultdict: _dict,
    OrderedDict: _dict,
    complex: _complex,
    range: _range,
    FunctionType: _function,
    BuiltinFunctionType: _builtin,
    MethodType: _method,
    ModuleType: _module,
}
_bases: dict[type, Render] = {
    BaseException: _exception,
    str: _str_base,
    bytes: _bytes_base,
    bytearray: _bytes_base,
    int: _int_base,
    float: _float_base,
    dict: _dict,
    list: _list,
    tuple: _tuple,
    set: _set,
    frozenset: _set,
    deque: _deque,
    type: _class,
}
# By id, as hashing a class may run its metaclass's code; these classes live as long as the process.
_renderers: dict[int, Render] = {id(kind): render for kind, render in _by_type.items()}
_by_base: dict[int, Render] = {id(kind): render for kind, render in _bases.items()}
# Registered by name when first met, so that rendering imports nothing.
_stdlib_values: Final = {
    "datetime.date": _stdlib,
    "datetime.timedelta": _stdlib,
    "datetime.datetime": _moment,
    "datetime.time": _moment,
    "datetime.timezone": _stdlib,
    "decimal.Decimal": _stdlib,
    "uuid.UUID": _stdlib,
    "pathlib.PosixPath": _stdlib,
    "pathlib.PurePosixPath": _stdlib,
    "pathlib.WindowsPath": _stdlib,
    "ipaddress.IPv4Address": _stdlib,
    "ipaddress.IPv6Address": _stdlib,
    "fractions.Fraction": _stdlib,
}


_modules_seen = 0


def learn_stdlib(modules: dict[str, ModuleType]) -> None:
    """Registers the standard library's value types that are loaded by now, from ``sys.modules``."""
    global _modules_seen
    if len(modules) == _modules_seen:
        return
    _modules_seen = len(modules)
    for name, render in _stdlib_values.items():
        module_, _, attribute = name.partition(".")
        module = modules.get(module_)
        kind = module.__dict__.get(attribute) if module is not None else None
        if type(kind) is type or (kind is not None and issubclass(type(kind), type)):
            _renderers.setdefault(id(kind), render)
