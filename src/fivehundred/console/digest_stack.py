"""Stacks that come as text, as their language prints them, into exceptions with frames: Python, JavaScript, Java.

The text decides which language it is: their lines cannot be mistaken for each other. What cannot be read gives no
frames, and the text is kept beside the event in any case. Every step is linear in the text: hostile lines are cut, not
searched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from fivehundred import limits
from fivehundred.event import Json

Language: TypeAlias = Literal["python", "javascript", "java", ""]
Frame: TypeAlias = "dict[str, Json]"


@dataclass(slots=True)
class Raised:
    """One exception of the text. ``frames`` run from the caller to the raising frame."""

    type: str = ""
    value: str = ""
    source: str = ""  # how the next one came of it: "__cause__" or "__context__"
    frames: list[Frame] = field(default_factory=list)


def exceptions(text: str) -> tuple[Language, list[Raised]]:
    """The chain, oldest first; empty when the text is of no language known here."""
    lines = [line[: limits.stack_text_line_chars_max] for line in text.splitlines()]
    if len(lines) > limits.stack_text_lines_max:
        half = limits.stack_text_lines_max // 2
        lines = lines[:half] + lines[-half:]
    language = _language(lines)
    if language == "python":
        return language, _python(lines)
    if language == "java":
        return language, _java(lines)
    if language == "javascript":
        return language, _javascript(lines)
    return "", []


def module_and_type(name: str) -> tuple[str, str]:
    """``shop.errors.NoStock`` is NoStock of shop.errors; ``TypeError`` is of no module."""
    module, _, short = name.strip().rpartition(".")
    return module, short or name.strip()


def _language(lines: list[str]) -> Language:
    for line in lines:
        bare = line.strip("| ")
        if _PYTHON_FRAME.match(bare) or bare.startswith("Traceback (most recent call last)"):
            return "python"
        if _java_frame(line) is not None:
            return "java"
        if _javascript_frame(line) is not None:
            return "javascript"
    return ""


# ---- Python --------------------------------------------------------------------------------------

_PYTHON_FRAME: Final = re.compile(r'File "([^"]+)", line (\d{1,9})(?:, in (.+))?$')
_TYPE_LINE: Final = re.compile(r"([^\W\d][\w.<>]*)(?:: ?(.*))?$", re.DOTALL)
_MEMBER: Final = re.compile(r"\s*\+-[+-]")  # where the members of an exception group begin
_BETWEEN: Final = {
    "The above exception was the direct cause of the following exception:": "__cause__",
    "During handling of the above exception, another exception occurred:": "__context__",
}


def _python(lines: list[str]) -> list[Raised]:
    """Printed oldest first, with a sentence between two of a chain. Of a group only the group itself is read."""
    found: list[Raised] = []
    section: list[str] = []
    in_members = False
    for raw in lines:
        line = _ungrouped(raw)
        source = _BETWEEN.get(line.strip())
        if source:
            found.append(_python_one(section, source))
            section, in_members = [], False
        elif _MEMBER.match(raw):
            in_members = True
        elif not in_members:
            section.append(line)
    found.append(_python_one(section, ""))
    return [one for one in found if one.type or one.frames]


def _ungrouped(line: str) -> str:
    """Without the border that groups are printed with."""
    bare = line.lstrip(" ")
    return bare[2:] if bare.startswith(("| ", "+ ")) else "" if bare == "|" else line


def _python_one(lines: list[str], source: str) -> Raised:
    found = Raised(source=source)
    message: list[str] = []
    for line in lines:
        bare = line.strip()
        frame = _PYTHON_FRAME.match(bare) if not message else None
        if frame:
            path, number, function = frame.groups()
            found.frames.append({"filename": path, "abs_path": path, "function": function or "", "lineno": int(number)})
        elif message or (line[:1].strip() and not bare.startswith(("Traceback (", "Exception Group Traceback ("))):
            message.append(line)
        elif found.frames and bare and bare.strip("^~ ") != "" and not bare.startswith("[Previous line repeated"):
            found.frames[-1].setdefault("context_line", line.removeprefix("    "))
    match = _TYPE_LINE.match("\n".join(message))
    if match:
        found.type, found.value = match[1], (match[2] or "").rstrip()
    return found


# ---- Java ----------------------------------------------------------------------------------------

_JAVA_FILE: Final = re.compile(r"[\w$-]+\.(?:java|kt|kts|scala|groovy|clj)(?::(\d{1,9}))?$")
_JAVA_NAMED: Final = ("Native Method", "Unknown Source")
_JAVA_MORE: Final = re.compile(r"\s+\.\.\. (\d{1,6}) (?:more|common frames omitted)$")
_JAVA_OWN: Final = ("java.", "javax.", "jdk.", "sun.", "com.sun.", "jakarta.", "kotlin.", "kotlinx.", "scala.")


def _java(lines: list[str]) -> list[Raised]:
    """Printed the raised one first, innermost frame first, and frames shared with the one above as "... n more"."""
    found = [Raised()]
    for line in lines:
        frame = _java_frame(line)
        more = _JAVA_MORE.match(line)
        if frame is not None:
            found[-1].frames.append(frame)
        elif more and len(found) > 1:
            room = max(0, limits.frames_max - len(found[-1].frames))  # lines of this kind could double it each time
            shared = min(int(more[1]), len(found[-2].frames), room)
            found[-1].frames += found[-2].frames[len(found[-2].frames) - shared :]
        elif line.startswith("Caused by: "):
            found.append(_titled(line.removeprefix("Caused by: ")))
        elif not found[-1].frames and line[:1].strip():
            _add_title(found[-1], line)
        if len(found) > limits.exceptions_max:
            break
    for one in found:
        one.frames.reverse()
    found.reverse()
    for one in found[:-1]:
        one.source = "__cause__"
    return found


def _java_frame(line: str) -> Frame | None:
    """``at module//package.Class.method(File.java:7)``, indented once: suppressed exceptions are indented twice."""
    if not line.startswith(("\tat ", "    at ", "  at ", "at ")) or not line.endswith(")"):
        return None
    called, _, place = line.strip()[3:-1].partition("(")
    file = _JAVA_FILE.match(place)
    module, _, function = called.rpartition("/")[2].rpartition(".")
    if (file is None and place not in _JAVA_NAMED) or not module:
        return None
    frame: Frame = {"module": module, "function": function, "in_app": not module.startswith(_JAVA_OWN)}
    if file:
        frame["filename"] = place.partition(":")[0]
        if file[1]:
            frame["lineno"] = int(file[1])
    return frame


