"""Imports point one way. The table is the one of docs/architecture.md; a new module needs a row before it passes."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

source = Path(__file__).parents[1] / "src"
package = source / "fivehundred"

leaves = {"event", "envelope", "problem", "scrub", "limits", "record"}
pure = leaves | {"fingerprint", "diagnosis"}

# unit -> the units of fivehundred it may import (itself is always allowed)
may_import: dict[str, set[str]] = {
    **dict.fromkeys(leaves, leaves),
    "fingerprint": leaves,
    "diagnosis": leaves,
    "guard": pure,
    "client": pure,
    "logs": pure,
    "hunt": pure | {"client"},
    "console.limits": leaves,
    "console.inflate": leaves,
    "console.config": leaves,
    "console.otlp": leaves,
    "console.vault": leaves,
    "console.access": pure | {"console.store", "console.vault", "console.config"},
    "console.store": pure,
    "console.spool": leaves,
    "console.channels": leaves,
    "console.scale": leaves | {"console.config"},
    "console.logs": set(),
    "console.site": {"console.store", "console.spool", "console.vault"},
    "console.ingest": leaves | {"console.spool", "console.inflate", "console.otlp"},
    "console.digest": pure
    | {
        "console.store",
        "console.spool",
        "console.channels",
        "console.inflate",
        "console.otlp",
        "console.config",
        "console.alerts",
        "console.incidents",
    },
    "console.incidents": {"console.store"},
    "console.commits": pure | {"console.store"},
    "console.alerts": pure | {"console.store", "console.spool", "console.channels", "console.vault"},
    "console.web": pure
    | {
        "console.store",
        "console.commits",
        "console.site",
        "console.spool",
        "console.channels",
        "console.alerts",
        "console.access",
        "console.vault",
    },
    # the pages' search language and their edge serve the API as well
    "console.api": pure
    | {
        "console.store",
        "console.commits",
        "console.site",
        "console.spool",
        "console.web",
        "console.access",
        "console.alerts",
        "console.channels",
        "console.vault",
    },
    "console": pure | {"console.*"},
    "demo": {"client", "*"},
    "cli": {"*"},
    "": {"guard"},  # the package itself: lazily, for its public names
}
made_of = {
    "fastapi": {"starlette"},
    "flask": {"werkzeug"},
    "quart": {"werkzeug"},
    "django": {"asgiref"},
    "sanic": {"websockets"},
}
standard_library_only = leaves | {"fingerprint", "diagnosis"}


def modules() -> list[Path]:
    return sorted(package.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(package).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def unit_of(module: str) -> str:
    """The row of the table that a module belongs to; ``digest_items`` belongs to ``digest``."""
    if module in ("", "__main__", "cli"):
        return "cli" if module else ""
    head, *rest = module.split(".")
    if head != "console" or not rest:
        return head.partition("_")[0] if head.partition("_")[0] in may_import else head
    row = f"console.{rest[0].partition('_')[0]}"
    return row if row in may_import else "console"


def imports(path: Path) -> Iterator[tuple[str, int, bool]]:
    """(imported module, line, only for types)."""
    tree = ast.parse(path.read_text("utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno, id(node) in typing_only
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            base = node.module or ""
            for alias in node.names:
                deeper = f"{base}.{alias.name}"
                is_module = base.startswith("fivehundred") and (
                    (source / Path(*deeper.split("."))).with_suffix(".py").exists()
                    or (source / Path(*deeper.split("."))).is_dir()
                )
                yield deeper if is_module else base, node.lineno, id(node) in typing_only


def allowed(unit: str, target: str) -> bool:
    rows = may_import[unit]
    if unit == target or "*" in rows or target in rows or target == "":
        return True
    return "console.*" in rows and target.startswith("console")


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_a_module_imports_only_what_its_layer_may(path: Path) -> None:
    unit = unit_of(name_of(path))
    assert unit in may_import, f"{name_of(path)} belongs to no layer: add a row to tests/test_layers.py and the docs"
    for imported, line, _ in imports(path):
        if imported.split(".")[0] == "fivehundred":
            target = unit_of(imported.removeprefix("fivehundred").removeprefix("."))
            assert allowed(unit, target), f"{path}:{line}: {unit or 'fivehundred'} may not import {imported}"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_guard_client_and_the_pure_middle_need_only_the_standard_library(path: Path) -> None:
    unit, framework = unit_of(name_of(path)), path.stem
    if unit not in standard_library_only | {"guard", "client", "logs"}:
        return
    for imported, line, only_types in imports(path):
        top = imported.split(".")[0]
        # a framework may be named in the file that is named after it, and there alone, with what it is made of
        own = {framework} | made_of.get(framework, set())
        if unit in ("guard", "client") and (top in own or only_types):
            continue
        assert top in sys.stdlib_module_names or top == "fivehundred", f"{path}:{line}: {unit} may not import {top}"


def test_no_module_is_part_of_an_import_cycle() -> None:
    graph = {
        name_of(path): {
            x.removeprefix("fivehundred").removeprefix(".")
            for x, _, only_types in imports(path)
            if x.split(".")[0] == "fivehundred" and not only_types
        }
        for path in modules()
        if name_of(path) != ""
    }
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join([*trail, module])
        if module in done or module not in graph:
            return
        for target in graph[module] - {module, ""}:
            visit(target, (*trail, module))
        done.add(module)

    for module in graph:
        visit(module, ())
