"""What an application may fail with, or have in its variables, at its worst: each function raises."""

# What is wrong with these types is what the rows are about.
# mypy: ignore-errors

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import enum
import functools
import json
import logging
import os
import re
import sys
import threading
import time
import types
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn
from unittest import mock

ran: list[str] = []  # hostile methods that ran; only an exception's own ``__str__`` may


def _raises(self, *args):
    ran.append("raises")
    raise RuntimeError("a hostile method ran")


def _wrong(self, *args):
    ran.append("wrong type")
    return object()


def _hangs(self, *args):
    ran.append("hangs")
    time.sleep(30)


def _exits(self, *args):
    ran.append("exits")
    sys.exit(3)


misbehaviours = {"raises": _raises, "gives a wrong type": _wrong, "hangs": _hangs, "exits": _exits}
dunders = ("__str__", "__repr__", "__class__", "__getattribute__", "__hash__", "__bool__", "__len__", "__iter__")


def members_of(dunder: str, act: Callable[..., Any]) -> dict[str, Any]:
    return {dunder: property(act) if dunder == "__class__" else act}


def with_value(dunder: str, act: Callable[..., Any], base: type = object) -> None:
    """A hostile value in each place that a value can be in."""
    kind = type("Hostile", (base,), members_of(dunder, act))
    value = kind()
    logging.getLogger("shop").warning("crumb %s", object())

    def act_on(argument: Any, *rest: Any, **named: Any) -> NoReturn:
        local, inside, deep = argument, [argument], {"key": (argument, [argument])}
        exc = LookupError("failed", local, inside, deep)
        exc.attribute = argument
        exc.__notes__ = [argument, "a note"]
        raise exc

    act_on(value, value, named=value)


def with_exception(dunder: str, act: Callable[..., Any]) -> None:
    """The exception itself is hostile."""
    raise type("HostileError", (Exception,), members_of(dunder, act))("an argument")


# ---- sizes ---------------------------------------------------------------------------------------------


def locals_of_100_megabytes() -> None:
    text, data, many = "x" * 50_000_000, b"y" * 50_000_000, list(range(1_000_000))
    raise LookupError(len(text) + len(data) + len(many))


def a_message_of_50_megabytes() -> None:
    raise LookupError("x" * 50_000_000)


def lone_surrogates_and_nul() -> None:
    bad = "a\ud800b\0c\udfff"
    mapping = {bad: bad, "\0": [bad]}
    raise LookupError(bad, mapping)


def a_dict_5000_deep() -> None:
    deep: dict[str, Any] = {}
    for _ in range(5_000):
        deep = {"deeper": deep}
    raise LookupError("deep", deep)


def a_list_that_holds_itself() -> None:
    itself: list[Any] = []
    itself.append(itself)
    mapping: dict[str, Any] = {}
    mapping["itself"] = mapping
    raise LookupError(itself, mapping)


def a_circle_of_causes() -> None:
    first, second, third = LookupError("first"), KeyError("second"), ValueError("third")
    first.__cause__, second.__cause__, third.__cause__ = second, third, first
    raise first


def a_circle_of_contexts() -> None:
    first, second = LookupError("first"), KeyError("second")
    first.__context__, second.__context__ = second, first
    raise first


def a_group_50_deep() -> None:
    group: Exception = LookupError("innermost")
    for level in range(50):
        group = ExceptionGroup(f"level {level}", [group, ValueError(level)])
    raise group


def a_group_of_a_thousand() -> None:
    raise ExceptionGroup("many", [ValueError(n) for n in range(1_000)])


# ---- of the interpreter ----------------------------------------------------------------------------------


def recursion() -> None:
    recursion()


def recursion_under_a_low_limit() -> None:
    """The Guard works with what depth is left where it answers."""
    before = sys.getrecursionlimit()
    depth, frame = 0, sys._getframe()
    while frame is not None:
        depth, frame = depth + 1, frame.f_back
    try:
        sys.setrecursionlimit(depth + 40)
        recursion()
    finally:
        sys.setrecursionlimit(before)


def mutual_recursion() -> None:
    def even(n: int) -> int:
        return odd(n + 1)

    def odd(n: int) -> int:
        return even(n + 1)

    even(0)


def memory() -> None:
    raise MemoryError


def memory_for_real() -> None:
    bytearray(1 << 62)


def syntax_without_a_file() -> None:
    compile("a b", "<string>", "exec")


def syntax_of_the_applications_own() -> None:
    raise SyntaxError("odd", ("no such file.py", 10**9, -5, None))


def code_without_source() -> None:
    exec("def inner(x):\n    return x / 0\ninner(1)", {"__name__": "made"})


