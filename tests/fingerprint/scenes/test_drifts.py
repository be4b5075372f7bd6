"""One fault seen through other SDKs, other interpreters, other ways to wrap, generate and schedule the same code."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from fivehundred.event import Event, ExceptionItem

shop = """
class Orders:
    def __init__(self, lines):
        self.lines = lines

    def total(self):
        return sum(line["price"] for line in self.lines)

    def mean(self):
        return self.total() / len(self.lines)


def receipt(lines):
    return Orders(lines).mean()
"""


def changed(event: Event, **frame: Any) -> Event:
    """The event as another SDK spells its frames; a value may be a function of the old one."""

    def spelled(x: ExceptionItem) -> ExceptionItem:
        frames = [
            dataclasses.replace(
                f, **{name: value(getattr(f, name)) if callable(value) else value for name, value in frame.items()}
            )
            for f in x.frames
        ]
        return dataclasses.replace(x, frames=frames)

    return dataclasses.replace(event, exceptions=[spelled(x) for x in event.exceptions])


@pytest.mark.parametrize(
    "spelling",
    [
        {"in_app": None},
        {"in_app": False},
        {"module": ""},
        {"context_line": ""},
        {"abs_path": lambda path: "C:\\srv" + path.replace("/", "\\")},
        {"abs_path": lambda path: path.replace("/1/srv/", "/releases/20261124/")},
        {"lineno": None},
        {"filename": lambda name: f"/app/shop/{name}"},
    ],
    ids=["unmarked", "none in app", "no module", "no source", "windows", "another root", "no line", "long file name"],
)
def test_a_sender_that_spells_frames_otherwise_sends_the_same_fault(world: Any, spelling: dict[str, Any]) -> None:
    module = world.app("shop.orders", shop)
    event = world.event(module.receipt, [])
    assert len({world.file(event), world.file(changed(event, **spelling))}) == 1


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (("", "timeout", "socket"), ("", "TimeoutError", None)),
        (("", "TimeoutError", "asyncio.exceptions"), ("", "TimeoutError", None)),
        (("", "IOError", None), ("", "OSError", None)),
        (("bad", "JSONDecodeError", "json.decoder"), ("bad", "JSONDecodeError", "requests.exceptions")),
    ],
    ids=["socket.timeout", "asyncio", "IOError", "JSON"],
)
def test_a_class_that_newer_versions_call_otherwise_is_the_same(world: Any, older: Any, newer: Any) -> None:
    frames = [{"module": "shop.orders", "function": "load", "filename": "shop/orders.py", "in_app": True,
               "context_line": "return fetch(sku)"}]  # fmt: skip
    faults = {
        world.sent([{"value": value, "type": kind, "module": module, "stacktrace": {"frames": frames}}])
        for value, kind, module in (older, newer)
    }
    assert len(faults) == 1


def test_a_decorator_that_comes_later_makes_no_other_fault(world: Any) -> None:
    plain = "def total(n):\n    return 7 / n\n\ndef view(n):\n    return total(n)\n"
    wrapped = (
        "import functools\n\ndef timed(f):\n    @functools.wraps(f)\n    def wrapper(*args, **kwargs):\n"
        "        return f(*args, **kwargs)\n    return wrapper\n\n@timed\n" + plain
    )
    first = world.fault(world.app("shop.a", plain).view, 0)
    assert world.fault(world.app("shop.a", wrapped, version="2").view, 0, release="2") == first


def test_the_same_code_awaited_gathered_or_in_a_thread_is_one_fault(world: Any) -> None:
    module = world.app("shop.tasks", "async def price(n):\n    return 7 / n\n\ndef plain(n):\n    return 7 / n\n")

    async def gathered(n: int) -> None:
        await asyncio.gather(module.price(n))

    async def grouped(n: int) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(module.price(n))

    faults = [world.event(lambda way=way: asyncio.run(way(0))) for way in (module.price, gathered)]
    try:
        asyncio.run(grouped(0))
    except BaseExceptionGroup as group:
        leaf = group.exceptions[0]
        faults.append(world.event(lambda: (_ for _ in ()).throw(leaf)))
    assert len({world.file(event) for event in faults}) == 1


def test_the_constructor_that_a_dataclass_generates_belongs_to_who_calls_it(world: Any) -> None:
    source = """
    from dataclasses import dataclass

    @dataclass
    class Line:
        price: float
        def __post_init__(self):
            self.price = float(self.price)

    def parse(raw):
        return Line(raw)

    def copy(raw):
        return Line(raw)
    """
    module = world.app("shop.lines", source)
    with_source, without = world.event(module.parse, "x"), world.event(module.parse, "x", source=False)
    assert len({world.file(with_source), world.file(without)}) == 1


def test_templates_at_other_places_are_one_fault_and_two_templates_are_two(world: Any, tmp_path: Any) -> None:
    jinja2 = pytest.importorskip("jinja2")
    found = []
    for root in ("a", "b"):
        (tmp_path / root).mkdir()
        (tmp_path / root / "mail.html").write_text("<p>\n{{ order.total / 0 }}</p>")
        (tmp_path / root / "bill.html").write_text("<p>\n{{ order.total / 0 }}</p>")
        env = jinja2.Environment(loader=jinja2.FileSystemLoader(tmp_path / root), autoescape=True)
        for name in ("mail.html", "bill.html"):
            found.append(world.fault(lambda e=env, n=name: e.get_template(n).render(order={"total": 7})))
    assert found[0] == found[2] != found[1] == found[3]


def test_code_made_by_exec_belongs_to_the_function_that_runs_it(world: Any) -> None:
    source = "def run(text):\n    exec(compile(text, '<rule>', 'exec'), {})\n\ndef other(text):\n    exec(text, {})\n"
    module = world.app("shop.rules", source)
    assert world.fault(module.run, "x = 1 / 0") == world.fault(module.run, "x = 1 / 0")
    assert world.fault(module.run, "x = 1 / 0") != world.fault(module.other, "x = 1 / 0")


def test_a_bundle_with_a_hash_in_its_name_is_the_same_application(world: Any) -> None:
    def from_browser(bundle: str) -> Any:
        frames = [{"function": "total", "filename": f"https://shop.example/static/{bundle}", "lineno": 1, "colno": 910}]
        value = {"type": "TypeError", "value": "Cannot read properties of undefined (reading 'price')",
                 "stacktrace": {"frames": frames}}  # fmt: skip
        return world.sent([value], platform="javascript")

    assert from_browser("app.3f9c2a11.js") == from_browser("app.77aa01bc.js")
