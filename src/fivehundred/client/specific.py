"""What a server says beyond what its status says already. Stock sentences, of our own Guard as of frameworks, are
nothing new to a reader, and would be most of an error's message."""

from __future__ import annotations

import functools
import re
from http import HTTPStatus
from typing import Final

from fivehundred.client.problem_reader import Problem
from fivehundred.problem_texts import texts


def specific(problem: Problem, status: int | None) -> str:
    """One line, or ``""``."""
    for said in (problem.detail, problem.title):
        text = _without_stock(said)
        if text and not _is_stock(text, status):
            return text
    return ""


def phrase(status: int | None) -> str:
    try:
        return HTTPStatus(status or 0).phrase
    except ValueError:
        return ""


def _without_stock(said: str) -> str:
    """Our Guard's detail is a sentence of the application, if it has one for the public, and then stock sentences."""
    for sentence in _ours():
        said = said.replace(sentence, "")
    return said.strip()


@functools.cache
def _ours() -> tuple[str, ...]:
    """The longest first: one may be part of another."""
    found = {text for speech in texts.values() for text in (*speech.whats.values(), speech.temporary, speech.permanent)}
    return tuple(sorted(found, key=len, reverse=True))


def _is_stock(text: str, status: int | None) -> bool:
    words = _words(text)
    return words in ("", _words(phrase(status))) or words in _stock or words in _titles()


@functools.cache
def _titles() -> frozenset[str]:
    return frozenset(_words(title) for speech in texts.values() for title in speech.titles.values())


def _words(text: str) -> str:
    """Lower case, without punctuation and without the number of the status: "500 - Internal Server Error"."""
    return " ".join(word for word in re.findall(r"[^\W_]+", text.lower()) if not re.fullmatch("[1-5][0-9][0-9]", word))


_stock: Final = frozenset(
    _words(text)
    for text in (
        "An error occurred while processing your request.",  # ASP.NET
        "An unexpected error occurred",
        "Error",
        "Internal error",
        "Server Error (500)",  # Django
        "A server error occurred. Please contact the administrator.",  # wsgiref
        "No message available",  # Spring
        "Oops! An Error Occurred",  # Symfony
        "Something went wrong",
        "The server encountered an internal error and was unable to complete your request."  # Werkzeug
        " Either the server is overloaded or there is an error in the application.",
        "The service is unavailable.",  # IIS
        "Service Temporarily Unavailable",  # nginx
        "Gateway Time-out",  # nginx
        "Unknown error",
    )
)
