"""The rule: which fault is this event of? Reads an event, asks the memory, and says why. Never raises, never does I/O.

In order: what the sender grouped by itself; a resource or variable that fails wherever it is used; the place in the
application and what its line or message says; the message of an event without a stack. All keys are kept, the first
groups. The argument for each step is in docs/why/grouping.md.
"""

# ruff: noqa: SIM905 - lists of names read better as they are

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from fivehundred.event import Event, ExceptionItem, Frame
from fivehundred.fingerprint import outage as outages
from fivehundred.fingerprint import source, template
from fivehundred.fingerprint.chain import Chain
from fivehundred.fingerprint.libraries import known
from fivehundred.fingerprint.memory import Found, Memory, Traits, digest
from fivehundred.fingerprint.model import Fingerprint, Key, KeyKind, version
from fivehundred.fingerprint.roots import root_exception
from fivehundred.fingerprint.site import Site, callers_max, circle, site

title_chars_max: Final = 200
message_chars_max: Final = 500


def fingerprint(event: Event, memory: Memory) -> Fingerprint:
    """The keys of an event. Teaches ``memory``; call it once per event, in the order of their arrival."""
    looks = _looks(event)
    found = _resource(event, looks)
    if found is None:
        found = _stack(event, memory, looks) if event.exceptions or event.frames else _log(event)
    return _by_sender(event, found)


@dataclass(slots=True)
class _Looks:
    """What the exceptions of an event say, whatever else is in it; found out when it is first asked for."""

    variable: tuple[str, int] | None
    outage: outages.Outage | None
    sites: list[Site | None] | None = None
    root: int = -1
    traits: Traits | None = None
    made: Fingerprint | None = None  # of the last event with these exceptions
    made_of: tuple[object, ...] = ()  # and what else decided about it


def _looks(event: Event) -> _Looks:
    chain = event.exceptions
    if not chain or not isinstance(chain, Chain):
        return _Looks(outages.environment_variable(event), outages.outage(event))
    found = chain.notes.get("fingerprint")
    if not isinstance(found, _Looks):
        found = _Looks(outages.environment_variable(event), outages.outage(event))
        chain.notes["fingerprint"] = found
    return found


# ---- what the sender says --------------------------------------------------------------------------------

_DEFAULT: Final = re.compile(r"\{\{\s*default\s*\}\}")


def _by_sender(event: Event, fp: Fingerprint) -> Fingerprint:
    """A client's own ``fingerprint`` groups, with ``{{ default }}`` standing for what we would have grouped by."""
    given = [part for part in event.fingerprint if part.strip()]
    if not given or all(_DEFAULT.fullmatch(part.strip()) for part in given):
        return fp
    parts = [_DEFAULT.sub(fp.primary.value, part) for part in given]
    shown = tuple((f"part {i}", part[:title_chars_max]) for i, part in enumerate(given[:10], 1))
    key = Key("client", digest("client", *parts), shown)
    why = (f"grouped by the sender's own fingerprint: {', '.join(given)[:title_chars_max]}",)
    return Fingerprint(version, (key, *fp.keys), fp.title, fp.message, fp.culprit, fp.root, fp.frame, why + fp.why)


# ---- resources -------------------------------------------------------------------------------------------


def _resource(event: Event, looks: _Looks) -> Fingerprint | None:
    if looks.variable is None and (looks.outage is None or not looks.outage.certain):
        return None
    if looks.made is None or looks.made_of != (event.transaction,):
        looks.made, looks.made_of = _of_resource(event, looks), (event.transaction,)
    return looks.made


def _of_resource(event: Event, looks: _Looks) -> Fingerprint | None:
    if looks.variable is not None:
        name, at = looks.variable
        why = f"grouped by the environment variable {name}, which is missing wherever it is read; the stack was ignored"
        return _made(event, at, "env", (("variable", name),), why)
    out = looks.outage
    if out is None:
        return None
    parts = tuple((n, v) for n, v in (("kind", out.kind), ("family", out.family), ("peer", out.peer)) if v)
    what = " ".join(v for v in (out.family, out.peer) if v) or "the machine"
    why = f"grouped by the resource that failed ({what}: {out.kind}), whatever called it; the stack was ignored"
    return _made(event, out.exception, "outage", parts, why)


