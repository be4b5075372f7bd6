"""Frames and source lines: what the failing code was doing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from fivehundred.diagnosis import statements
from fivehundred.diagnosis.frames import before, in_app, root, where
from fivehundred.diagnosis.model import Fact, Strength

if TYPE_CHECKING:
    from fivehundred.diagnosis.case import Case

Facts = Iterator[Fact]


def raised_in_application(case: Case) -> Facts:
    """It was raised in the application's own code."""
    frame = case.app_frame
    if frame is not None:
        yield Fact(
            "frame",
            frame.function,
            str(frame.lineno),
            "weak",
            "frames",
            f"it was raised in the application's own code, {where(frame)}",
        )


def out_of_application(case: Case) -> Facts:
    """The last resort: something was raised, and no row knows it."""
    frame = case.app_frame
    if frame is None or not case.raised or not case.raised[0].type:
        return
    one = case.raised[0]
    strength: Strength = "strong" if case.frames and in_app(case.frames[-1]) else "weak"
    yield Fact("class", one.type, one.type, strength, f"exception[{one.number}].type", f"{one.type}: {one.text[:120]}")
    yield from raised_in_application(case) if strength == "strong" else ()


# ---- imports -------------------------------------------------------------------------------------


def import_failed(case: Case) -> Facts:
    """An import failed."""
    for one in case.raised:
        if one.named("ImportError", "ModuleNotFoundError", "OSError"):
            yield Fact(
                "class",
                one.type,
                one.type,
                "strong",
                f"exception[{one.number}].type",
                f"the import failed: {one.text[:120]}",
            )
            return


def import_of_own_code(case: Case) -> Facts:
    """The missing module or name belongs to the application itself."""
    for one in case.raised:
        if not one.named("ImportError", "ModuleNotFoundError"):
            continue
        found = re.search(
            r"No module named '([\w.]+)'|cannot import name '\w+' from (?:partially initialized module )?'([\w.]+)'",
            one.text,
        )
        package = (found[1] or found[2] or "") if found else ""
        own = {root(f) for f in one.frames if in_app(f)} - {"__main__", "app", "main", "wsgi", "asgi", ""}
        inside = "." in package or (found is not None and found[2])
        if package and package.partition(".")[0] in own and inside:
            yield Fact(
                "import",
                package,
                one.type,
                "decisive",
                f"exception[{one.number}].value",
                f"{package} belongs to the application itself",
                None,
                True,
            )
            return


def zone_asked(case: Case) -> Facts:
    """zoneinfo looks for the package tzdata, and reports the zone: what is missing is the zone that a client named."""
    for one in case.raised:
        if one.named("ZoneInfoNotFoundError"):
            yield Fact("class", one.type, one.type, "strong", f"exception[{one.number}].type", "a time zone is unknown")
            return


def resolver_silent(case: Case) -> Facts:
    """The resolver gave no answer."""
    for one in case.raised:
        if one.errno in ("EAI_AGAIN", "EAI_FAIL") or "Temporary failure in name resolution" in one.text:
            text = "the resolver gave no answer"
            yield Fact("errno", "DNS", "EAI_AGAIN", "strong", f"exception[{one.number}]", text, None, True)
            return


def name_does_not_exist(case: Case) -> Facts:
    """The resolver answered that there is no such name."""
    for one in case.raised:
        if one.errno == "EAI_NONAME" or "Name or service not known" in one.text:
            yield Fact(
                "errno",
                "DNS",
                "EAI_NONAME",
                "strong",
                f"exception[{one.number}]",
                "it answered that there is no such name",
                None,
                True,
            )
            return


# ---- files ---------------------------------------------------------------------------------------

_configuration: Final = r"\.(?:ya?ml|toml|ini|cfg|conf|json|env|properties)\b|config|settings"


def configuration_file_broken(case: Case) -> Facts:
    """A parser failed on a file that the application opens as its configuration."""
    frame = case.app_frame
    if frame is None or not any(
        one.named("JSONDecodeError", "YAMLError", "TOMLDecodeError", "ParseError", "Error") for one in case.raised
    ):
        return
    if any(one.named("JSONDecodeError", "ParseError") for one in case.raised):
        source = before(frame)
        if (
            re.search(_configuration, source, re.IGNORECASE)
            and re.search(r"open\(|read_text|\.load\(|parse\(", source)
            and "request." not in source
        ):
            yield Fact(
                "frame",
                frame.function,
                "configuration",
                "strong",
                "frames",
                f"{where(frame)} reads a configuration file",
            )


