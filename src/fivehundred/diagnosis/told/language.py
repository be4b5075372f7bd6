"""The language's own errors: each kind of mistake has its clause, and the advice names line and variable."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from fivehundred.diagnosis.frames import name_of, place
from fivehundred.diagnosis.seen import inputs
from fivehundred.diagnosis.told.base import Told, plain

if TYPE_CHECKING:
    from fivehundred.diagnosis.case import Case, Raised
    from fivehundred.event import Frame


def tell(case: Case) -> Told:
    one = decisive(case)
    if one is None:
        return Told()
    if _raised_by_hand(case):
        return unhandled(case)
    because, advice = _clause(one, case.app_frame)
    at = f" at {place(case.app_frame)}" if case.app_frame is not None else ""
    said = plain(one.text, 100)
    if not because and said:
        because, advice = f"a call raises {one.type} ({said})", "correct the call, or handle that case,"
    return Told(because, fact_of(one, case), f"{advice}{at}" if advice else "")


def deadline(case: Case) -> Told:
    """Which line waited."""
    one = next((one for one in case.raised if "imeout" in one.type), None) or decisive(case)
    if one is None or case.app_frame is None:
        return Told()
    return Told(fact=fact_of(one, case), advice=f"see what {place(case.app_frame)} waits for, and what that waits for")


def in_place(case: Case) -> Told:
    """The rule's own words, and the line."""
    one = decisive(case)
    return Told(fact=fact_of(one, case)) if one is not None else Told()


def input_unchecked(case: Case) -> Told:
    """The request's field and its value."""
    found = case.found.get(inputs.input_unchecked, ())
    one = decisive(case)
    if not found or one is None:
        return Told()
    at = f" at {place(case.app_frame)}" if case.app_frame is not None else ""
    if found[0].kind != "input":
        because = "the code cannot read what the request brought, and does not expect that"
        return Told(because, fact_of(one, case), f"catch {one.type}{at} and answer 400 or 422")
    label = found[0].subject
    because = f"{label} is {found[0].value!r}, which the code does not expect"
    return Told(because, fact_of(one, case), f"validate {label}{at} and answer 422 (or 404)")


def unhandled(case: Case) -> Told:
    """An exception of which nothing more exact is known."""
    one = case.raised[0] if case.raised else None
    if one is None or not one.type:
        return Told()
    at = f" at {place(case.app_frame)}" if case.app_frame is not None else ""
    said = plain(one.text, 100)
    because = f"the code raises {one.type} and nothing handles it" + (f" ({said})" if said else "")
    return Told(because, fact_of(one, case), f"handle {one.type}{at}, or answer the status that it means")


def _raised_by_hand(case: Case) -> bool:
    frame = case.app_frame
    return frame is not None and frame.context_line.lstrip().startswith("raise ")


def decisive(case: Case) -> Raised | None:
    """The first error of the chain that the language itself knows; a group's first member that has a class."""
    named = [one for one in case.raised if one.type and not one.named("BaseExceptionGroup")]
    return named[-1] if named else None


def fact_of(one: Raised, case: Case) -> str:
    """ "ZeroDivisionError in cause_error, api.py:41 `result = 1 / 0`"."""
    frame = next((f for f in reversed(one.frames) if f is case.app_frame), None) or case.app_frame
    if frame is None:
        said = plain(one.text, 100)
        return f"{one.type}: {said}" if said else one.type
    line = frame.context_line.strip()
    shown = f" `{line[:100]}`" if line else ""
    return f"{one.type} in {name_of(frame)}, {place(frame)}{shown}"


# ---- the kinds -----------------------------------------------------------------------------------

Made = tuple[str, str]  # the clause and the advice, which ends before "at file:line"
_Maker = Callable[["re.Match[str]", "Frame | None"], Made]


def _clause(one: Raised, frame: Frame | None) -> Made:
    if one.type == "KeyError":
        return _key_missing(one, frame)
    for pattern, make in _texts:
        found = pattern.search(one.text)
        if found:
            return make(found, frame)
    for kind, made in _types.items():
        if one.named(kind):
            return made
    return "", ""


def _asked_of(frame: Frame | None, attribute: str) -> str:
    """What the attribute was asked of, as the line writes it: ``user`` of ``user.email``."""
    line = frame.context_line if frame is not None else ""
    found = re.search(rf"([\w.\]\[\"'()]*?[\w\])])\s*\.\s*{re.escape(attribute)}\b", line)
    return found[1][-60:] if found else ""


def _none_attribute(m: re.Match[str], frame: Frame | None) -> Made:
    owner = _asked_of(frame, m[1])
    if owner:
        return f"{owner} is None, and {m[1]} is asked of it", f"handle the case that {owner} is None (404?)"
    return f"{m[1]} is asked of a value that is None", "handle the case that nothing was found (404?)"


