"""A failed call for a person at a terminal: what happened, what it means, the reference, what to do, what was tried."""

from __future__ import annotations

import socket
import ssl
import textwrap
from collections.abc import Iterator

from fivehundred.client.errors import Attempt, Facts, body_failures, failures, seconds
from fivehundred.client.problem_reader import plain
from fivehundred.client.specific import phrase, specific

_margin = 13


def explained(facts: Facts, *, width: int, colours: bool, cause: BaseException | None = None) -> str:
    """``cause``: what the system has said, where no answer came."""
    lines = [_paint(_headline(facts), "1;31", colours), f"{facts.method} {facts.url}", ""]
    for name, value in _rows(facts, cause):
        head = f"  {name:{_margin - 2}}"
        wrapped = textwrap.wrap(value, max(40, width - _margin), break_long_words=False, break_on_hyphens=False)
        lines.append(_paint(head, "2", colours) + f"\n{' ' * _margin}".join(wrapped))
    return "\n".join(lines)


def _headline(facts: Facts) -> str:
    if facts.status is None:
        return "No answer" if facts.failure != "not sent" else "Not sent"
    return f"{facts.status} {phrase(facts.status)}".rstrip()


def _rows(facts: Facts, cause: BaseException | None) -> Iterator[tuple[str, str]]:
    yield "means", _meaning(facts, cause)
    said = specific(facts.problem, facts.status)
    if said:
        yield "says", said
    if facts.reference:
        yield "reference", facts.reference
    elif facts.status is not None and facts.status >= 500:
        yield "reference", "the server gave none"
    if facts.trace_id:
        yield "trace", facts.trace_id
    yield "retry", _advice(facts)
    for attempt in facts.attempts:
        yield "attempts" if attempt.number == 1 else "", _tried(attempt, facts)
    if facts.stopped and facts.retryable is not False:
        yield "", f"no further one: {facts.stopped}"


def _meaning(facts: Facts, cause: BaseException | None) -> str:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"The server's certificate is not trusted: {plain(cause.verify_message)}."
    if facts.failure == "connect" and isinstance(cause, socket.gaierror):
        return f"No address is known for this name ({plain(cause.strerror or '')}): is it spelled right?"
    if facts.failure == "connect" and isinstance(cause, TimeoutError):
        return "No connection came about in time: is this its address, and does nothing in between drop packets?"
    if facts.status is None:
        return _no_answer.get(facts.failure, f"The call {failures.get(facts.failure, 'failed')}.")
    if facts.failure:
        return f"An answer began, and its body {body_failures.get(facts.failure, 'was cut')}."
    return _statuses.get(facts.status, "The server failed; the request is not at fault.")


_no_answer = {
    "connect": "Nothing accepts connections at this address: is the server running, and is this its port?",
    "timeout": "The server took the connection and did not answer in time.",
    "reset": "The server closed the connection before it had answered.",
    "deadline": "The time for the whole call is used up.",
    "not sent": "Most of the last attempts at this server met overload, so it is left alone for some seconds.",
}
_statuses = {
    429: "Too many requests; the server wants a pause.",
    501: "The server does not know how to do this at all.",
    502: "A server in between got no proper answer from the one behind it.",
    503: "The server cannot answer now; it may be able to soon.",
    504: "The server waited too long for something behind it.",
    507: "The server has no room left to store this.",
}


def _advice(facts: Facts) -> str:
    if facts.failure == "certificate":
        return "does not help; SSL_CERT_FILE names a file of authorities to trust instead"
    if facts.retryable is False:
        return "does not help; the server has to be corrected first"
    if facts.retry_after is not None:
        return f"after {seconds(facts.retry_after)}, says the server"
    return "can help, a little later" if facts.retryable else "may help or not; nobody can say"


def _tried(attempt: Attempt, facts: Facts) -> str:
    waited = f", after a wait of {_took(attempt.waited_s)}" if attempt.waited_s else ""
    result = ", ".join(str(part) for part in (attempt.status, _ends.get(attempt.failure, attempt.failure)) if part)
    other = attempt.reference if attempt.reference != facts.reference else ""
    return f"{attempt.number}. {result} in {_took(attempt.took_s)}{waited}" + (f", reference {other}" if other else "")


_ends = {
    "connect": "no connection",
    "timeout": "no answer",
    "reset": "connection lost",
    "cut": "body cut short",
    "deadline": "out of time",
}


def _took(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else seconds(value)


def _paint(text: str, code: str, colours: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if colours else text