def file_is_ours(case: Case) -> Facts:
    """The failing line reads a file of the application."""
    frame = case.app_frame
    if frame is not None and re.search(
        r"open\(|read_text|read\(|\.load\(|" + _configuration, before(frame), re.IGNORECASE
    ):
        yield Fact(
            "frame",
            frame.function,
            "file",
            "strong",
            "frames",
            f"{where(frame)} reads it from a file of ours",
            None,
            True,
        )
    for one in case.raised:
        found = re.search(r'in "([^"<>]{1,200})", line (\d+)|\'([^\']+\.(?:ini|cfg|conf|toml|ya?ml))\'', one.text)
        if found:
            name = found[1] or found[3]
            yield Fact(
                "message",
                name,
                found[2] or "",
                "strong",
                f"exception[{one.number}].value",
                f"the parser names the file {name}",
                None,
                True,
            )
            return


def path_is_constant(case: Case) -> Facts:
    """The path holds no value of the request."""
    for one in case.raised:
        if one.errno and case.event.request is not None:
            yield Fact(
                "input", "path", "absent", "weak", "request", "the path holds no value of the request", None, True
            )
            return
    yield from raised_in_application(case)


def configured_url_is_none(case: Case) -> Facts:
    """An address is None or empty."""
    for one in case.raised:
        found = re.search(r"Invalid URL '(None[^']*|)'|unknown url type: '?(None|)|Request URL is missing", one.text)
        if found:
            yield Fact("message", "URL", "None", "strong", f"exception[{one.number}].value", one.text[:120])
            return


def ascii_locale(case: Case) -> Facts:
    """A file is opened without an encoding, and the codec is not UTF-8."""
    for one in case.raised:
        if one.named("UnicodeDecodeError", "UnicodeEncodeError") and re.match(
            r"'(?:ascii|latin-1|ANSI_X3\.4-1968|cp1252|charmap)' codec", one.text
        ):
            frame = case.app_frame
            line = before(frame, 3) if frame is not None else ""
            opened = re.search(r"\bopen\(|read_text\(|\.read\(|write_text\(|print\(|\.write\(", line)
            explicit = re.search(r"encoding\s*=|\.(?:de|en)code\(", frame.context_line if frame else "")
            if opened and not explicit:
                yield Fact(
                    "message",
                    "locale",
                    one.text[:20],
                    "decisive",
                    f"exception[{one.number}].value",
                    f"{one.text[:80]} where a file is opened without an encoding",
                )
                codecs = any(
                    root(f) in ("encodings", "codecs") or "ascii.py" in (f.abs_path or f.filename)
                    for f in case.frames[-2:]
                )
                if codecs:
                    yield Fact(
                        "frame",
                        "encodings",
                        "ascii",
                        "strong",
                        "frames",
                        "the default encoding of the process is not UTF-8",
                    )
            return


def clock_differs(case: Case) -> Facts:
    """Our clock differs from the peer's by more than a minute."""
    skew = case.ours.get("clock_skew_s")
    if isinstance(skew, int | float) and not isinstance(skew, bool) and abs(skew) > 60:
        yield Fact(
            "clock",
            "skew",
            f"{skew:.0f}",
            "decisive",
            "contexts.fivehundred.clock_skew_s",
            f"our clock differs by {abs(skew):.0f} s from the peer's",
        )


# ---- the code itself -----------------------------------------------------------------------------


def frames_repeat(case: Case) -> Facts:
    """The same frames repeat at the end of the stack."""
    frames = case.frames[-60:]
    names = [(f.module, f.function) for f in frames]
    for length in range(1, 9):
        tail = names[-length * 3 :]
        if len(tail) == length * 3 and tail[:length] == tail[length : 2 * length] == tail[2 * length :]:
            cycle = " -> ".join(dict.fromkeys(function for _, function in tail[:length]))
            yield Fact("frame", cycle, str(length), "strong", "frames", f"the frames repeat: {cycle}")
            return


_counts: Final = re.compile(r"[Ss]emaphore|\bsem\b|\b_?(?:slots|limiter|permits)\b")


def waits_for_own_lock(case: Case) -> Facts:
    """The application gave up waiting for a lock, with nothing saturated."""
    timed_out = any(
        one.named("TimeoutError", "Timeout", "LockTimeout")
        or (one.type == "RuntimeError" and re.search(r"time.?out|locked|too long|deadlock", one.text))
        or "imeout" in one.type
        or "eadlock" in one.type
        for one in case.raised
    )
    frame = case.app_frame
    if frame is None or not timed_out or case.peer == "database":
        return
    source = before(frame, 4)
    if _counts.search(source) or any(_counts.search(f.function) for f in case.frames[-3:]):
        return  # a semaphore counts what is in use: that is a limit that is reached
    waits = re.search(r"\.acquire\(|\bLock\b|_lock\b|lock_[ab]\b|\bmutex|\block\w*\b|Condition", source)
    inner = any(f.module in ("threading", "asyncio.locks") for f in case.frames[-4:])
    if (waits or inner) and not re.search(r"requests\.|httpx|urlopen|redis", source):
        yield Fact(
            "frame",
            frame.function,
            "lock",
            "decisive" if "acquire" in source else "strong",
            "frames",
            f"{where(frame)} waits for a lock of the application",
            None,
            True,
        )