def _no_attribute(m: re.Match[str], frame: Frame | None) -> Made:
    owner = _asked_of(frame, m[2])
    what = f"{owner} is {_a(m[1])}, which" if owner and owner != m[1] else _a(m[1])
    return f"{what} has no attribute {m[2]}", f"correct .{m[2]}, or what {owner or 'the variable'} holds,"


def _none_item(m: re.Match[str], frame: Frame | None) -> Made:
    line = frame.context_line if frame is not None else ""
    found = re.search(r"([A-Za-z_][\w.]*)\s*\[", line)
    name = found[1] if found else "a value"
    return f"{name} is None, and an item of it is read", f"handle the case that {name} is None"


def _operands(m: re.Match[str], frame: Frame | None) -> Made:
    kinds = (m[2], m[3])
    if "NoneType" in kinds:
        other = next((k for k in kinds if k != "NoneType"), "None")
        return (
            f"one side of {m[1].strip()!r} is None, the other {_a(other)}",
            "handle the missing value before it is used",
        )
    return f"{_a(m[2])} and {_a(m[3])} do not go together with {m[1].strip()!r}", "convert one of the two sides"


def _a(kind: str) -> str:
    kind = "None" if kind == "NoneType" else kind
    return kind if kind == "None" else f"{'an' if kind[:1] in 'aeiou' else 'a'} {kind}"


def _fixed(because: str, advice: str) -> _Maker:
    """``\\1`` in them is the first group of the match."""
    return lambda m, frame: (m.expand(because), m.expand(advice))


_texts: Final[tuple[tuple[re.Pattern[str], _Maker], ...]] = tuple(
    (re.compile(pattern), make)
    for pattern, make in (
        (r"'NoneType' object has no attribute '(\w+)'", _none_attribute),
        (r"'NoneType' object is not subscriptable", _none_item),
        (r"'NoneType' object is not iterable", _fixed("the code iterates over None", "handle the missing value")),
        (r"'NoneType' object is not callable", _fixed("the code calls None", "set what is called, or do not call it")),
        (r"unsupported operand type\(s\) for (.{1,12}): '(\w+)' and '(\w+)'", _operands),
        (r"'(.{1,4})' not supported between instances of '(\w+)' and '(\w+)'", _operands),
        (r"module '([\w.]+)' has no attribute '(\w+)'",
         _fixed(r"the module \1 has no name \2", r"correct the name \2")),
        (r"type object '([\w.]+)' has no attribute '(\w+)'", _no_attribute),
        (r"'(\w[\w.]*)' object has no attribute '(\w+)'", _no_attribute),
        (r"[Ii]nteger division or modulo by zero|division by zero|float (?:floor )?division|/ by zero|divided by 0",
         _fixed("the code divides by zero", "guard the divisor")),
        (r"(?:not enough|too many) values to unpack \(expected (\d+)",
         _fixed(r"the code unpacks into \1 names what has another number of values",
                "make the number of values and names equal")),
        (r"(?:list|tuple|string|bytearray|deque)(?: assignment)? index out of range|pop from (?:an )?empty",
         _fixed("the code reads beyond the end of a list", "check the length before the item is read")),
        (r"cannot access local variable '(\w+)'|local variable '(\w+)' referenced before",
         lambda m, f: (f"the variable {m[1] or m[2]} is read before it is set",
                       f"set {m[1] or m[2]} on every way that leads")),
        (r"name '(\w+)' is not defined", _fixed(r"the name \1 is not defined", r"define or import \1")),
        (r"(\w+\(\)) missing \d+ required (?:positional|keyword-only) arguments?: (.{1,60})",
         _fixed(r"\1 is called without \2", r"pass \2")),
        (r"(\w+\(\)) got an unexpected keyword argument '(\w+)'",
         _fixed(r"\1 is called with \2, which it does not take", r"correct the argument \2")),
        (r"(\w+\(\)) takes (.{1,40}?) positional arguments? but (\d+) (?:was|were) given",
         _fixed(r"\1 is given \3 arguments and takes \2", "correct the call")),
        (r"'coroutine' object|coroutine object|was never awaited",
         _fixed("a coroutine is used without being awaited", "await the call")),
        (r"object (\w+) can't be used in 'await' expression",
         _fixed(r"\1 is awaited and is no coroutine", "do not await it")),
        (r"Object of type (\w+) is not JSON serializable|Type is not JSON serializable: (\w+)",
         lambda m, f: (f"the answer holds a {m[1] or m[2]}, which JSON cannot express",
                       f"convert the {m[1] or m[2]} before it is returned, or give the encoder a rule for it,")),
        (r"'(\w+)' object is not callable", _fixed(r"a \1 is called like a function", "correct what is called")),
        (r"'(\w+)' object is not subscriptable", _fixed(r"a \1 has no items, and one is read", "correct the access")),
        (r"'(\w+)' object is not iterable", _fixed(r"a \1 is iterated over", "iterate over a collection")),
        (r"'(\w+)' object does not support item assignment",
         _fixed(r"an item of a \1 is set, which cannot be changed", "make a new value instead")),
        (r"can only concatenate (\w+) \(not \"(\w+)\"\) to",
         lambda m, f: (f"{_a(m[1])} and {_a(m[2])} are joined", "convert one of the two sides")),
        (r"(?:list|tuple|string) indices must be integers",
         _fixed("a list is read with a name where it needs a number", "read it by its number, or use a mapping,")),
        (r"unhashable type: '(\w+)'", _fixed(r"a \1 is used as a key", r"make it a tuple or text")),
        (r"invalid literal for int\(\) with base \d+: (.{1,60})",
         _fixed(r"the code turns \1 into a number", "validate the text before it is converted")),
        (r"could not convert string to float: (.{1,60})",
         _fixed(r"the code turns \1 into a number", "validate the text before it is converted")),
        (r"'(\S+)' codec can't decode", _fixed(r"bytes that are no \1 are decoded as \1",
                                               "decode with the encoding that the bytes have")),
        (r"'(\S+)' codec can't encode", _fixed(r"\1 cannot express the text", "encode as UTF-8")),
        (r"Expecting value: line 1 column 1 \(char 0\)",
         _fixed("the code reads an empty text, or one that is no JSON, as JSON", "check what is parsed")),
        (r"(?:Expecting|Extra data|Unterminated string|Invalid control character).{0,60}: line (\d+) column (\d+)",
         _fixed(r"the code reads a text as JSON that breaks off at line \1, column \2", "check what is parsed")),
        (r"generator raised StopIteration",
         _fixed("next() found nothing inside a generator", "give next() a default")),
        (r"changed size during iteration|mutated during iteration",
         _fixed("a collection was changed while it was iterated over", "iterate over a copy or take a lock")),
        (r"maximum recursion depth exceeded", _fixed("a function calls itself without an end", "end the recursion")),
        (r"is not a valid (\w+)$", _fixed(r"a value is none of those that \1 has", "validate the value")),
        (r"day is out of range for month|must be in 1\.\.",
         _fixed("the code makes a date that does not exist", "clamp the day to the end of the month")),
    )
)  # fmt: skip