def code_with_a_hostile_file_name() -> None:
    code = compile("1/0", "/etc/\0passwd\r\n\ud800" * 50, "exec") if sys.version_info < (3, 11) else None
    code = code or compile("1/0", "/etc/passwd\r\n<forged>" * 50, "exec")
    exec(code, {"__name__": None, "__file__": 5, "__loader__": 7})


def a_generator() -> None:
    def numbers() -> Iterator[float]:
        yield 1 / 0

    list(numbers())


def a_generator_that_is_thrown_into() -> None:
    def numbers() -> Iterator[int]:
        yield 1

    generator = numbers()
    next(generator)
    generator.throw(LookupError("thrown"))


def an_async_generator() -> None:
    async def numbers():
        yield 1
        raise LookupError("asynchronous")

    async def use() -> None:
        async for _ in numbers():
            pass

    _in_a_loop(use)


def a_coroutine() -> None:
    async def inner() -> None:
        await asyncio.sleep(0)
        raise LookupError("awaited")

    async def outer() -> None:
        await asyncio.gather(inner(), asyncio.sleep(0))

    _in_a_loop(outer)


def a_task_group() -> None:
    async def inner(number: int) -> None:
        raise LookupError(number)

    async def outer() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(3):
                group.create_task(inner(number))

    _in_a_loop(outer)


