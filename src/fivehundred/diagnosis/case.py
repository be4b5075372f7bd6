"""Case: an Event with what its exceptions' codes, classes and texts say, ready for the rules.

Extraction only: it judges nothing. Events of our Guard bring codes in ``mechanism``; of other SDKs, and of other
languages, the class names, texts and frames must do, with less strength.
"""

from __future__ import annotations

import builtins
import errno as errnos
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from fivehundred import limits
from fivehundred.diagnosis import concepts, index, stores
from fivehundred.diagnosis.conditions import name_of, sqlstate_by_class
from fivehundred.diagnosis.frames import in_app, is_own, root
from fivehundred.diagnosis.model import Fact, History, Strength
from fivehundred.diagnosis.rules.base import Finder, Peer, Rule
from fivehundred.diagnosis.rules.order import by_id
from fivehundred.diagnosis.taint import Input, inputs_of
from fivehundred.diagnosis.told.base import plain
from fivehundred.event import Event, ExceptionItem, Frame, Json


@dataclass(slots=True)
class Raised:
    """One exception of the event. ``number`` is its place in ``event.exceptions``."""

    number: int
    item: ExceptionItem
    text: str
    classes: list[tuple[str, str]]  # (module, name), the most special first
    errno: str = ""  # by name; "X509_10" for a certificate's verify code
    sqlstate: str = ""
    code: Json = None
    peer: str = ""
    attrs: dict[str, Json] = field(default_factory=dict)

    type: str = field(init=False)
    names: frozenset[str] = field(init=False)
    roots: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.type = self.classes[0][1] if self.classes else ""
        self.names = frozenset(name for _, name in self.classes)
        self.roots = frozenset(index.root_of(module) for module, _ in self.classes)

    @property
    def frames(self) -> list[Frame]:
        return self.item.frames

    def named(self, *names: str) -> bool:
        """Whether one of the bare class names stands in its ancestry."""
        return not self.names.isdisjoint(names)


@dataclass(slots=True)
class Case:
    event: Event
    history: History
    raised: list[Raised]  # the one raised last first
    products: dict[str, None] = field(default_factory=dict)
    peer: Peer = ""
    address: str = ""  # host:port of the other side
    clues: dict[str, list[Fact]] = field(default_factory=dict)  # by rule id
    inputs: list[Input] = field(default_factory=list)
    app_frame: Frame | None = None
    found: dict[Finder, tuple[Fact, ...]] = field(default_factory=dict)  # what finders have found
    ours: dict[str, Json] = field(init=False)
    text: str = field(init=False)
    frames: list[Frame] = field(init=False)  # outermost to the one that raised, of the exception raised first

    def __post_init__(self) -> None:
        self.ours = self.event.ours
        self.text = "\n".join(one.text for one in self.raised)
        root = next((one for one in reversed(self.raised) if one.frames), None)
        self.frames = root.frames if root else self.event.frames

    @property
    def product(self) -> str:
        """What the other side is called: "PostgreSQL", or its address, or nothing."""
        return next((index.labels[p] for p in self.products if p in index.labels), "")

    def _own_frame(self) -> Frame | None:
        """The innermost frame of the application; one made at run time (a template, an eval) only when it is alone."""
        made: Frame | None = None
        for frames in (*(one.frames for one in reversed(self.raised)), self.event.frames):
            for frame in reversed(frames):
                if in_app(frame):
                    if not frame.filename.startswith("<"):
                        return frame
                    made = made or frame
        return made


def case_of(event: Event, history: History) -> Case:
    raised = [_raised(number, item) for number, item in reversed(list(enumerate(event.exceptions)))]
    if not raised and event.message:
        item = ExceptionItem(value=event.message, frames=event.frames)
        raised = [Raised(0, item, event.message[: limits.diagnosed_text_chars_max], [])]
    case = Case(event, history, raised)
    case.app_frame = case._own_frame()
    case.products = _products(case)
    case.address = _address(case)
    if not case.products:
        port = case.address.rpartition(":")[2]
        known = index.port_products.get(int(port)) if port.isdecimal() and len(port) < 6 else None
        case.products = {known: None} if known else {}
    if not case.products and (named := stores.product_named(case)):
        case.products = {named: None}
    case.peer = next((index.peer_of(product) for product in case.products), "")
    route = event.ours.get("route")
    case.inputs = inputs_of(event.request, route if isinstance(route, str) and route else event.transaction)
    for one in raised:
        for rule, fact in _clues(one, case):
            case.clues.setdefault(rule.id, []).append(fact)
    for rule_id, fact in concepts.of(case):
        case.clues.setdefault(rule_id, []).append(fact)
    return case


