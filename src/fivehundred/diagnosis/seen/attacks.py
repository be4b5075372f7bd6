"""Values of the request that stand again in the operation that failed. A signature alone gives nothing here."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from fivehundred import limits
from fivehundred.diagnosis import statements, taint
from fivehundred.diagnosis.frames import application, before, place, root
from fivehundred.diagnosis.model import Fact, Strength
from fivehundred.diagnosis.taint import Input
from fivehundred.diagnosis.told.base import plain

if TYPE_CHECKING:
    from fivehundred.diagnosis.case import Case
    from fivehundred.event import Frame

Facts = Iterator[Fact]


def standing(one: Input, place: str, strength: Strength = "decisive", *, against: bool = False) -> Fact:
    value = one.value.strip()
    shown = value if len(value) <= limits.value_shown_chars_max else value[: limits.value_shown_chars_max - 1] + "…"
    text = f"the value of {one.label} ({shown!r}) stands in {place}"
    return Fact("taint", one.label, shown, strength, f"request.{one.where}", text, None, against)


def request_has_body(case: Case) -> Facts:
    """The request brought a body."""
    request = case.event.request
    if request is not None and (
        request.data not in (None, "", {}, []) or request.header("content-length") not in ("", "0")
    ):
        yield Fact(
            "request",
            "body",
            request.method,
            "strong",
            "request.data",
            f"the request brought a body ({request.method})",
        )


# ---- SQL -----------------------------------------------------------------------------------------


def sql_injected(case: Case) -> Facts:
    """A value with SQL marks stands in the failing statement, or in the line that puts it together."""
    if not statements.about_a_statement(case):
        return
    for _, statement in statements.of(case):
        for one in taint.standing_in(case.inputs, statement, 2):
            if re.search(taint.sql_signature, one.value) and not statements.is_whole(one.value, statement):
                yield standing(one, "the failing statement")
                return
    for frame, inserted in statements.built(case):
        for one in case.inputs:
            if re.search(taint.sql_signature, one.value) and _is_inserted(one, inserted, frame):
                yield standing(one, f"the statement that {place(frame)} puts together")
                return
    # SQLite and MySQL name only the token at which they stopped: the rest of a quoted value
    for token in statements.stopped_at(case):
        for one in case.inputs:
            tail = re.split(r"['\"]", one.value, maxsplit=1)
            if len(tail) > 1 and tail[1].strip()[:1] and tail[1].strip().startswith(token[:40]):
                yield standing(one, f"the failing statement, which broke off at {token[:40]!r}", "strong")
                return
            if (
                token[:1] in "'\""
                and token[:1] in one.value
                and one.value.rstrip().endswith(token[1:20].rstrip("'\"") or token[:1])
            ):
                yield standing(one, f"the failing statement, which broke off at {token[:40]!r}", "strong")
                return


def _is_inserted(one: Input, expressions: list[str], frame: Frame) -> bool:
    """The expression names the request's field, or a variable that holds its value."""
    name = one.name.rpartition(".")[2]
    for expression in expressions:
        if name and re.search(rf"""["']{re.escape(name)}["']""", expression):
            return True
        variable = re.match(r"\w+", expression)
        held = frame.vars.get(variable[0]) if variable else None
        if isinstance(held, str) and one.value.strip() and one.value.strip()[:200] in held:
            return True
    return False


def statement_refused(case: Case) -> Facts:
    """The database refused the statement for what it says."""
    for one in case.raised:
        if one.sqlstate or isinstance(one.code, str | int) or "syntax" in one.text or "near " in one.text:
            said = f"the database refused it: {plain(one.text, 80)}"
            yield Fact("message", case.product, one.sqlstate, "strong", f"exception[{one.number}].value", said)
            return


def statement_is_constant(case: Case) -> Facts:
    """The failing statement is known and holds no value of the request."""
    found = list(statements.of(case))
    if not found:
        return
    if not any(True for _, statement in found for _ in taint.standing_in(case.inputs, statement, 3)):
        yield Fact(
            "statement",
            "SQL",
            "constant",
            "strong",
            found[0][0],
            "no value of the request stands in the statement",
            None,
            True,
        )


# ---- templates, code, commands -------------------------------------------------------------------

_template_calls: Final = (
    r"from_string\(|render_template_string\(|\bTemplate\(|Environment\(.*\)\.from|mako|render_string\("
)


# the template is one literal of the source
_constant_template: Final = (
    r"""(?:from_string|Template|render_template_string)\(\s*(["']+)(?:(?!\1).){0,2000}\1\s*[,)]"""
)