def _made(event: Event, at: int, kind: KeyKind, parts: tuple[tuple[str, str], ...], why: str) -> Fingerprint:
    """A fingerprint without frames in its key; the page still opens at the application's frame, where there is one."""
    shown = next(((i, s) for i in (at, *range(len(event.exceptions))) if (s := site(event.exceptions[i].frames))), None)
    x = event.exceptions[at]
    keys = (Key(kind, digest(kind, *(v for p in parts for v in p)), parts), _loose(_type(x), _codes(x), ()))
    return Fingerprint(
        version,
        keys,
        title=x.type[:title_chars_max] or "Error",
        message=_one_line(x.value),
        culprit=_culprit(event, shown[1] if shown else None),
        root=shown[0] if shown else at,
        frame=shown[1].frame if shown else len(event.exceptions[at].frames) - 1,
        why=(why,),
    )


# ---- stacks ----------------------------------------------------------------------------------------------


def _stack(event: Event, memory: Memory, looks: _Looks) -> Fingerprint:
    if looks.sites is None:
        looks.sites = [site(x.frames) for x in event.exceptions]
        looks.root = root_exception(event.exceptions, looks.sites)
    sites, root = looks.sites, looks.root
    x = event.exceptions[root] if root >= 0 else None
    frames = x.frames if x else event.frames
    where = sites[root] if x else site(frames)
    if not x and (where is None or template.constant(template.template(event.message_template or event.message)) > 2):
        return _log(event, where)
    if where is None and not (x and x.type):
        return _log(event)
    traits = looks.traits = _of_event(event, looks.traits or _traits(event, root, where, sites), frames, where)
    found = memory.find(traits)
    decided = (found.group.value, found.caller, found.continues, found.notes, event.transaction)
    if looks.made is None or looks.made_of != decided:
        looks.made, looks.made_of = _of_group(event, root, where, traits, found), decided
    return looks.made


def _of_group(event: Event, root: int, where: Site | None, traits: Traits, found: Found) -> Fingerprint:
    x = event.exceptions[root] if root >= 0 else None
    keys = [Key("strict", found.group.value, _parts(traits, found))]
    keys.append(_loose(traits.type, traits.codes, traits.words))
    if traits.line.shape and traits.line.words:
        keys.append(Key("line", digest("line", traits.type, traits.line.shape), (("line", traits.line.shape),)))
    if not x:
        keys.append(_message_key(event))
    return Fingerprint(
        version,
        tuple(keys),
        title=(x.type if x else _one_line(event.message) or "Message")[:title_chars_max],
        message=_one_line(x.value if x else event.message),
        culprit=_culprit(event, where),
        root=root,
        frame=where.frame if where else len(x.frames if x else event.frames) - 1,
        why=_why(traits, found, where),
        continues=found.continues,
    )


# Where these strike is chance: the place says nothing, the task or request that was interrupted does.
_ANYWHERE: Final = frozenset(
    "SoftTimeLimitExceeded TimeLimitExceeded SystemExit KeyboardInterrupt JobTimeoutException".split()
)
_OVERFLOWS: Final = frozenset(("RecursionError", "StackOverflowError"))


def _traits(event: Event, root: int, where: Site | None, sites: Sequence[Site | None]) -> Traits:
    x = event.exceptions[root] if root >= 0 else None
    frames = x.frames if x else event.frames
    kind = _type(x) if x else "message"
    line = source.read(frames[where.crash].context_line) if where else source.nothing
    codes = _codes(x) if x else ()
    words: tuple[str, ...] = ()
    if x is None:
        words = template.template(event.message_template or event.message)
    elif _by_a_person(x, where, line) or (event.platform in _SPEAKING and _is_general(event.platform, x.type)):
        words = template.template(x.value)
    elif where and where.generated and kind in ("KeyError", "IndexError"):
        codes += _identifier(x.value)  # there is no line to tell two of its reasons apart
    place, function = (str(where.place), where.place.function) if where else ("", "")
    callers = _callers(sites[root + 1 :] if root >= 0 else (), where)
    chance = kind in _ANYWHERE or kind in _OVERFLOWS
    if where and kind in _ANYWHERE and callers:
        place, function, callers = callers[-1], "", ()
    elif where and kind in _OVERFLOWS and (around := circle(frames)):
        place, function, callers = " ".join(str(p) for p in around), "", ()
    if where and where.anonymous:
        place = f"{place} in a lambda of {where.anonymous}"
    if not where:
        words = words or template.template(x.value if x else event.message)
    return Traits(
        type=kind,
        place=place,
        function=function,
        callers=callers,
        codes=codes,
        words=words,
        line=line,
        lined=not chance and template.constant(words) < 2,
        release="",
        spot="",
    )


