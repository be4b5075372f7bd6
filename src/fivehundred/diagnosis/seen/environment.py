"""What the failing code reads from the environment of the process, in any language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from fivehundred.diagnosis.frames import application, before, where
from fivehundred.diagnosis.model import Fact

if TYPE_CHECKING:
    from fivehundred.diagnosis.case import Case

Facts = Iterator[Fact]

# How Ruby, Node, Java, Go, PHP, Rust and .NET read it, beside Python. The first group reads nothing when it is absent.
_perhaps: Final = (
    r"(?:\benviron\.get|\bgetenv|\bGetenv|\bENV(?=\[)|\$_ENV|\bGetEnvironmentVariable|\bprocess\.env(?=\[))\s*[\[(]"
    r"|\bprocess\.env\."
)
_surely: Final = r"(?:\benviron|\bLookupEnv|\benv::var|\bENV\.fetch)\s*[\[(]"
_reads_environment: Final = rf"os\.environ|{_perhaps}|{_surely}"
_name_read: Final = rf"""(?:{_perhaps}|{_surely})\s*["']?([A-Za-z_]\w{{0,100}})"""
_absent: Final = re.compile(r"NoneType|of undefined|of null|for nil\b|is null\b|on null\b")


def environment_read(case: Case) -> Facts:
    """The innermost frame is the environment's own look-up."""
    for one in case.raised:
        inner = one.frames[-1] if one.frames else None
        if (
            inner is not None
            and one.type == "KeyError"
            and inner.function in ("__getitem__", "_Environ.__getitem__")
            and _is_os(inner)
        ):
            yield Fact(
                "frame",
                "os.environ",
                "__getitem__",
                "decisive",
                f"exception[{one.number}].frames",
                "it was raised by os.environ itself",
                None,
                True,
            )
            return


def _is_os(frame: object) -> bool:
    module, path = getattr(frame, "module", ""), getattr(frame, "abs_path", "") or getattr(frame, "filename", "")
    return module == "os" or path in ("<frozen os>", "os.py") or path.endswith("/os.py")


def variable_missing(case: Case) -> Facts:
    """A look-up in the environment raised KeyError, or read None that was then used."""
    missing = case.ours.get("env_missing")
    names = [n for n in missing if isinstance(n, str)] if isinstance(missing, list) else []
    for one in case.raised:
        if one.type != "KeyError":
            continue
        quoted = re.search(r'key not found: "(\w+)"', one.text)  # Ruby
        name = quoted[1] if quoted else one.text.strip("'\" ")
        frame = next(application(one.frames), None)
        reads = frame is not None and re.search(_reads_environment, frame.context_line)
        certain = frame is not None and re.search(r"\[|ENV\.fetch\(", frame.context_line)
        if any(True for _ in environment_read(case)) or (reads and certain):
            yield Fact(
                "env",
                name,
                "missing",
                "decisive",
                f"exception[{one.number}]",
                f"{'os.environ' if frame is None else where(frame)} looks {name} up and raises KeyError",
            )
            return
    frame = case.app_frame
    for one in case.raised[:1]:
        # a variable that is absent reads as None and fails where it is used
        if frame is not None and _absent.search(one.text) and re.search(_perhaps, before(frame)):
            found = re.findall(_name_read, before(frame))
            name = next((n for n in found if n), names[0] if names else "")
            assigned = _assigned_from_environment(frame.pre_context)
            if name and (
                re.search(_reads_environment, frame.context_line) or any(v in frame.context_line for v in assigned)
            ):
                yield Fact("env", name, "missing", "decisive", "frames", f"{where(frame)} reads {name} as None")
                return


def variable_confirmed(case: Case) -> Facts:
    """The Guard noted that the variable was read and not there."""
    missing = case.ours.get("env_missing")
    for name in missing[:20] if isinstance(missing, list) else []:
        if isinstance(name, str) and name in case.text:
            yield Fact(
                "env",
                name,
                "missing",
                "strong",
                "contexts.fivehundred.env_missing",
                f"the process has read {name} and did not find it",
            )
            return
    frame = case.app_frame
    if frame is not None and re.search(_reads_environment, frame.context_line):
        yield Fact("frame", frame.function, "os.environ", "strong", "frames", f"{where(frame)} reads the environment")
    elif any(True for _ in environment_read(case)) and re.fullmatch(
        r"'?[A-Z][A-Z0-9_]+'?", case.raised[-1].text.strip()
    ):
        yield Fact("env", case.raised[-1].text, "name", "strong", "exception", "the name is written as a variable's")


def _assigned_from_environment(lines: list[str]) -> list[str]:
    """Names that the lines set from the environment: ``port = os.environ["PORT"]``."""
    found = []
    for line in lines[-8:]:
        match = re.match(rf"\s*(?:\w+\s+)?(\$?\w+)\s*(?::[^=]+)?:?=\s*.*(?:{_reads_environment})", line)
        if match:
            found.append(match[1])
    return found


def variable_malformed(case: Case) -> Facts:
    """A conversion failed on the line that reads the environment, or on a name set from it just above."""
    frame = case.app_frame
    if frame is None or not any(
        one.named("ValueError", "InvalidOperation", "JSONDecodeError", "TypeError", "error") for one in case.raised
    ):
        return
    if any("NoneType" in one.text for one in case.raised):
        return
    name = ""
    if re.search(_reads_environment, frame.context_line):
        name = next((n for n in re.findall(_name_read, frame.context_line) if n), "the environment")
    else:
        for variable in _assigned_from_environment(frame.pre_context):
            if re.search(rf"\b{re.escape(variable)}\b", frame.context_line):
                lines = "\n".join(frame.pre_context)
                name = next((n for n in re.findall(_name_read, lines) if n), variable)
    if name:
        text = f"{where(frame)} converts the environment variable {name}"
        yield Fact("env", name, "malformed", "decisive", "frames", text)