_types: Final[dict[str, Made]] = {
    "ZeroDivisionError": ("the code divides by zero", "guard the divisor"),
    "DivisionByZero": ("the code divides by zero", "guard the divisor"),
    "RecursionError": ("a function calls itself without an end", "end the recursion"),
    "AssertionError": (
        "an assertion of the code does not hold",
        "find why the condition is false, or handle that case,",
    ),
    "NotImplementedError": ("the code calls what is not written yet", "implement it"),
    "StopIteration": ("next() found nothing", "give next() a default"),
    "StopAsyncIteration": ("anext() found nothing", "give anext() a default"),
    "UnicodeDecodeError": ("bytes are decoded in the wrong encoding", "decode with the encoding that the bytes have"),
    "UnicodeEncodeError": ("the encoding cannot express the text", "encode as UTF-8"),
    "InvalidOperation": ("a decimal is made from what is no number", "validate the text before it is converted"),
    "OverflowError": ("a number is too large for what is done with it", "bound the number"),
    "UndefinedError": ("a template reads a name that it was not given", "pass the name or test for it"),
    "TemplateSyntaxError": ("a template has a mistake in its syntax", "correct the template"),
    "NoReverseMatch": ("no route has the name that the code asks for", "correct the route's name"),
    "BuildError": ("no route has the name that the code asks for", "correct the route's name"),
    "SyntaxError": ("the code has a mistake in its syntax", "correct the syntax"),
    "ResponseValidationError": (
        "the handler returns what its own response model forbids",
        "return what the model says",
    ),
    "UnboundLocalError": ("a variable is read before it is set", "set it on every way that leads"),
    "NameError": ("a name is not defined", "define or import it"),
    "IndexError": ("the code reads beyond the end of a list", "check the length before the item is read"),
    "FileExistsError": ("the code creates what exists already", "handle the existing file"),
    "IsADirectoryError": ("the code opens a folder as a file", "correct the path"),
    "ValidationError": ("the code makes an object from values that its model forbids", "validate the values"),
}


def _key_missing(one: Raised, frame: Frame | None) -> Made:
    """KeyError: its text is the key as it is written."""
    key = plain(one.text, 60)
    line = frame.context_line if frame is not None else ""
    found = re.search(r"([A-Za-z_][\w.]*(?:\(\))?)\s*\[", line)
    holder = found[1] if found else "a mapping"
    return f"{holder} has no key {key}", f"validate that {key} is there, or use a default,"
