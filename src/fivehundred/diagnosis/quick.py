"""The quick form: what an exception alone says, in microseconds, for the status and ``Retry-After`` of the answer.

It looks at class names, errno, SQLSTATE and drivers' stored texts and never runs the application's code: no ``str()``,
no properties, no attributes but those stored in the instance or set by C. It does not look for evidence elsewhere;
``diagnose`` does that when there is time.
"""

from __future__ import annotations

import errno as errnos
import functools
import random
from types import TracebackType
from typing import Any, Final

from fivehundred import limits
from fivehundred.diagnosis import index
from fivehundred.diagnosis.model import Verdict
from fivehundred.diagnosis.rules.base import Peer, Rule
from fivehundred.record import record

jitter: Final = 0.5  # clients that were told the same wait must not come back together
unknown: Final = Verdict("unknown", "unknown", 500, None, "unknown", "")


def quick(exc: BaseException) -> Verdict:
    """Never raises; an exception that says nothing exact gives 500 and no promise."""
    try:
        return _decide(_chain(exc))
    except Exception:  # the edge: a hostile class must not cost the answer
        return unknown


def _verdict(rule: Rule, peer: Peer) -> Verdict:
    # a gateway's statuses are for calls that a client library made; any other socket error is ours
    status = 500 if rule.status in (502, 504) and peer != "http" else rule.status
    return Verdict(rule.cause, rule.transient, status, _wait(rule) if status != 500 else None, rule.id, rule.public)


def _wait(rule: Rule) -> int | None:
    if rule.retry_after_s is None:
        return None
    return max(1, round(rule.retry_after_s * random.uniform(1 - jitter, 1 + jitter)))  # noqa: S311  # no secret


# ---- the chain -----------------------------------------------------------------------------------

# Taken from the base classes, so that a class of the application cannot put its own code in between.
_args: Final[Any] = BaseException.__dict__["args"]
_cause: Final[Any] = BaseException.__dict__["__cause__"]
_context: Final[Any] = BaseException.__dict__["__context__"]
_traceback: Final[Any] = BaseException.__dict__["__traceback__"]
_stored: Final[Any] = BaseException.__dict__["__dict__"]
_errno: Final[Any] = OSError.__dict__["errno"]
_members: Final[Any] = BaseExceptionGroup.__dict__["exceptions"]
_mro: Final[Any] = type.__dict__["__mro__"]
_class_dict: Final[Any] = type.__dict__["__dict__"]
_name: Final[Any] = type.__dict__["__name__"]
_linked: Final = ("reason", "orig", "os_error", "original_exception", "last_exception")


@record(slots=True)
class _Seen:
    """One exception: what it stores, and the names of its classes."""

    exc: BaseException
    own: dict[str, Any]
    args: tuple[Any, ...]
    kind: _Kind


@record(frozen=True, slots=True)
class _Kind:
    """What the names of a class and its bases say; worked out once a class."""

    kind: type  # kept, so that its id stays its own
    roots: frozenset[str]
    products: tuple[str, ...]
    rules: tuple[tuple[str, Rule], ...]  # of the most special class that is known, with the text that must stand there
    is_os_error: bool


def _chain(exc: BaseException) -> list[_Seen]:
    found: list[_Seen] = []
    known: set[int] = set()
    waiting: list[Any] = [exc]
    while waiting and len(found) < limits.quick_chain_max:
        current = waiting.pop(0)
        if current is None or id(current) in known or not issubclass(type(current), BaseException):
            continue
        known.add(id(current))
        one = _Seen(current, _stored.__get__(current), _args.__get__(current), _kind_of(type(current)))
        found.append(one)
        waiting.append(_cause.__get__(current))
        waiting.append(_context.__get__(current))
        waiting.extend(one.own[name] for name in _linked if name in one.own)
        waiting.extend(arg for arg in one.args[:4] if issubclass(type(arg), BaseException))
        if issubclass(type(current), BaseExceptionGroup):
            waiting.extend(_members.__get__(current)[: limits.quick_chain_max])
    return found


_kinds: Final[dict[int, _Kind]] = {}


def _kind_of(kind: type) -> _Kind:
    # by id, because a class may bring its own __hash__ and __eq__
    found = _kinds.get(id(kind))
    if found is None or found.kind is not kind:
        if len(_kinds) >= limits.quick_kinds_max:
            _kinds.clear()
        found = _kinds[id(kind)] = _study(kind)
    return found


def _study(kind: type) -> _Kind:
    names: list[tuple[str, str]] = []
    for base in _mro.__get__(kind)[: limits.quick_classes_max]:
        module = _class_dict.__get__(base).get("__module__", "builtins")
        names.append((module if type(module) is str else "", _name.__get__(base)))
    roots = {index.root_of(module): None for module, _ in names}
    known = (tuple(index.by_class(module, name)) for module, name in names)
    return _Kind(
        kind,
        frozenset(roots),
        tuple(index.products[root] for root in roots if root in index.products),
        next((rules for rules in known if rules), ()),
        issubclass(kind, OSError),
    )


# ---- what speaks for which rule ------------------------------------------------------------------


def _decide(chain: list[_Seen]) -> Verdict:
    """By the rule that stands first in the decision list, of all that the chain speaks for."""
    spoken = _products(chain)
    peer = _peer(spoken)
    best: Rule | None = None
    read: list[str] = []  # a wrapper's text holds the one of what it wraps: that is not searched again
    for one in chain:
        for rule in _rules_of(one, spoken, peer, read):
            if _misplaced(rule, peer):
                continue
            if best is None or index.position[rule.id] < index.position[best.id]:
                best = rule
    return unknown if best is None else _verdict(best, peer)