# ---- one exception -------------------------------------------------------------------------------


def _raised(number: int, item: ExceptionItem) -> Raised:
    text = item.value[: limits.diagnosed_text_chars_max]
    data = item.mechanism.data if item.mechanism else {}
    one = Raised(number, item, text, _class_names(item, data, text))
    one.sqlstate = _text_of(data.get("sqlstate")) or _sqlstate(one)
    one.code = data.get("code")
    one.peer = _text_of(data.get("peer"))
    attrs = data.get("attrs")
    one.attrs = attrs if isinstance(attrs, dict) else {}
    one.errno = _errno(one, item, data)
    return one


_wrapped = re.compile(r"\(([A-Za-z_][\w.]{2,100})\) ")


def _class_names(item: ExceptionItem, data: dict[str, Json], text: str) -> list[tuple[str, str]]:
    names = [(item.module, item.type.rpartition(".")[2])] if item.type else []
    if "." in item.type and not item.module:  # other languages put the package into the type; Go points at it
        names = [(item.type.rpartition(".")[0].lstrip("*&"), item.type.rpartition(".")[2])]
    if "\\" in item.type:  # PHP
        names = [(item.type.rpartition("\\")[0].replace("\\", "."), item.type.rpartition("\\")[2])]
    if "::" in item.type:
        names = [(item.type.rpartition("::")[0].replace("::", "."), item.type.rpartition("::")[2])]
    mro = data.get("mro")
    for entry in mro[:30] if isinstance(mro, list) else []:
        if isinstance(entry, str):
            module, _, name = entry.rpartition(".")
            names.append((module or "builtins", name))
    if item.type and not item.module and item.type in _builtin_names:
        names.append(("builtins", item.type))
    if not mro:
        names.extend(("builtins", base) for base in _builtin_bases.get(item.type, ()))
    inner = _wrapped.match(text)  # "(psycopg.errors.UndefinedTable) relation ..." as SQLAlchemy writes it
    if inner:
        module, _, name = inner[1].rpartition(".")
        names.append((module, name))
    return list(dict.fromkeys(names))


_builtin_names: Final = frozenset(name for name in dir(builtins) if name[:1].isupper())
_builtin_bases: Final[dict[str, tuple[str, ...]]] = {
    "ConnectionRefusedError": ("ConnectionError", "OSError"),
    "ConnectionResetError": ("ConnectionError", "OSError"),
    "BrokenPipeError": ("ConnectionError", "OSError"),
    "ModuleNotFoundError": ("ImportError",),
    "JSONDecodeError": ("ValueError",),
    "UnicodeDecodeError": ("ValueError",),
}