def template_injected(case: Case) -> Facts:
    """A value with template marks stands in a template that the code put together."""
    engine = any(root(f) in ("jinja2", "mako", "django", "tornado", "chameleon") for f in case.frames) or any(
        one.roots & {"jinja2", "mako"} for one in case.raised
    )
    if not engine:
        return
    for one in case.inputs:
        if not re.search(taint.template_signature, one.value):
            continue
        frame = next((f for f in application(case.frames) if re.search(_template_calls, before(f))), None)
        if frame is not None and re.search(_constant_template, before(frame), re.DOTALL):
            return
        if frame is not None:
            yield standing(one, f"a template made at {frame.filename}:{frame.lineno}")
            return
        holder = next((f for f in case.frames if _held(one.value, f.vars) or one.value.strip() in f.context_line), None)
        if holder is not None or one.value.strip() in case.text:
            yield standing(one, "the failing template")
            return


def _held(value: str, values: object, depth: int = 3) -> bool:
    """Whether a captured variable holds the value within something longer."""
    if isinstance(values, str):
        return value in values and len(values) > len(value) + 2
    if depth and isinstance(values, dict):
        return any(_held(value, v, depth - 1) for v in list(values.values())[:50])
    return False


def template_engine_failed(case: Case) -> Facts:
    """The template engine raised the error."""
    for one in case.raised:
        if one.roots & {"jinja2", "mako"} or any(root(f) in ("jinja2", "mako") for f in case.frames[-30:]):
            yield Fact(
                "class",
                one.type,
                one.type,
                "strong",
                f"exception[{one.number}].type",
                f"the template engine failed: {one.type}",
            )
            return


def command_injected(case: Case) -> Facts:
    """A value with shell marks stands in a command that a shell reads."""
    shell = any(one.named("CalledProcessError", "TimeoutExpired") for one in case.raised)
    frame = next(
        (
            f
            for f in application(case.frames)
            if re.search(r"shell\s*=\s*True|os\.system\(|popen\(|create_subprocess_shell", before(f))
        ),
        None,
    )
    if not shell and frame is None:
        return
    if frame is None and any(re.match(r"Command '\[", one.text) for one in case.raised):
        return  # a list of arguments: no shell reads it
    commands = [one.text for one in case.raised] + [str(one.attrs.get("cmd", "")) for one in case.raised]
    for one in case.inputs:
        value = one.value.strip()
        if len(value) > 1 and re.search(taint.shell_signature, value):
            escaped = value.encode("unicode_escape").decode()
            if any(value in c or escaped in c for c in commands):
                yield standing(one, "the failing command")
                return
            if frame is not None:
                yield standing(one, f"the shell command at {frame.filename}:{frame.lineno}", "strong")
                return


def command_failed(case: Case) -> Facts:
    """The command ended with an error or ran out of time."""
    for one in case.raised:
        if one.named("CalledProcessError", "TimeoutExpired"):
            yield Fact("class", one.type, one.type, "strong", f"exception[{one.number}].type", one.text[:160])
            return


_evaluates: Final = r"\beval\(|\bexec\(|\bcompile\("


def code_evaluated(case: Case) -> Facts:
    """A value of the request stands in what the failing line evaluates (eval, exec, compile)."""
    made = [
        f
        for f in case.frames
        if f.filename in ("<string>", "<stdin>", "<eval>") or f.abs_path in ("<string>", "<eval>")
    ]
    frame = next((f for f in application(case.frames) if re.search(_evaluates, f.context_line)), None)
    syntax = any(one.named("SyntaxError") for one in case.raised)
    if frame is None or not (made or syntax or any(one.named("NameError") for one in case.raised)):
        return
    line = [frame.context_line[frame.context_line.find("(") :]]
    for one in case.inputs:
        value = one.value.strip()
        if (
            len(value) > 1
            and one.where in ("query", "body", "path")
            and (_held_exactly(value, case) or value in case.text or _is_inserted(one, line, frame))
        ):
            yield standing(one, f"what is evaluated at {place(frame)}")
            return


def _held_exactly(value: str, case: Case) -> bool:
    return any(
        value in str(v) for f in application(case.frames) for v in list(f.vars.values())[:50] if isinstance(v, str)
    )


# ---- pickle and YAML -----------------------------------------------------------------------------

_unpickles: Final = (
    r"\b(?:c?[pP]ickle|dill|joblib|shelve|cloudpickle|jsonpickle|marshal)\.(?:loads?|decode|Unpickler)\b|Unpickler\("
)
_from_request: Final = (
    r"request|\bbody\b|payload|get_data|\bdata\b|cookie|\braw\b|upload|\.read\(|form|token|session|state"
)