def _of_event(event: Event, traits: Traits, frames: Sequence[Frame], where: Site | None) -> Traits:
    """The traits with what the exceptions do not say."""
    chance = traits.type in _ANYWHERE or traits.type in _OVERFLOWS
    spot = _spot(event, frames[where.crash]) if where and not chance else ""
    if traits.release == event.release and traits.spot == spot:
        return traits
    return replace(traits, release=event.release, spot=spot)


def _callers(newer_sites: Sequence[Site | None], where: Site | None) -> tuple[str, ...]:
    """The callers of the site. A caught exception's stack ends at its catcher; the newer ones of the chain go on."""
    if where is None:
        return ()
    found = list(where.callers)
    for newer in newer_sites:
        places = (newer.place, *newer.callers) if newer else ()
        top = found[-1] if found else where.place
        if top in places:
            found += [p for p in places[places.index(top) + 1 :] if p not in found]
    return tuple(str(p) for p in found[:callers_max])


def _spot(event: Event, frame: Frame) -> str:
    """The line within one release, which tells two lines apart where there is no source; never across releases."""
    if not event.release or frame.lineno is None or (frame.filename.startswith("<")):
        return ""
    column = f".{frame.colno}" if frame.colno and event.platform in ("javascript", "node") else ""
    return f"{event.release}:{frame.lineno}{column}"


def _by_a_person(x: ExceptionItem, where: Site | None, line: source.Line) -> bool:
    """Did the application's author write this message? Else a library or the interpreter did."""
    if x.module and not known(x.module):
        return True
    if where is None or not where.deepest:
        return False
    if line.shape and not line.raises:
        return False
    if line.raises:
        return not template.interpreters("", x.value)
    return (not x.module or x.module == "builtins") and not template.interpreters(x.type, x.value)


# Languages whose libraries put all their errors into one class: which one it is, only the message says.
_SPEAKING: Final = frozenset("go java node javascript php ruby csharp rust elixir".split())
_GENERAL: Final = frozenset(
    "error exception fault failure runtime standard io sql psql pq pg my db database jdbc string wrap unknown".split()
)


@lru_cache(maxsize=2_000)
def _is_general(platform: str, kind: str) -> bool:
    """Does the class say no more than that it is an error? In Go none says more."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", re.split(r"[.\\:]", kind)[-1])
    return platform == "go" or (bool(words) and all(word.lower() in _GENERAL for word in words))


def _codes(x: ExceptionItem) -> tuple[str, ...]:
    family = outages.family_of(x)
    wrapped = outages.WRAPPED.match(x.value) if x.module.startswith("sqlalchemy") else None
    state = x.mechanism.data.get("sqlstate") if x.mechanism else None
    found = template.codes(_type(x), x.module, x.value)
    if wrapped:
        found += (wrapped[1].rpartition(".")[2],)
    if family in _DATABASES or x.module.startswith(_MAPPERS) or "SQL" in x.type:
        found += template.database(x.value)
    if isinstance(state, str) and state:
        found += (state,)
    if family in ("http", "grpc"):
        url = _URL_HOST.search(x.value[:2_000])
        found += (url[1].lower(),) if url and not any(c.isdigit() for c in url[1].partition(":")[0]) else ()
    return found


_DATABASES: Final = ("postgresql", "mysql", "sqlite")
_MAPPERS: Final = ("sqlalchemy", "django.db", "peewee", "tortoise", "pony")
_URL_HOST: Final = re.compile(r"https?://([\w.:-]{1,200})")


def _identifier(value: str) -> tuple[str, ...]:
    name = value.strip("'\" ")
    return (name,) if name.isidentifier() and not any(c.isdigit() for c in name) and len(name) < 60 else ()


def _type(x: ExceptionItem) -> str:
    """The class's bare name, under the name that newer interpreters give it."""
    return _bare(x.type)