def _text_of(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _sqlstate(one: Raised) -> str:
    for module, name in one.classes:
        if index.root_of(module) in _postgres and name in sqlstate_by_class:
            return sqlstate_by_class[name]
    found = _state_text.search(one.text)
    if not found and one.type == "PostgresException":
        found = _state_first.match(one.text)
    return next((str(code) for code in found.groups() if code), "") if found else ""


_postgres: Final = {"psycopg", "psycopg2", "asyncpg", "PG"}
# "(SQLSTATE 23505)", "SQLSTATE[42S02]", "SQLState: 08001"; ODBC's "[40001] [..."
_state_text = re.compile(
    r"\b(?:SQLSTATE|SQLState|SqlState|sqlstate|sqlState)['\"]?[\[:= ]{1,3}['\"]?([0-9A-Z]{5})\b|\[([0-9A-Z]{5})\] ?\["
)
_state_first = re.compile(r"([0-9A-Z]{5}): ")  # of PostgreSQL's drivers for .NET


def _errno(one: Raised, item: ExceptionItem, data: dict[str, Json]) -> str:
    code = data.get("verify_code")
    if isinstance(code, int) and code:
        return f"X509_{code}"
    if one.named("SSLError", "SSLCertVerificationError") or "ssl" in one.roots:
        return ""  # OpenSSL's numbers are not the system's
    meta = item.mechanism.meta.get("errno") if item.mechanism else None
    if isinstance(meta, dict):
        name, number = meta.get("name"), meta.get("number")
        if isinstance(name, str) and name:
            return name
        if isinstance(number, int):
            return _errno_name(number, one)
    curl = _curl.search(one.text)
    if curl:
        return _curl_codes.get(int(curl[1]), "")
    found = _errno_text.search(one.text)
    if found:
        return _errno_name(int(found[1] or found[2] or found[3]), one)
    for named in (*_errno_word.findall(one.text)[:8], *_errno_word.findall(item.type)[:1]):
        if named in _errno_names:
            return str(named)
    # the system's own words, as every runtime and every driver in C passes them on
    spoken = None if is_own(one.item) else _strerror.search(one.text)
    return _strerror_codes[spoken[1].lower()] if spoken else ""


_curl: Final = re.compile(r"\b(?:cURL error |curl: \()(\d{1,2})\b")
_curl_codes: Final = {
    5: "EAI_NONAME",
    6: "EAI_NONAME",
    7: "ECONNREFUSED",
    23: "ENOSPC",
    28: "ETIMEDOUT",
    52: "ECONNRESET",
    55: "EPIPE",
    56: "ECONNRESET",
}
_strerror_codes: Final = {
    "connection refused": "ECONNREFUSED",
    "no route to host": "EHOSTUNREACH",
    "network is unreachable": "ENETUNREACH",
    "host is down": "EHOSTDOWN",
    "connection timed out": "ETIMEDOUT",
    "operation timed out": "ETIMEDOUT",
    "connection reset by peer": "ECONNRESET",
    "software caused connection abort": "ECONNABORTED",
    "broken pipe": "EPIPE",
    "no space left on device": "ENOSPC",
    "disk quota exceeded": "EDQUOT",
    "too many open files": "EMFILE",
    "too many open files in system": "ENFILE",
    "cannot allocate memory": "ENOMEM",
    "permission denied": "EACCES",
    "operation not permitted": "EPERM",
    "read-only file system": "EROFS",
    "no such file or directory": "ENOENT",
    "not a directory": "ENOTDIR",
    "address already in use": "EADDRINUSE",
    "cannot assign requested address": "EADDRNOTAVAIL",
}
_strerror: Final = re.compile(
    r"(?:^|[:(] ?)(" + "|".join(sorted(_strerror_codes, key=len, reverse=True)) + r")(?=$|[,;:)\n]| [(@-])",
    re.IGNORECASE,
)


# "[Errno 111] ...", "(os error 111)", or an error of the system as it prints itself inside of another one
_errno_text = re.compile(
    r"\[Errno (-?\d{1,4})\]|\b(?:Connection\w{0,20}Error|BrokenPipeError|OSError|gaierror)\((-?\d{1,3}), "
    r"|(?:\(os |\b)error[ =](\d{1,4})(?:\)|, )"
)
_errno_word = re.compile(r"\b(E[A-Z]{3,14})\b")
_errno_names: Final = frozenset(errnos.errorcode.values())
_resolver: Final = {-2: "EAI_NONAME", -3: "EAI_AGAIN", -4: "EAI_FAIL", -5: "EAI_NODATA", -9: "EAI_ADDRFAMILY"}


def _errno_name(number: int, one: Raised) -> str:
    if number < 0 or one.named("gaierror"):
        return _resolver.get(number, "")
    return errnos.errorcode.get(number, "")


# ---- the other side ------------------------------------------------------------------------------


def _products(case: Case) -> dict[str, None]:
    found: dict[str, None] = {}
    for one in case.raised:
        for module, _ in one.classes:
            product = index.product_of(module)
            if product:
                found[product] = None
    if found:
        return found
    # asyncpg and others raise plain socket errors: the library's frames tell
    if any(one.errno or one.named("OSError", "TimeoutError", "ConnectionError") for one in case.raised):
        for frame in reversed(case.frames[-limits.diagnosed_frames_max :]):
            product = index.product_of(frame.module)
            if product and not in_app(frame):
                return {product: None}
    return {}


_addresses: Final = (
    re.compile(r'server at "([^"]{1,200})"(?: \([^)]*\))?, port (\d{1,5})'),
    re.compile(r"host='([^']{1,200})', port=(\d{1,5})"),
    re.compile(r"\('([\w.:\-]{1,200})', (\d{1,5})"),
    re.compile(
        r"(?:onnecting to|connect to(?: host)?|onnection to|dial tcp|ECONNREFUSED) \[?([\w.\-:]{1,200}?)\]?:(\d{1,5})\b"
    ),
    re.compile(r"Can't connect to \w+ server on '([\w.\-:]{1,200}?)(?::(\d+))?'"),
)
_url = re.compile(r"\b(https?)://([\w.\-]{1,200})(?::(\d{1,5}))?")


def _address(case: Case) -> str:
    for one in reversed(case.raised):
        if one.peer:
            return one.peer
    for one in reversed(case.raised):
        for pattern in _addresses:
            found = pattern.search(one.text)
            if found:
                return f"{found[1]}:{found[2]}" if found[2] else found[1]
    if any(index.peer_of(product) == "http" for product in case.products):
        for one in reversed(case.raised):
            found = _url.search(plain(one.text, limits.diagnosed_text_chars_max))
            if found:
                return f"{found[2]}:{found[3] or ('443' if found[1] == 'https' else '80')}"
    return ""


# ---- what the tables say -------------------------------------------------------------------------


def _clues(one: Raised, case: Case) -> Iterator[tuple[Rule, Fact]]:
    source = f"exception[{one.number}]"
    for rule, fact in (*_code_clues(one, case, source), *_class_clues(one, source), *_text_clues(one, case, source)):
        if case.peer == "database" and rule.id in _of_a_store:
            rule = by_id[_of_a_store[rule.id]]
        if not (rule.peer == "database" and case.peer == "http"):
            yield rule, fact


# What texts say of any peer, where the peer is known to be a data store.
_of_a_store: Final = {"overload.upstream_down": "database.refused", "overload.upstream_timeout": "database.timeout"}


def _code_clues(one: Raised, case: Case, source: str) -> Iterator[tuple[Rule, Fact]]:
    at = f" at {case.address}" if case.address else ""
    if one.errno:
        rule = index.by_errno(one.errno, case.peer)
        if rule:
            text = _errno_text_of(one, case)
            yield rule, Fact("errno", case.address or one.type, one.errno, "decisive", f"{source}.mechanism", text)
    if one.sqlstate and not (one.errno and one.sqlstate.startswith("08")):  # the system says why it cannot connect
        rule = index.by_sqlstate(one.sqlstate)
        if rule:
            name = name_of(one.sqlstate)
            text = f"{case.product or 'the database'}{at} answered {one.sqlstate}" + (f" ({name})" if name else "")
            yield (
                rule,
                Fact("sqlstate", case.product, one.sqlstate, "decisive", f"{source}.mechanism.data.sqlstate", text),
            )
    yield from _driver_codes(one, case, source)
    yield from _reply_clues(one, case, source)


def _errno_text_of(one: Raised, case: Case) -> str:
    if one.errno.startswith("X509_"):
        who = f"the certificate of {case.address}" if case.address else "the certificate"
        return f"{who} failed the check (verify code {one.errno[5:]})"
    if case.address and one.errno in _errno_words:
        return f"{case.address} {_errno_words[one.errno]} ({one.errno})"
    name = one.attrs.get("filename")
    what = f"{name}: " if isinstance(name, str) and name else ""
    return f"{what}{_errno_alone.get(one.errno, 'the system reported')} ({one.errno})"


_errno_words: Final = {
    "ECONNREFUSED": "refuses connections",
    "ETIMEDOUT": "does not answer",
    "ECONNRESET": "reset the connection",
    "EPIPE": "closed the connection",
    "EHOSTUNREACH": "cannot be reached, there is no route",
    "ENETUNREACH": "lies in a network that cannot be reached",
}
_errno_alone: Final = {
    "ECONNREFUSED": "the connection was refused",
    "ETIMEDOUT": "the connection timed out",
    "ECONNRESET": "the connection was reset",
    "EPIPE": "the connection was closed by the other side",
    "ENOSPC": "no space is left on the device",
    "EMFILE": "the process has too many open files",
    "ENFILE": "the system has too many open files",
    "ENOENT": "there is no such file or folder",
    "EACCES": "permission was denied",
    "EAI_NONAME": "the host name does not resolve",
    "EAI_AGAIN": "the DNS resolver did not answer",
}
_general_state = re.compile(r"SQLSTATE\[HY000\](?: \[|: General error: )(\d{4})\b")
_number_text = re.compile(r"(?:\([\w.]+\) )?\(?(\d{4})(?:,| \()")


def _driver_codes(one: Raised, case: Case, source: str) -> Iterator[tuple[Rule, Fact]]:
    general = _general_state.search(one.text)  # PDO: a code of four digits is MySQL's
    if "mysql" in case.products or general:
        found = general or _number_text.match(one.text)
        number = one.code if isinstance(one.code, int) else int(found[1]) if found else 0
        rule = index.by_mysql(number)
        if number == 1366 and "Incorrect string value" in one.text:
            rule = None  # two meanings: the text table knows this one
        if rule:
            yield (
                rule,
                Fact(
                    "mysql",
                    "MySQL",
                    str(number),
                    "decisive",
                    f"{source}.mechanism.data.code",
                    f"MySQL answered {number}",
                ),
            )
    elif isinstance(one.code, str) and one.code.startswith("SQLITE_") and one.code != "SQLITE_ERROR":
        rule = index.by_sqlite(one.code)
        if rule:
            yield (
                rule,
                Fact(
                    "sqlite",
                    "SQLite",
                    one.code,
                    "decisive",
                    f"{source}.mechanism.data.code",
                    f"SQLite answered {one.code}",
                ),
            )


_replies: Final = (
    re.compile(r"\b([45]\d\d) (?:Client|Server) Error\b"),
    re.compile(r"(?:Client|Server) error '([45]\d\d) "),
    re.compile(r"HTTP Error ([45]\d\d)\b"),
    re.compile(r"^([45]\d\d), message="),
    re.compile(r"An error occurred \((\w+(?:\.\w+)*)\) when calling"),
    re.compile(r"StatusCode\.([A-Z_]+)"),
    re.compile(r"too many ([45]\d\d) error responses"),
    re.compile(r"\b(?:[Ss]tatus|HTTP|[Rr]esponse)(?: (?:status|response))?(?: ?[Cc]ode)?[:=]? ?([45]\d\d)\b"),
    re.compile(r"\bcode = ([A-Z]\w+) desc = "),
    re.compile(r"\b[Ee]rror code: ([45]\d\d)\b"),
    re.compile(r"^\(([45]\d\d)\)\nReason: "),
)


# "... resulted in a `503 Service Unavailable` response": a number beside its own name is a status wherever it stands
_named_status: Final = re.compile(r"\b([45]\d\d) ([A-Z][a-z]+)")
_status_names: Final = {(str(status.value), status.phrase.partition(" ")[0]) for status in HTTPStatus}
# Clients of many services begin their message with the status; so do the frameworks that answer with one themselves,
# and sentences that happen to begin with that number. Its name beside it, or a client's class, makes it an answer.
_begins_with_status: Final = re.compile(
    r"(?:Error:? )?(401|403|429)(?::|,| -)? +(Unauthori[sz]ed|Forbidden|Too Many Requests)?"
)
_answering: Final = frozenset(
    ("werkzeug", "starlette", "fastapi", "django", "rest_framework", "flask", "aiohttp", "tornado", "sanic", "falcon")
)


def _reply_clues(one: Raised, case: Case, source: str) -> Iterator[tuple[Rule, Fact]]:
    code = next((str(one.attrs[k]) for k in ("status_code", "status", "code") if isinstance(one.attrs.get(k), int)), "")
    if not code and isinstance(one.code, str | int) and "http" in case.products:
        code = str(one.code)
    if not (code and index.by_reply(code)):
        code = next((found[1] for pattern in _replies if (found := pattern.search(one.text))), "")
        if not code and one.roots.isdisjoint(_answering) and not is_own(one.item):
            code = next((found[0] for found in _named_status.findall(one.text) if found in _status_names), "")
        if code[:1].isalpha() and not index.by_reply(code):  # gRPC for Go: ResourceExhausted
            code = "_".join(stores.words_of(code)).upper()
        if not code and "smtplib" in one.roots and _smtp_later.search(one.text):
            code = "SMTP 4"
    if code == "UNAVAILABLE" and _no_connection.search(one.text):
        return  # gRPC says the same of a server that is busy and of none
    rule = index.by_reply(code) if code else None
    if rule is None and one.roots.isdisjoint(_answering) and (begins := _begins_with_status.match(one.text)):
        rule = index.by_reply(begins[1]) if begins[2] or "http" in case.products else None
        if rule:
            who = case.address or "another service"
            yield (
                rule,
                Fact("reply", case.address, begins[1], "strong", f"{source}.value", f"{who} answered {begins[1]}"),
            )
        return
    if rule:
        who = case.address or "another service"
        text = f"{who} answered {code}"
        yield rule, Fact("reply", case.address, code, "decisive", f"{source}.value", text)


_no_connection: Final = re.compile(r"ailed to connect|onnection refused|while dialing")
_smtp_later: Final = re.compile(r"\(4\d\d, b['\"]")


_soft: Final = frozenset(
    [
        "ValueError",
        "RuntimeError",
        "AssertionError",
        "LookupError",
        "SystemError",
        "EOFError",
        "ImportError",
        "Error",
        "ErrorException",
        "IllegalStateException",
        "IllegalArgumentException",
        "InvalidOperationException",
    ]
)


def _class_clues(one: Raised, source: str) -> Iterator[tuple[Rule, Fact]]:
    for module, name in one.classes:
        rules = [rule for needle, rule in index.by_class(module, name) if needle in one.text]
        for rule in rules:
            soft = rule.weak_class or name != one.type or (name in _soft and not _of_the_language(one))
            strength: Strength = "strong" if soft else "decisive"
            root = index.root_of(module)
            said = one.type if root in ("", "builtins") else f"{root} raised {one.type}"
            yield (
                rule,
                Fact("class", f"{module}.{name}" if module else name, one.type, strength, f"{source}.type", said),
            )
        if rules:
            return


def _of_the_language(one: Raised) -> bool:
    """Raised by what a line of the application does, not by a ``raise`` that somebody wrote."""
    inner = one.frames[-1] if one.frames else None
    return (
        inner is not None
        and in_app(inner)
        and bool(inner.context_line.strip())
        and not inner.context_line.lstrip().startswith("raise")
        and ("builtins", one.type) in one.classes[:1]
    )


def _unmistakable(one: Raised) -> bool:
    """The texts of OpenSSL, json and threading: nobody else writes them from there."""
    inner = root(one.frames[-1]) if one.frames else ""
    return "[SSL" in one.text or (inner in ("json", "threading") and one.type in ("TypeError", "RuntimeError"))


def _text_clues(one: Raised, case: Case, source: str) -> Iterator[tuple[Rule, Fact]]:
    for needle, rule in index.by_text(one.text, case.products):
        product = next((p for p in case.products if f"{p}|{needle}" in rule.texts), "")
        language = rule.cause == "bug" and _of_the_language(one)
        strength: Strength = "decisive" if product or language or _unmistakable(one) else "strong"
        who = index.labels.get(product) or one.type or "the message"
        said = f"{who} says {needle.strip()!r}"
        yield rule, Fact("message", product or one.type, needle, strength, f"{source}.value", said)