def unpickles_request(case: Case) -> Facts:
    """The failing line unpickles what the request brought."""
    request = case.event.request
    if request is None:
        return
    brought = any(True for _ in request_has_body(case)) or bool(request.cookies) or bool(request.query_string)
    for frame in application(case.frames):
        if re.search(_unpickles, frame.context_line) and brought:
            ours = re.search(r"redis|cache|memcache|open\(|path|Path\(", before(frame, 3))
            strength: Strength = (
                "decisive" if re.search(_from_request, before(frame), re.IGNORECASE) and not ours else "strong"
            )
            if ours and strength != "decisive":
                return
            text = f"{frame.filename}:{frame.lineno} unpickles: {frame.context_line.strip()[:100]}"
            yield Fact("frame", frame.function, "pickle", strength, "frames", text)
            return


def yaml_object_tag(case: Case) -> Facts:
    """A YAML tag asks for Python or Ruby objects."""
    for one in case.raised:
        if re.search(r"tag:yaml\.org,2002:(?:python|ruby)/|!!python/", one.text):
            yield Fact(
                "message",
                "YAML",
                "python/ tag",
                "decisive",
                f"exception[{one.number}].value",
                "the document carries a tag that builds Python objects",
            )
            break
    for value in case.inputs:
        if "!" in value.value and re.search(r"!!python/|!<tag:yaml.org,2002:python|!ruby/", value.value):
            yield Fact(
                "taint",
                value.label,
                "!!python/",
                "strong",
                f"request.{value.where}",
                f"the tag stands in {value.label}",
            )
            return


# ---- paths, addresses, operators, headers --------------------------------------------------------


def path_traversed(case: Case) -> Facts:
    """A value with "../", an absolute path or a NUL stands in the path that failed."""
    files = any(
        one.errno in ("ENOENT", "EACCES", "EISDIR", "ENOTDIR", "EPERM", "ENAMETOOLONG", "EINVAL") for one in case.raised
    )
    nul = any("null byte" in one.text or "null character" in one.text for one in case.raised)
    template = any(
        one.named("TemplateNotFound", "TemplateDoesNotExist", "SuspiciousFileOperation") for one in case.raised
    )
    outside = any("is not in the subpath of" in one.text or "outside" in one.text for one in case.raised)
    if not (files or nul or template or outside):
        return
    paths = case.text + "\n" + "\n".join(str(one.attrs.get("filename", "")) for one in case.raised)
    for one in case.inputs:
        value = one.value.strip()
        if not re.search(taint.path_signature, value) or len(value) < 2:
            continue
        if one.where == "path" and ".." not in value:
            continue
        if (
            nul
            or value in paths
            or value.replace("\\", "\\\\") in paths
            or (value.lstrip("./\\") in paths and len(value) > 8)
        ):
            yield standing(one, "the path that failed")
            return


def path_failed(case: Case) -> Facts:
    """The operating system or the loader refused the path."""
    for one in case.raised:
        if one.errno or one.named("ValueError", "TemplateNotFound"):
            yield Fact("errno", "path", one.errno, "strong", f"exception[{one.number}]", one.text[:160])
            return


def _asked_hosts(case: Case) -> Iterator[tuple[Input, str]]:
    for one in case.inputs:
        if one.where not in ("query", "body", "path"):
            continue
        value = one.value.strip()
        if "://" in value:
            try:
                host = urlsplit(value).hostname or ""
            except ValueError:
                host = ""
            if host:
                yield one, host
        elif "." in value and re.fullmatch(r"[\w.\-]+(?::\d+)?", value):
            yield one, value.partition(":")[0]


def address_from_request(case: Case) -> Facts:
    """The host that was called stands in a value of the request."""
    for one, host in _asked_hosts(case):
        if host in case.address or host in case.text:
            yield standing(one, "the address that was called")
            return


def internal_address_asked(case: Case) -> Facts:
    """The called address came with the request and is internal, or has a scheme that is not the web's."""
    opens = any(root(f) in ("urllib", "requests", "httpx", "pycurl") for f in case.frames)
    for one in case.inputs:
        if ":/" not in one.value:
            continue
        scheme = re.match(r"(file|gopher|dict|ftp|ldap|jar):/*(/[^?#]{1,500})", one.value.strip(), re.IGNORECASE)
        if scheme and opens and (scheme[2] in case.text or one.value.strip() in case.text):
            opened = f"the address that was opened, with the scheme {scheme[1]}, which is not the web's"
            yield standing(one, opened, against=True)
            return
    for one, host in _asked_hosts(case):
        called = host in case.address or host in case.text or _held_exactly(host, case)
        if called and (case.peer == "http" or any(e.errno for e in case.raised)) and _internal(host):
            fact = standing(one, f"the address that was called, and {host} is internal", against=True)
            yield fact
            return