_upstream: Final = (
    r"\.json\(\)|requests\.|httpx\.|urlopen|response|\bresp\b|\.content|session\.(?:get|post)|client\.(?:get|post)"
)


def reads_upstream_answer(case: Case) -> Facts:
    """A look-up or a parser failed on what another service has just answered."""
    if not any(
        one.named("KeyError", "JSONDecodeError", "TypeError", "IndexError", "ValidationError", "ParseError")
        for one in case.raised
    ):
        return
    frame = case.app_frame
    if frame is None:
        return
    source = before(frame, 5)
    crumb = any(
        c.category in ("httplib", "http", "fetch", "requests", "urllib3.connectionpool", "httpx")
        for c in case.event.breadcrumbs[-5:]
    )
    library = any(root(f) in ("requests", "httpx", "httpx2", "urllib3", "aiohttp") for f in case.frames[-6:])
    if (
        re.search(_upstream, source)
        and (
            crumb
            or library
            or re.search(r"requests\.|httpx|urlopen|session\.(?:get|post)|client\.(?:get|post)|\.json\(\)", source)
        )
        and "request.json" not in source
    ):
        yield Fact(
            "frame",
            frame.function,
            "upstream",
            "strong",
            "frames",
            f"{where(frame)} reads the answer of another service",
        )
        one = case.raised[-1]
        yield Fact(
            "class", one.type, one.type, "strong", f"exception[{one.number}].type", f"{one.type}: {one.text[:80]}"
        )


# ---- statements and schema -----------------------------------------------------------------------


def statement_in_code(case: Case) -> Facts:
    """The failing statement is known."""
    for place, statement in statements.of(case):
        yield Fact(
            "statement",
            "SQL",
            statement[:80],
            "weak",
            place,
            f"the application's statement was: {' '.join(statement.split())[:120]}",
        )
        return
    yield from raised_in_application(case)


def schema_confirmed(case: Case) -> Facts:
    """It was first seen in the newest release, or only older ones are hit."""
    history = case.history
    if history.newest_release and case.event.release == history.newest_release and len(history.releases) == 1:
        yield Fact(
            "history",
            "release",
            case.event.release,
            "strong",
            "history",
            f"it was first seen in the newest release {case.event.release}",
        )
    elif history.newest_release and case.event.release and case.event.release != history.newest_release:
        yield Fact(
            "history",
            "release",
            case.event.release,
            "strong",
            "history",
            f"only the older release {case.event.release} is hit, {history.newest_release} is newer",
        )
    name = statements.missing_name(case)
    if name:
        yield Fact("schema", name, "missing", "strong", "exception", f"the database does not know the name {name}")


def _words(text: str) -> set[str]:
    return {word.lower() for word in re.findall(r"\w+", text)}


def name_is_misspelt(case: Case) -> Facts:
    """The database itself proposes another spelling, or the statement spells the same name in two ways."""
    for one in case.raised:
        found = re.search(r'Perhaps you meant to reference the column "([^"]+)"', one.text)
        if found and case.event.release and case.history.events > 0 and len(case.history.releases) > 1:
            yield Fact(
                "message",
                "hint",
                found[1],
                "strong",
                f"exception[{one.number}].value",
                f"the database proposes {found[1]!r}",
                None,
                True,
            )
            return


def misspelt_name(case: Case) -> Facts:
    """The database proposes another spelling, or two types do not fit."""
    for fact in (*name_is_misspelt(case), *types_do_not_fit(case)):
        yield Fact(fact.kind, fact.subject, fact.value, fact.strength, fact.source, fact.text)


def types_do_not_fit(case: Case) -> Facts:
    """42883 speaks of operators as well: a number compared with a text is the statement's fault."""
    for one in case.raised:
        if one.sqlstate == "42883" and re.search(r"operator does not exist|explicit type casts|operator", one.text):
            yield Fact(
                "sqlstate",
                "operator",
                "42883",
                "decisive",
                f"exception[{one.number}]",
                "the statement compares two types that do not fit",
                None,
                True,
            )
            return


def earlier_database_error(case: Case) -> Facts:
    """An error of the database stands before it, in the chain or in the log."""
    if len(case.raised) > 1:
        first = case.raised[-1]
        yield Fact(
            "chain",
            first.type,
            first.type,
            "strong",
            f"exception[{first.number}]",
            f"the first error was {first.type}: {first.text.partition(chr(10))[0][:80]}",
        )
        return
    for crumb in reversed(case.event.breadcrumbs[-20:]):
        if crumb.level in ("error", "warning", "fatal") or "rror" in crumb.message:
            yield Fact(
                "breadcrumb",
                crumb.category,
                crumb.level,
                "strong",
                "breadcrumbs",
                f"before it was logged: {crumb.message[:100]}",
            )
            return
    yield from raised_in_application(case)
