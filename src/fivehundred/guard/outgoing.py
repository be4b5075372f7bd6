"""What the adapters for WSGI, ASGI and Django share: which headers may leave, and which exceptions are no failure."""

from __future__ import annotations

import errno
import re
import signal
import sys
from collections.abc import Iterable
from types import CodeType, TracebackType
from typing import Final

from fivehundred import limits
from fivehundred.problem import Headers, reference_header


class IllegalHeader(ValueError):
    """The application tried to send a header that HTTP does not allow; the name is told, never the value."""


class BrokenPromise(RuntimeError):
    """The application broke its interface: no response, or half of one."""


class Stopped(RuntimeError):
    """Stands for an exception that is no Exception (``sys.exit()``, GeneratorExit) on its way through task groups."""


class Aborted(BrokenPipeError):
    """Raised into the server when a response broke after its first byte, so that the client can tell.

    It is an EPIPE because that is what servers close a connection for without adding a page or a log record of their
    own: gunicorn and wsgiref ignore it, waitress closes.
    """

    def __init__(self) -> None:
        super().__init__(errno.EPIPE, "the response broke after its first byte; the failure is reported")


# ---- headers -------------------------------------------------------------------------------------


def granted(answer: Headers, kept: Iterable[tuple[str, str]]) -> Headers:
    """The answer's headers with the CORS grants among ``kept``: what the application's own answers would be granted.

    Nothing else that was set before the failure comes along: no Set-Cookie, no public Cache-Control, no ETag.
    """
    kept = [(k, v) for k, v in kept if not (_CONTROL.search(k) or _CONTROL.search(v))]
    grants = [(k, v) for k, v in kept if k.lower().startswith("access-control-")]
    varies = [v for k, v in kept if k.lower() == "vary" and "origin" in v.lower()]
    if varies:
        answer = [(k, merged(v, "Origin") if k.lower() == "vary" else v) for k, v in answer]
    return exposed([*answer, *grants])


def exposed(headers: Headers) -> Headers:
    """Lets scripts of an allowed origin read the reference: only where some origin is allowed at all."""
    names = {k.lower() for k, _ in headers}
    if "access-control-allow-origin" not in names:
        return headers
    wanted = [reference_header, *(["Retry-After"] if "retry-after" in names else [])]
    exposing = "access-control-expose-headers"
    listed = ", ".join(v for k, v in headers if k.lower() == exposing)
    # "*" stands for every header only without credentials, so the names are added beside it as well
    rest = [(k, v) for k, v in headers if k.lower() != exposing]
    return [*rest, ("Access-Control-Expose-Headers", merged(listed, *wanted))]


def merged(listed: str, *names: str) -> str:
    """A comma-separated list with these names in it, each once."""
    have = [part.strip() for part in listed.split(",") if part.strip()]
    lowered = {part.lower() for part in have}
    return ", ".join([*have, *(name for name in names if name.lower() not in lowered)])


def referenced(headers: Headers, answer: Headers) -> Headers:
    """An application's own 5xx with the reference added; it is not stored by caches unless the application says so."""
    reference = next((v for k, v in answer if k == reference_header), "")
    names = {k.lower() for k, _ in headers}
    more = [(reference_header, reference)] if reference else []
    if "cache-control" not in names:
        more.append(("Cache-Control", "no-store"))
    return exposed([*headers, *more])


def has_reference(headers: Iterable[tuple[str, str]]) -> bool:
    return any(k.lower() == "error-reference" for k, _ in headers)


_CONTROL = re.compile(r"[^\t\x20-\x7e\x80-\xff]")