# ---- JavaScript ----------------------------------------------------------------------------------


def _javascript(lines: list[str]) -> list[Raised]:
    """Printed innermost frame first. Causes follow where a logger prints them."""
    found = [Raised()]
    for line in lines:
        frame = _javascript_frame(line)
        bare = line.strip()
        cause = bare.removeprefix("[cause]: ").removeprefix("Caused by: ")
        if frame is not None:
            found[-1].frames.append(frame)
        elif cause != bare and len(found) < limits.exceptions_max:
            found.append(_titled(cause))
        elif not found[-1].frames and bare:
            _add_title(found[-1], line)
    for one in found:
        one.frames.reverse()
    found.reverse()
    for one in found[:-1]:
        one.source = "__cause__"
    return found


def _javascript_frame(line: str) -> Frame | None:
    """``at f (/x.js:7:3)``, ``at async /x.js:7:3``; and ``f@http://host/x.js:7:3`` of Firefox and Safari."""
    bare = line.strip()
    if bare.startswith("at "):
        called = bare[3:]
        function, bracket, place = called[:-1].partition(" (") if called.endswith(")") else ("", "", "")
        if not bracket:
            function, place = "", called.removeprefix("async ")
    else:
        function, at, place = bare.partition("@")
        if not at or " " in function:
            return None
    path, numbers = _position(place)
    if not numbers and place not in ("<anonymous>", "native"):
        return None
    frame: Frame = {"function": function.removeprefix("async ").partition(" [as ")[0], "filename": path}
    frame |= {"abs_path": path, "in_app": _is_own_javascript(path)}
    if numbers:
        frame |= {"lineno": numbers[0], "colno": numbers[1]}
    return frame


def _position(place: str) -> tuple[str, list[int]]:
    """``file:///app/x.js:7:3`` is line 7, column 3 of /app/x.js."""
    path, _, column = place.rpartition(":")
    path, _, line = path.rpartition(":")
    if not path or not all(n.isascii() and n.isdecimal() and len(n) < 10 for n in (line, column)):
        return place, []
    return path.removeprefix("file://"), [int(line), int(column)]


def _is_own_javascript(path: str) -> bool:
    return "/node_modules/" not in path and not path.startswith(("node:", "internal/", "<", "native"))


# ---- titles --------------------------------------------------------------------------------------


def _titled(line: str) -> Raised:
    match = _TYPE_LINE.match(line.removeprefix("Uncaught ").removesuffix(" {"))
    return Raised(match[1], match[2] or "") if match else Raised("", line)


def _add_title(one: Raised, line: str) -> None:
    """The first line names the type; those before the first frame belong to the message."""
    if not one.type and not one.value:
        title = _titled(line)
        one.type, one.value = title.type, title.value
    else:
        one.value += f"\n{line}"


def raising_frame(chain: list[Raised]) -> str:
    """Where the last exception was raised, as text: part of what tells two failures apart."""
    frames: Iterator[Frame] = (one.frames[-1] for one in reversed(chain) if one.frames)
    last = next(frames, {})
    return " ".join(str(last.get(name, "")) for name in ("filename", "module", "function", "lineno"))
