"""The request's values against what the exception says: where it came from, without any suspicion."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from fivehundred.diagnosis import statements
from fivehundred.diagnosis.frames import application, before
from fivehundred.diagnosis.model import Fact
from fivehundred.diagnosis.taint import Input

if TYPE_CHECKING:
    from fivehundred.diagnosis.case import Case

Facts = Iterator[Fact]


def _spoken_of(case: Case) -> Iterator[Input]:
    """Inputs that the messages repeat: short ones only where they stand in quotes."""
    text = case.text
    for one in case.inputs:
        value = one.value.strip()
        if one.where == "header" or not value or len(value) > 500 or value not in text:
            continue
        quoted = re.search(rf"(?<!\w)(['\"]){re.escape(value)}\1(?!\w)", text)
        # unquoted, a short or a path's word may stand there by chance
        if quoted or (len(value) >= 4 and one.where != "path" and _as_a_word(value, text)):
            yield one


def _as_a_word(value: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text) is not None


def value_in_request(case: Case) -> Facts:
    """The message repeats a value of the request."""
    for one in _spoken_of(case):
        shown = one.value.strip()[:60]
        yield Fact(
            "input",
            one.label,
            shown,
            "strong",
            f"request.{one.where}",
            f"{shown!r} is the value of {one.label}",
            None,
            True,
        )
        return


def value_not_in_request(case: Case) -> Facts:
    """The message repeats no value of the request."""
    if case.event.request is not None and not any(True for _ in _spoken_of(case)):
        yield Fact(
            "input",
            "request",
            "absent",
            "weak",
            "request",
            "the offending text stands in no value of the request",
            None,
            True,
        )


def value_is_harmless(case: Case) -> Facts:
    """The value that the message repeats carries no mark of an attack."""
    for one in _spoken_of(case):
        if not re.search(r"['\"`;<>{}|]|\.\./|--", one.value):
            yield Fact(
                "input",
                one.label,
                "harmless",
                "strong",
                f"request.{one.where}",
                f"{one.label} carries no sign of one",
                None,
                True,
            )
            return


_refusals: Final = (
    *("ValueError", "KeyError", "OverflowError", "InvalidOperation", "IndexError", "TypeError", "error"),
    *(
        "FileNotFoundError",
        "NotADirectoryError",
        "IsADirectoryError",
        "TemplateNotFound",
        "InvalidURL",
        "MissingSchema",
    ),
)
_parsers: Final = (
    *("ParseError", "ParserError", "ScannerError", "ReaderError", "XMLSyntaxError", "JSONDecodeError", "BadZipFile"),
    *("UnicodeDecodeError", "BadGzipFile", "UnidentifiedImageError", "Error"),
)


def input_unchecked(case: Case) -> Facts:
    """A conversion, look-up or parser that failed on what the request brought."""
    if any(one.named(*_refusals) for one in case.raised):
        for one in _spoken_of(case):
            shown = one.value.strip()[:60]
            text = f"{shown!r} in the message is the value of {one.label}"
            yield Fact("input", one.label, shown, "decisive", f"request.{one.where}", text)
            return
        read = _read_by_the_line(case)
        if read is not None:
            shown = read.value.strip()[:60]
            text = f"the failing line reads {read.label}, which is {shown!r}"
            yield Fact("input", read.label, shown, "decisive", f"request.{read.where}", text)
            return
    if any(one.named(*_parsers) for one in case.raised):
        for fact in parsed_from_request(case):
            kind = next(one.type for one in case.raised if one.named(*_parsers))
            text = f"{kind}: what the request brought cannot be parsed"
            yield Fact("frame", fact.subject, "request", "strong", "frames", text)


def _read_by_the_line(case: Case) -> Input | None:
    """The field of the request that the failing line itself takes, when a conversion failed on that line."""
    if case.app_frame is None or not any(one.named("ValueError", "InvalidOperation") for one in case.raised):
        return None
    line = case.app_frame.context_line
    if not re.search(r"request\.(?:args|form|values|GET|POST|query_params|path_params|get_json|json)", line):
        return None
    names = [
        name for pair in re.findall(r"""\[["']([\w.-]+)["']\]|get\(["']([\w.-]+)["']""", line) for name in pair if name
    ]
    return next((one for one in case.inputs if one.name in names), None)


def failed_on_it(case: Case) -> Facts:
    """The exception itself, beside the input that it speaks of."""
    one = next((one for one in reversed(case.raised) if one.type), None)
    if one is not None:
        yield Fact("class", one.type, one.type, "strong", f"exception[{one.number}].type", f"{one.type} was raised")


def name_came_from_request(case: Case) -> Facts:
    """A column or table that a request names is unchecked input, no missing migration."""
    name = statements.missing_name(case)
    for one in case.inputs:
        if name and one.value.strip() == name:
            yield Fact(
                "input",
                one.label,
                name,
                "decisive",
                f"request.{one.where}",
                f"the unknown name {name!r} is the value of {one.label}",
                None,
                True,
            )
            return


def parsed_from_request(case: Case) -> Facts:
    """What the parser was given came with the request."""
    frame = next(application(case.frames), None)
    if frame is None or case.event.request is None:
        return
    if re.search(r"request\.(?!args)|\bbody\b|get_data\(", frame.context_line):
        yield Fact("frame", frame.function, "request", "strong", "frames", "the text came with the request", None, True)
        return
    source = before(frame)
    if re.search(r"open\(|read_text|\.conf|config|settings|Path\(", source, re.IGNORECASE):
        return
    if re.search(r"request|\bbody\b|payload|upload|get_data|form|\bdata\b", source) and case.event.request.data not in (
        None,
        "",
        {},
    ):
        yield Fact("frame", frame.function, "request", "strong", "frames", "the text came with the request", None, True)