def _in_a_loop(work: Callable[[], Any]) -> None:
    """In a thread of its own, as the application may be in a loop already."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(work())
        except BaseException as exc:
            failed.append(exc)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    raise failed[0]


def comprehensions() -> None:
    [{key: value / 0 for key, value in {"a": 1}.items()} for _ in range(3)]


def frames_of_c_extensions() -> None:
    def key(value: str) -> int:
        return json.loads("{", object_hook=lambda found: 1 / 0) and len(value)

    sorted(["b", "a"], key=functools.partial(key))


def a_callback_of_c() -> None:
    re.sub("a", lambda match: str(1 / 0), "banana")


def huge_f_locals() -> None:
    names = "\n".join(f"    name{n} = {n}" for n in range(2_000))
    space: dict[str, Any] = {}
    exec(f"def wide():\n{names}\n    raise LookupError('wide')", space)
    space["wide"]()


def a_thousand_frames() -> None:
    def down(depth: int) -> None:
        if not depth:
            raise LookupError("deep down")
        down(depth - 1)

    down(700)


# ---- mappings, descriptors, proxies, look-alikes ---------------------------------------------------------


class _Mapping(Mapping[str, int]):
    __getitem__ = _raises
    __iter__ = _raises
    __len__ = _exits


def a_hostile_mapping() -> None:
    mapping = _Mapping()
    raise LookupError("mapping", mapping)


def a_namespace_that_is_a_hostile_mapping() -> None:
    class Namespace(dict[str, Any]):
        __iter__ = keys = items = values = __len__ = _raises

    exec("x = 1\n1/0", {}, Namespace())


class _Descriptor:
    def __get__(self, instance: object, owner: object) -> Any:
        _raises(self)

    def __set__(self, instance: object, value: object) -> None:
        _raises(self)


def a_descriptor_that_raises() -> None:
    class Holder:
        field = _Descriptor()
        __dict__ = _Descriptor()

    holder = Holder()
    raise LookupError(holder)


def slots_under_a_property() -> None:
    class Base:
        __slots__ = ("name",)

    class Child(Base):
        __slots__ = ()
        name = property(_raises)

    child = Child()
    Base.name.__set__(child, "stored")
    raise LookupError(child)


def a_metaclass_that_answers_for_instances() -> None:
    class Meta(type):
        __instancecheck__ = __subclasscheck__ = __call__ = __eq__ = __repr__ = _raises
        __hash__ = type.__hash__
        __name__ = property(_raises)
        __module__ = property(_raises)
        __mro__ = property(_raises)

    kind = Meta("Kind", (), {})
    value = object.__new__(kind)
    raise LookupError(kind, value)


def args_that_is_a_property() -> None:
    raise type("Odd", (Exception,), {"args": property(_raises)})("stored")


def a_cause_that_is_a_property() -> None:
    members = {name: property(_raises) for name in ("__cause__", "__context__", "__notes__", "__suppress_context__")}
    raise type("Odd", (Exception,), members)("stored")


def a_traceback_that_is_a_property() -> None:
    raise type("Odd", (Exception,), {"__traceback__": property(lambda self: None)})("stored")


def weak_references() -> None:
    class Target:
        pass

    target = Target()
    proxy, reference = weakref.proxy(target), weakref.ref(target)
    dead_target = Target()
    dead = weakref.proxy(dead_target)
    del dead_target
    raise LookupError(proxy, reference, dead)


class _Array:
    """As numpy's and pandas' are: comparisons give arrays, and these have no truth."""

    shape, dtype, size = (3, 3), "float64", 9

    def __eq__(self, other: object) -> Any:
        return _Array()

    __hash__ = None
    __bool__ = __len__ = __iter__ = __getitem__ = __array__ = __repr__ = __str__ = _raises
    __getattr__ = _raises


def look_alikes_of_arrays() -> None:
    frame, column = _Array(), {"column": _Array()}
    raise LookupError(frame, column)


def mocks() -> None:
    magic, plain = mock.MagicMock(), mock.Mock(spec=dict)
    magic.__str__.side_effect = RuntimeError
    magic.__class__ = dict
    raise LookupError(magic, plain, mock.call(magic), mock.sentinel.thing)


def an_enum_with_a_hostile_repr() -> None:
    class Colour(enum.Enum):
        RED = "red"
        __repr__ = __str__ = __hash__ = _raises
        name = value = property(_raises)

    colour = next(iter(Colour.__dict__["_member_map_"].values()))
    raise LookupError(colour)


def children_of_built_ins_that_override_everything() -> None:
    names = [n for n in dir(dict) + dir(str) + dir(list) if n.startswith("__") and n not in _needed]
    everything = dict.fromkeys(names, _raises) | dict.fromkeys(("get", "items", "keys", "values"), _raises)
    kinds = [type(base.__name__, (base,), everything) for base in (str, bytes, int, float, list, tuple, dict, set)]
    values = [
        base.__new__(kind) for kind, base in zip(kinds, (str, bytes, int, float, list, tuple, dict, set), strict=True)
    ]
    raise LookupError(*values)


_needed = ("__new__", "__init__", "__class__", "__init_subclass__", "__subclasshook__", "__doc__", "__class_getitem__")


def a_group_that_derives_hostile_ones() -> None:
    class Group(ExceptionGroup):
        derive = split = subgroup = _raises
        exceptions = message = property(_raises)

    raise Group("group", [LookupError("inner"), ValueError("other")])


_variable: contextvars.ContextVar[Any] = contextvars.ContextVar("variable")


def context_variables_with_hostile_values() -> None:
    token = _variable.set(_Mapping())
    try:
        raise LookupError("context")
    finally:
        _variable.reset(token)


def log_records_with_hostile_arguments() -> None:
    kind = type("Hostile", (), {"__str__": _raises, "__repr__": _exits, "__format__": _raises})
    quiet = logging.getLogger("shop.quiet")
    quiet.propagate, quiet.handlers = False, [logging.NullHandler()]
    quiet.error("crumb %s %s %d", kind(), {"a": kind()}, "no number")
    quiet.error(kind(), kind())
    raise LookupError("logged")


def partials_modules_and_functions() -> None:
    bound, module = functools.partial(_raises, None, secret="planted"), types.ModuleType("made")
    module.__getattr__ = _raises
    raise LookupError(bound, module, _raises, len, property(_raises), lambda: None, locals)


def dataclasses_with_hostile_fields() -> None:
    @dataclasses.dataclass
    class Row:
        number: int
        other: Any = dataclasses.field(default_factory=_Mapping)
        __repr__ = __eq__ = _raises

        @property
        def lazy(self) -> int:
            _raises(self)
            return 0

    row = Row(1)
    raise LookupError(row)


def an_exception_that_cannot_be_written_to() -> None:
    raise type("Frozen", (Exception,), {"__setattr__": _raises, "__delattr__": _raises})("frozen")


def an_exception_whose_class_has_odd_names() -> None:
    kind = type("a\r\nb\0c" if sys.version_info < (3, 0) else "a\r\nb<script>" * 100, (Exception,), {"__module__": 5})
    kind.__qualname__ = "x\n" * 1_000
    raise kind("odd")


def a_file_that_is_closed_and_a_lock_that_is_held() -> None:
    with open(os.devnull) as closed:
        pass
    lock = threading.Lock()
    lock.acquire()
    raise LookupError(closed, lock, threading.current_thread(), sys.stdin)


def a_stop_iteration() -> None:
    raise StopIteration(_Mapping())


_interned = LookupError("shared")


def an_instance_that_is_shared() -> None:
    raise _interned


cases: dict[str, Callable[[], None]] = {
    name: found
    for name, found in list(globals().items())
    if isinstance(found, types.FunctionType)
    and found.__module__ == __name__
    and not name.startswith("_")
    and name not in ("members_of", "with_value", "with_exception")
}