@lru_cache(maxsize=2_000)
def _bare(kind: str) -> str:
    bare = re.split(r"[.\\:]", kind)[-1] if kind else "Error"
    if bare == "Error" and "." in kind:
        return kind.lstrip("*&")  # Go: the package is the name, "pq.Error"
    return _RENAMED.get(bare, bare) or kind


_RENAMED: Final = {"timeout": "TimeoutError", "IOError": "OSError", "EnvironmentError": "OSError", "error": "Error"}


# ---- logs ------------------------------------------------------------------------------------------------


def _log(event: Event, where: Site | None = None) -> Fingerprint:
    key = _message_key(event)
    shown = _one_line(event.message or event.message_template)
    return Fingerprint(
        version,
        (key,),
        title=shown[:title_chars_max] or "Event without exception and message",
        message=shown,
        culprit=_culprit(event, where) or event.logger,
        root=-1,
        frame=where.frame if where else -1,
        why=("grouped by its message without what looks like data",),
    )


def _message_key(event: Event) -> Key:
    words = template.template(event.message_template or event.message)
    parts = [("message", " ".join(words))]
    if template.constant(words) < 3:  # "failed" alone says little: who says it counts
        parts += [("logger", event.logger.rpartition(".")[2]), ("transaction", event.transaction)]
    return Key("message", digest("message", *(v for p in parts for v in p)), tuple((n, v) for n, v in parts if v))


# ---- what is shown ---------------------------------------------------------------------------------------


def _loose(kind: str, codes: tuple[str, ...], words: tuple[str, ...]) -> Key:
    parts = (("type", kind), ("message", " ".join(words)), ("codes", " ".join(codes)))
    return Key("loose", digest("loose", kind, *codes, "", *words), tuple(p for p in parts if p[1]))


def _parts(t: Traits, found: Found) -> tuple[tuple[str, str], ...]:
    parts = (
        ("type", t.type),
        ("site", t.place),
        ("caller", found.caller),
        ("message", " ".join(t.words)),
        ("codes", " ".join(t.codes)),
        ("line", t.line.shape if t.lined else ""),
    )
    return tuple(p for p in parts if p[1])


def _why(t: Traits, found: Found, where: Site | None) -> tuple[str, ...]:
    why = [
        f"grouped by {t.type} in {t.place}"
        if t.place
        else f"grouped by {t.type} and its message: no stack of the application"
    ]
    if found.caller:
        why.append(f"and by the caller {found.caller}, because {t.place} is shared by several")
    if t.words:
        why.append("and by the message without what looks like data: " + " ".join(t.words)[:title_chars_max])
    elif where:
        why.append("the message was ignored: the interpreter or a library wrote it")
    if t.codes:
        why.append("and by what of the message is a code or a name: " + ", ".join(t.codes)[:title_chars_max])
    if t.lined and t.line.shape:
        why.append("another line of the same function would be another fault")
    why.append("paths, line numbers and frames of libraries were ignored")
    return (*why, *found.notes)


def _culprit(event: Event, where: Site | None) -> str:
    if where is None:
        return event.transaction
    return f"{where.place.module} in {where.place.function}" if where.place.module else where.place.function


# "(psycopg.OperationalError) connection failed": SQLAlchemy's class has the same name, and stands before it
_SAME_ERROR: Final = re.compile(r"\([\w.]{1,60}\.(?:Operational|Integrity|Programming|Data|Internal|Interface)Error\) ")


def _one_line(text: str) -> str:
    """What a title shows: without the statement and the link that SQLAlchemy appends; the page has both."""
    text = text[: 2 * message_chars_max]
    text = text[wrapped.end() :] or text if (wrapped := _SAME_ERROR.match(text)) else text
    for tail in ("\n[SQL: ", "\n(Background on this error at: ", " (Background on this error at: "):
        text = text.partition(tail)[0] or text
    return " ".join(text.split())[:message_chars_max]