def _misplaced(rule: Rule, peer: Peer) -> bool:
    return rule.peer == "database" and peer == "http"


def _products(chain: list[_Seen]) -> dict[str, None]:
    """What the exceptions' classes and, for plain socket errors, the frames have to do with; in order, once each."""
    found = {product: None for one in chain for product in one.kind.products}
    if not found and any(one.kind.is_os_error for one in chain):
        modules = {name: None for one in chain for name in _frame_roots(_traceback.__get__(one.exc))}
        found = {index.products[root]: None for root in modules if root in index.products}
    return found


def _frame_roots(traceback: TracebackType | None) -> list[str]:
    roots: list[str] = []
    while traceback is not None and len(roots) < limits.quick_frames_max:
        module = traceback.tb_frame.f_globals.get("__name__")
        roots.append(index.root_of(module) if type(module) is str else "")
        traceback = traceback.tb_next
    roots.reverse()
    return roots


def _peer(spoken: dict[str, None]) -> Peer:
    return next((index.peer_of(product) for product in spoken if product), "")


def _rules_of(one: _Seen, spoken: dict[str, None], peer: Peer, read: list[str]) -> list[Rule]:
    rule = _coded(one, peer)
    text = next((arg[: limits.quick_text_chars_max] for arg in one.args[:2] if type(arg) is str), "")
    rules = [found for needle, found in one.kind.rules if needle in text]
    if rule is not None:
        rules.append(rule)
    elif text and not any(text in known for known in read):
        read.append(text)
        rules.extend(_said(text, tuple(spoken)))
    return rules


@functools.lru_cache(maxsize=limits.quick_texts_max)
def _said(text: str, spoken: tuple[str, ...]) -> tuple[Rule, ...]:
    return tuple(found for _, found in index.by_text(text, spoken))


def _coded(one: _Seen, peer: Peer) -> Rule | None:
    """The rule of the code that the exception stores, in the numbering of whoever made it."""
    roots = one.kind.roots
    if one.kind.is_os_error:
        return _by_errno(one, peer)
    if roots & _postgres:
        state = _sqlstate(one)
        return index.by_sqlstate(state) if state else None
    if "sqlite3" in roots:
        name = one.own.get("sqlite_errorname")
        # SQLITE_ERROR is what SQLite says when it has no code: its text decides
        return index.by_sqlite(name) if type(name) is str and name != "SQLITE_ERROR" else None
    if roots & _mysql:
        number = one.own.get("errno", one.args[0] if one.args else None)
        return index.by_mysql(number) if type(number) is int else None
    return _reply(one) if "http" in one.kind.products else None


_postgres: Final = {"psycopg", "psycopg2", "psycopg2cffi", "asyncpg"}
_mysql: Final = {"pymysql", "MySQLdb", "aiomysql", "mysql", "asyncmy", "mariadb"}
_resolver: Final = {-2: "EAI_NONAME", -3: "EAI_AGAIN", -4: "EAI_FAIL", -5: "EAI_NODATA", -9: "EAI_ADDRFAMILY"}


def _by_errno(one: _Seen, peer: Peer) -> Rule | None:
    if "ssl" in one.kind.roots:
        code = one.own.get("verify_code")
        return index.by_errno(f"X509_{code}", peer) if type(code) is int else None
    number = _errno.__get__(one.exc)
    if type(number) is not int:
        return _reply(one) if "http" in one.kind.products else None
    if number < 0 or "socket" in one.kind.roots:
        return index.by_errno(_resolver.get(number, ""), peer)
    return index.by_errno(errnos.errorcode.get(number, ""), peer)


def _sqlstate(one: _Seen) -> str:
    for name in ("sqlstate", "pgcode"):
        value = one.own.get(name)
        if type(value) is str:
            return value
    if "psycopg2" in one.kind.roots:
        # a slot filled by C; read from the driver's own base class
        return _pgcode(one.exc)
    for base in _mro.__get__(type(one.exc))[: limits.quick_classes_max]:
        value = _class_dict.__get__(base).get("sqlstate")
        if type(value) is str:
            return value
    return ""


def _pgcode(exc: BaseException) -> str:
    for base in _mro.__get__(type(exc))[: limits.quick_classes_max]:
        slots = _class_dict.__get__(base)
        slot = slots.get("pgcode")
        if slot is not None and str(slots.get("__module__", "")).startswith("psycopg2"):
            value = slot.__get__(exc)
            return value if type(value) is str else ""
    return ""


def _reply(one: _Seen) -> Rule | None:
    """The status or error code that another service answered, where the client library stores it as plain data."""
    for name in ("code", "status", "status_code"):
        value = one.own.get(name)
        if type(value) is int and 400 <= value < 600:
            return index.by_reply(str(value))
    response = one.own.get("response")
    if type(response) is dict:  # botocore
        error = response.get("Error")
        code = error.get("Code") if type(error) is dict else None
        return index.by_reply(code) if type(code) is str else None
    status = _status_stored(response)
    return index.by_reply(str(status)) if status else None


def _status_stored(response: object) -> int | None:
    """``status_code`` of requests' and httpx' responses: plain instance attributes, never a property."""
    module = _class_dict.__get__(type(response)).get("__module__", "")
    if type(module) is not str or index.root_of(module) not in index.products:
        return None
    own = getattr(response, "__dict__", None)
    value = own.get("status_code") if type(own) is dict else None
    return value if type(value) is int and 400 <= value < 600 else None