def _internal(host: str) -> bool:
    if host.lower() in ("localhost", "metadata", "metadata.google.internal") or host.lower().endswith(
        (".internal", ".local", ".localhost")
    ):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return re.fullmatch(r"0x[0-9a-fA-F]+|\d{8,10}|0[0-7]+(?:\.[0-7x]+)*", host) is not None
    return not address.is_global


def operator_injected(case: Case) -> Facts:
    """A field of the request has a name that begins with "$", and a filter failed."""
    names = (one.name for one in case.inputs if one.where in ("query", "body"))
    name = next((n for n in names if "$" in n and re.search(r"(?:^|[.\[])\$\w+", n)), "")
    if not name or not any(
        one.named("TypeError", "AttributeError", "ValueError", "OperationFailure", "WriteError")
        or one.roots & {"pymongo", "bson"}
        or "mongodb" in case.products
        or f"${name.rpartition('$')[2]}" in one.text
        for one in case.raised
    ):
        return
    yield Fact(
        "taint",
        name,
        name,
        "decisive" if any(True for _ in operator_met_database(case)) else "strong",
        "request",
        f"the request brings the operator {name!r} as a name",
    )


def operator_met_database(case: Case) -> Facts:
    """The failing operation is a filter of MongoDB, or builds one."""
    if "mongodb" in case.products or any(
        root(f) in ("pymongo", "bson", "motor", "mongoengine", "mongomock") for f in case.frames
    ):
        yield Fact("frame", "MongoDB", "filter", "strong", "frames", "the operation that failed is a MongoDB filter")
        return
    frame = next(
        (
            f
            for f in application(case.frames)
            if re.search(r"\.(?:find|find_one|aggregate|update_one|count_documents|delete_one)\(|filter", before(f))
        ),
        None,
    )
    if frame is not None:
        yield Fact(
            "frame",
            frame.function,
            "filter",
            "strong",
            "frames",
            f"{frame.filename}:{frame.lineno} builds a filter from it",
        )


def header_injected(case: Case) -> Facts:
    """A value with a line end met an error about headers, addresses or control characters."""
    words = r"[Hh]eader|newline|line ?feed|CR|LF|control character|URL can't contain|[Ii]llegal|Invalid character"
    failed = next((one for one in case.raised if re.search(words, one.text)), None)
    if failed is None:
        return
    for one in case.inputs:
        if (
            re.search(taint.line_end, one.value.strip())
            and one.where in ("query", "body", "path", "cookie")
            and len(one.value) < 1_000
        ):
            whole = one.where == "body" and not one.name
            if not whole:
                yield Fact(
                    "taint",
                    one.label,
                    "line end",
                    "decisive",
                    f"request.{one.where}",
                    f"{one.label} carries a line end into it: {failed.text[:100]}",
                )
                return


def filter_injected(case: Case) -> Facts:
    """A value with marks of that language stands in a refused LDAP filter or XPath."""
    ldap = any(
        one.roots & {"ldap", "ldap3"} or one.named("XPathEvalError", "XPathSyntaxError", "LDAPInvalidFilterError")
        for one in case.raised
    )
    path = any("predicate" in one.text or "XPath" in one.text for one in case.raised)
    if not (ldap or path):
        return
    for one in case.inputs:
        if re.search(taint.filter_signature, one.value) and (
            one.value.strip() in case.text or _held_exactly(one.value.strip(), case)
        ):
            yield standing(one, "the failing filter")
            return


# ---- tokens --------------------------------------------------------------------------------------


def token_sent(case: Case) -> Facts:
    """The request brought a token or signed value."""
    request = case.event.request
    if request is None:
        return
    if (
        request.header("authorization")
        or request.cookies
        or any(re.search("token|sig|jwt", one.name, re.IGNORECASE) for one in case.inputs)
    ):
        yield Fact(
            "request", "token", "sent", "weak", "request", "the request brought the token or signed value itself"
        )
    for one in case.raised:
        if one.named("InvalidAlgorithmError") or "alg" in one.text.lower():
            yield Fact(
                "message",
                "token",
                "algorithm",
                "strong",
                f"exception[{one.number}]",
                "the token names an algorithm that is not allowed",
            )
            return


def token_of_the_request(case: Case) -> Facts:
    """The rejected key came with the request: the user is not let in, we are."""
    frame = next(application(case.frames), None)
    if frame is not None and re.search(
        r"request\.headers|headers\[.[Aa]uthorization.\]\s*=\s*request|user_token|session\[", before(frame)
    ):
        yield Fact(
            "frame", frame.function, "forwarded", "strong", "frames", "the token of the user is passed on", None, True
        )