def check(headers: Iterable[tuple[str, str]]) -> str:
    """Raises IllegalHeader for CR, LF, NUL or anything else that would end or forge a header (RFC 9110 section 5.5).

    Gives all of them in one text, for whoever looks for something in it.
    """
    try:
        joined = "".join(sum(headers, ()))  # as in check_raw
    except TypeError:
        joined = "".join(map("".join, headers))
    if joined.isascii() and joined.isprintable():  # both are quick in C, and nearly every response ends here
        return joined
    for name, value in headers:
        if _CONTROL.search(name) or _CONTROL.search(value):
            raise IllegalHeader(f"the value of a response header may not be sent: {_CONTROL.sub('?', name)[:100]}")
    return joined


def check_raw(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The same for the byte pairs of ASGI."""
    try:
        joined = b"".join(sum(headers, ()))  # half the time of the two joins below
    except TypeError:  # they are lists, or come from a generator that is used up now, which ASGI does not allow
        joined = b"".join(map(b"".join, headers))
    if 10 in joined or 13 in joined or 0 in joined:  # by number: a text of one byte takes four times as long to find
        check([(k.decode("latin-1"), v.decode("latin-1")) for k, v in headers])
    return joined


# Headers that were legal before, and no event stream's: most responses consist of nothing else, and to find that out
# takes a fraction of looking through their text. Once it is full, further ones are looked through each time.
_usual: Final[set[tuple[bytes, bytes] | tuple[str, str]]] = set()
are_usual: Final = _usual.issuperset


def now_usual(headers: object) -> None:
    """Headers that were looked through. Not those that are long or a client's own."""
    if len(_usual) < limits.usual_headers_max and type(headers) is list:
        _usual.update(
            pair
            for pair in headers
            if type(pair) is tuple
            and len(pair) == 2
            and type(pair[0]) is type(pair[1])
            and (type(pair[0]) is bytes or type(pair[0]) is str)
            and len(pair[1]) <= limits.usual_header_chars_max
            and pair[0].lower() not in ("set-cookie", b"set-cookie")
        )


def error_event(reference: str) -> bytes:
    """What an event stream gets as its last event when it broke."""
    return f'event: error\ndata: {{"status": 500, "reference": "{reference}"}}\n\n'.encode()


# ---- exceptions: nothing of theirs is asked, as even ``isinstance`` asks for ``__class__`` --------

# What frameworks and servers raise into an application whose client is gone: nobody is there to be answered
_GONE: Final = frozenset({"ClientDisconnect", "ClientDisconnected", "RequestAborted", "RequestCancelled", "NoMoreData"})


traceback_of: Final = BaseException.__dict__["__traceback__"].__get__
set_traceback: Final = BaseException.__dict__["__traceback__"].__set__


def client_gone(exc: BaseException) -> bool:
    return any(base.__name__ in _GONE or _is_webobs(base) for base in type(exc).__mro__)


def _is_webobs(kind: type) -> bool:
    """Of a body that ends too early; SQLAlchemy has a class of the same name for something else."""
    return kind.__name__ == "DisconnectionError" and kind.__module__.startswith("webob")


def ends_process(exc: BaseException) -> bool:
    """Whether this exception belongs to the process, not to the request: an interrupt, or a signal that means to end.

    ``sys.exit()`` in a handler does not: it fails its request and nothing else (ASVS 16.5.4).
    """
    if issubclass(type(exc), KeyboardInterrupt) or type(exc).__name__ == "GreenletExit":
        return True
    return issubclass(type(exc), SystemExit) and _from_signal(traceback_of(exc))


def _from_signal(found: TracebackType | None) -> bool:
    handlers = _signal_handlers()
    while found is not None:
        if found.tb_frame.f_code in handlers:
            return True
        found = found.tb_next
    return False


def _signal_handlers() -> set[CodeType]:
    """The code of every signal handler written in Python."""
    known = (signal.getsignal(number) for number in signal.valid_signals())
    codes = (getattr(getattr(handler, "__func__", handler), "__code__", None) for handler in known)
    return {code for code in codes if isinstance(code, CodeType)}


def handled_now() -> BaseException | None:
    """The exception whose ``except`` block is running further up: a framework that answers one has it here."""
    return sys.exc_info()[1]
