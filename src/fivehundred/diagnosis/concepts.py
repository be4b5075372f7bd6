"""Concepts: what the words of a class name, an error code or a message mean, for libraries that no table names.

Libraries of every language name the same few conditions with the same few words:
``SequelizeConnectionAcquireTimeout``, ``NoServersError``, ``ER_ACCESS_DENIED_ERROR``. This is asked only of exceptions
that no row of the rules knows, it never speaks of the application's own exceptions, and it is never decisive.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from fivehundred import limits
from fivehundred.diagnosis.concept_table import concepts
from fivehundred.diagnosis.frames import in_app, is_own
from fivehundred.diagnosis.model import Fact
from fivehundred.diagnosis.stores import words_of

if TYPE_CHECKING:
    from fivehundred.diagnosis.case import Case, Raised


# What the languages themselves raise for the code's own mistakes: words in their messages are names of the code.
_of_the_code: Final = frozenset(
    (
        *("KeyError", "IndexError", "AttributeError", "TypeError", "NameError", "UnboundLocalError", "AssertionError"),
        *("ZeroDivisionError", "NotImplementedError", "RecursionError", "UnicodeDecodeError", "UnicodeEncodeError"),
        *("SyntaxError", "StopIteration", "ReferenceError", "RangeError", "NoMethodError", "ArgumentError"),
        *("NullPointerException", "NullReferenceException", "ClassCastException", "ArithmeticException"),
        *("IndexOutOfBoundsException", "ArrayIndexOutOfBoundsException", "StackOverflowError", "InvalidCastException"),
        *("DivisionByZeroError", "NumberFormatException", "KeyNotFoundException", "ArgumentOutOfRangeException"),
    )
)
# Rules that say so little that a concept may know better.
_vague: Final = frozenset({"bug.code", "bug.exception", "bug.upstream_contract", "database.error", "overload.deadline"})


def of(case: Case) -> Iterator[tuple[str, Fact]]:
    """(rule id, fact) for exceptions that the tables know nothing of."""
    if not case.raised or not case.clues.keys() <= _vague or case.raised[-1].type in _of_the_code:
        return
    for one in case.raised:
        if not is_own(one.item) and one.type not in _of_the_code and one.roots.isdisjoint(_answering):
            yield from _of_one(one, case)


# Frameworks that raise their answers: "Forbidden" is what they say to a client, not what a service said to us.
_answering: Final = frozenset(
    ("werkzeug", "starlette", "fastapi", "rest_framework", "flask", "falcon", "sanic", "litestar", "bottle", "quart")
)


def _of_one(one: Raised, case: Case) -> Iterator[tuple[str, Fact]]:
    text = one.text[: limits.concept_text_chars_max]
    named = _named(one.type if one.type not in _nameless else f"{one.classes[0][0].rpartition('.')[2]} {one.type}")
    coded = frozenset(number for word in _codes(one.text) for number in _named(word)[:1])
    small = text.lower()
    for number, concept in enumerate(concepts):
        by_name = number in named
        by_text = number in coded or (any(w in small for w in concept.near) and _texts[number](text) is not None)
        if by_name or by_text:
            rule = concept.store if concept.store and case.peer == "database" else concept.rule
            if rule == "database.timeout" and _in_pool(one):
                rule = "overload.pool"
            source = f"exception[{one.number}]"
            if by_name:
                said = f"the name {one.type} speaks of {concept.says}"
                yield rule, Fact("class", one.type, one.type, "strong", f"{source}.type", said)
            if by_text:
                said = f"the message speaks of {concept.says}"
                yield rule, Fact("message", one.type, concept.says, "strong", f"{source}.value", said)
            return


_nameless: Final = frozenset({"Error", "Exception"})  # Ruby's Timeout::Error and its like


def _in_pool(one: Raised) -> bool:
    inner = one.frames[-1] if one.frames else None
    return inner is not None and not in_app(inner) and "pool" in words_of(f"{inner.module} {inner.filename[-80:]}")


_nothing: Final = "(?!)"
_names: Final = tuple(re.compile("|".join(c.names) or _nothing).search for c in concepts)
_texts: Final = tuple(re.compile("|".join(c.texts) or _nothing, re.IGNORECASE).search for c in concepts)


@functools.lru_cache(maxsize=limits.concept_names_max)
def _named(name: str) -> tuple[int, ...]:
    """The concepts of a class name or code; once for each name."""
    words = " ".join(words_of(name[:100]))
    return tuple(number for number, search in enumerate(_names) if search(words))


# Codes as they stand in messages: in capitals with underscores, after the word code, or quoted in small letters.
_code: Final = re.compile(
    r"\b_?([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|(?<=_)[A-Z]{5,})\b|[Cc]ode(?:[:=] ?| )['\"]?([A-Za-z][A-Za-z_.]{4,60})\b"
    r"|['\"]([a-z]+(?:_[a-z]+){1,5})['\"]"
)


def _codes(text: str) -> list[str]:
    """Symbolic codes in a message: ER_ACCESS_DENIED_ERROR, "code: NoSuchBucket"."""
    found = _code.finditer(text[: limits.concept_text_chars_max])
    return [one[1] or one[2] or one[3] for one, _ in zip(found, range(5), strict=False)]
