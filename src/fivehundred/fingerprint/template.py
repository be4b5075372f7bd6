"""What a message says about the cause: the template of what a person wrote, the codes of what a library wrote.

A person's words say which reason it was; a library's or the interpreter's words are about the data and differ by
version, so of those only codes count: a status, a driver's number, a constraint's name, an attribute's name.
"""

# ruff: noqa: SIM905, E501 - tables of words and texts read better as they are

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

chars_max: Final = 1_000  # of a message that are looked at
tokens_max: Final = 40  # of a template; what comes later is data as a rule


@lru_cache(maxsize=5_000)
def template(message: str) -> tuple[str, ...]:
    """The message as words, with everything masked that looks like data."""
    text = _QUOTED.sub(" <text> ", _URL.sub(_host_only, message[:chars_max]))
    text = _PATH.sub(" <path> ", _MAIL.sub(" <mail> ", text))
    tokens = text.split()[:tokens_max]
    found: list[str] = []
    for i, token in enumerate(tokens):
        before = tokens[i - 1].strip(_PUNCTUATION).lower() if i else ""
        masked = token if token.startswith("<url") else _masked(token, before)
        if masked != "<data>" or not found or found[-1] != "<data>":
            found.append(masked)
    return tuple(found)


def constant(words: tuple[str, ...]) -> int:
    """How many words of a template a person wrote."""
    return sum(1 for w in words if len(w) > 1 and w[0] != "<")


def _masked(token: str, before: str) -> str:
    bare = token.strip(_PUNCTUATION)
    if not (any(c.isdigit() for c in token) or "*" in token or "…" in token or len(bare) > 40):
        return token
    if bare.isdigit() and (
        (len(bare) == 3 and bare[0] in "45" and before in _BEFORE_STATUS) or (len(bare) < 6 and before in _BEFORE_CODE)
    ):
        return bare
    if _SPEC.fullmatch(bare):
        return bare
    name, sign, value = token.partition("=")
    return (
        f"{name}=<data>" if sign and value and name.isidentifier() and not any(c.isdigit() for c in name) else "<data>"
    )


def _host_only(match: re.Match[str]) -> str:
    host = match[1].rpartition("@")[2].lower()
    return f" <url:{'.'.join('<data>' if _DIGIT.search(p) and ':' not in p else p for p in host.split('.'))}> "


_PUNCTUATION: Final = ".,:;!?()[]{}<>'\"`"
_URL: Final = re.compile(r"\b[a-zA-Z][a-zA-Z0-9+.-]{1,15}://([^\s/?#'\"<>)\]]{1,200})[^\s'\"<>]{0,1000}")
_QUOTED: Final = re.compile(r"(?<!\w)'[^']{0,300}'(?!\w)|\"[^\"]{0,300}\"|`[^`]{0,300}`|«[^»]{0,300}»|“[^”]{0,300}”")
_MAIL: Final = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,8}")
_PATH: Final = re.compile(r"(?<![\w<:])(?:[A-Za-z]:\\|~?/|\.{1,2}/)[^\s:,;'\"<>|()]{1,300}")
_DIGIT: Final = re.compile(r"\d")
_SPEC: Final = re.compile(
    r"(?:utf-?8|http/?[123](?:\.[01])?|oauth2|ipv[46]|sha(?:1|256|512)|md5|base64|x509|s3|E\d{2,5})", re.I
)
_BEFORE_STATUS: Final = frozenset(
    "status code http answered answer returned responded response replied reply gave sent got error with".split()
)
_BEFORE_CODE: Final = frozenset("errno code sqlstate winerror exit".split())


# ---- codes -----------------------------------------------------------------------------------------------


def codes(kind: str, module: str, message: str) -> tuple[str, ...]:
    """What of a message tells causes apart whoever wrote it; ``kind`` is the class's bare name."""
    return _codes(kind, module, message[:4_000])


@lru_cache(maxsize=500)
def _codes(kind: str, module: str, text: str) -> tuple[str, ...]:
    if module.startswith("pydantic") or kind in ("RequestValidationError", "ResponseValidationError"):
        return _pydantic(text)
    if kind == "AttributeError":
        return _groups(_ATTRIBUTE, text)
    if kind in ("ImportError", "ModuleNotFoundError", "NameError"):
        return _groups(_NAMES, text)
    if kind == "TypeError":
        return _groups(_KEYWORD, text) or _groups(_READING, text)
    return _groups(_STATUS, text) + _groups(_NUMBER, text) + _groups(_OPERATION, text)


def database(message: str) -> tuple[str, ...]:
    """The names of tables, columns and constraints in a database's first line."""
    first = message.partition("\n")[0][:1_000]
    named = _SQLITE_NAME.search(first)
    found = [named[1].strip()] if named else _IDENTIFIER.findall(first)
    return tuple(n for n in found if not _DIGIT.search(n))[:4]


def _groups(pattern: re.Pattern[str], text: str) -> tuple[str, ...]:
    found = pattern.search(text)
    return tuple(g for g in found.groups() if g) if found else ()


def _pydantic(text: str) -> tuple[str, ...]:
    """The (location, type) pairs of a validation error, list positions masked."""
    pairs: set[str] = set()
    where = ""
    for line in text.splitlines()[1:120]:
        found = _PYDANTIC_TYPE.search(line)
        if found:
            pairs.add(f"{where}:{_pydantic_type(found[1] or found[2])}")
        elif not line.startswith(" "):
            where = _INDEX.sub("", line.strip())[:100]
    return tuple(sorted(pairs))[:8]


def _pydantic_type(name: str) -> str:
    """One name for what the two generations of the library name differently, as far as they agree."""
    last = name.rpartition(".")[2] or name
    word = last.partition("_")[0]
    return _PYDANTIC_SAME.get(word, last)


_PYDANTIC_SAME: Final = {
    **{w: w for w in ("int", "float", "bool", "list", "dict", "set", "tuple", "date", "time", "datetime", "decimal")},
    **{w: w for w in ("uuid", "url", "enum", "bytes", "missing")},
    "integer": "int",
    "str": "str",
    "string": "str",
}
_ATTRIBUTE: Final = re.compile(r"no attribute '(\w{1,100})'")
_NAMES: Final = re.compile(r"(?:name|named) '([\w.]{1,100})'(?: from '([\w.]{1,100})')?")
_KEYWORD: Final = re.compile(r"unexpected keyword argument '(\w{1,100})'")
_READING: Final = re.compile(r"(?:\(reading '|\(setting '|read property '|set property ')([\w$]{1,100})'")
_STATUS: Final = re.compile(
    r"\b([45]\d\d),? (?:Client|Server) Error|(?:HTTP Error|[Cc]lient error '|[Ss]erver error '|status code:?) ?([45]\d\d)\b"
    r"|^([45]\d\d), message="
)
_NUMBER: Final = re.compile(
    r"^\((\d{3,5}), |\bORA-(\d{5})\b|\(SQLSTATE (\w{5})\)|SQLSTATE\[(\w{5})\]|StatusCode\.(\w{2,30})"
)
_OPERATION: Final = re.compile(r"An error occurred \((\w{1,60})\) when calling the (\w{1,60}) operation")
_IDENTIFIER: Final = re.compile(r"[\"“«„]([^\"”»“\s]{1,100})[\"”»“]")
_SQLITE_NAME: Final = re.compile(r"(?:constraint failed|no such (?:table|column|function)): ([\w., ]{1,200})")
_PYDANTIC_TYPE: Final = re.compile(r"\[type=(\w{1,60})|\(type=([\w.]{1,60})")
_INDEX: Final = re.compile(r"\.?\b\d+\b")


# ---- who wrote it ----------------------------------------------------------------------------------------


def interpreters(kind: str, message: str) -> bool:
    """Is this one of the texts that an interpreter or its standard library gives to its own errors?"""
    return kind in _WORDLESS or not message or _INTERPRETER.match(message) is not None


_WORDLESS: Final = frozenset(
    "KeyError IndexError StopIteration StopAsyncIteration ZeroDivisionError RecursionError UnicodeDecodeError "
    "UnicodeEncodeError NameError UnboundLocalError ReferenceError ImportError ModuleNotFoundError AttributeError "
    "JSONDecodeError OverflowError SyntaxError IndentationError NullPointerException ClassCastException "
    "ArrayIndexOutOfBoundsException IndexOutOfBoundsException NumberFormatException NoSuchElementException "
    "ArithmeticException ConcurrentModificationException NoMethodError StackOverflowError DivisionByZeroError "
    "NullReferenceException FileNotFoundError PermissionError IsADirectoryError NotADirectoryError".split()
)
_INTERPRETER: Final = re.compile(
    r"'?[\w.]{1,60}'? object (?:is not|does not|has no|cannot|doesn't)|unhashable type|can only concatenate|can't concat"
    r"|unsupported operand|must be \w+, not|bad operand|descriptor '|(?:[\w.<>]{1,120}\(\)) (?:got|takes|missing|argument|"
    r"expected|keywords|returned|first|second)|[\w.<>]{1,120} (?:indices|index|argument|\w+ argument) must be"
    r"|argument of type|cannot unpack|not enough values|too many values|expected \d+ arguments|not all arguments"
    r"|(?:dictionary|set|deque) (?:changed|mutated)|generator (?:raised|already|ignored)|coroutine (?:raised|ignored|was)"
    r"|cannot reuse already|invalid literal for|could not convert|math domain|math range|invalid isoformat|unconverted data"
    r"|time data|year |month must|day is out|hour must|substring not found|list\.\w+\(x\)|tuple\.\w+\(x\)|\S{1,60} is not in"
    r"|empty separator|I/O operation on closed|embedded null|non-hexadecimal|byte must be|bytes must be|chr\(\) arg"
    r"|sequence item \d|object of type|cannot convert|cannot pickle|can't pickle|can't set attribute|Object of type"
    r"|\[Errno|\[WinError|\(\d{1,5}, '|\[<class|Incorrect padding|Invalid base64|Only base64|pickle data|invalid load key"
    r"|Ran out of input|max\(\)|min\(\)|pop from|popitem\(\)|await wasn't|asyncio\.run|no running event loop|There is no current"
    r"|super\(\)|__init__\(\)|issubclass|isinstance|exceptions must|catching classes|attribute name must|slice indices"
    r"|Can't instantiate|Invalid format specifier|Unknown format code|unknown format|Single '|tuple index|string index"
    r"|maximum recursion|Circular reference|Out of range float|matmul:|operands could not|shapes? \(|cannot reshape"
    r"|Cannot (?:read|set|destructure|convert|access|redefine|assign)|undefined is not|null is not|[\w$.()\[\]\"']{1,120} is not "
    r"(?:a function|defined|iterable|a constructor|an object)|Maximum call stack|Invalid (?:array length|date|time value)"
    r"|Unexpected (?:token|end|non-whitespace|identifier|string|number)|Assignment to constant|Reduce of empty|Unterminated"
    r"|runtime error:|interface conversion:|Undefined (?:array key|index|variable|property|offset|constant)"
    r"|Call to (?:a member|undefined)|Attempt to read|Trying to access|Division by zero|divided by 0|undefined (?:method|local)"
    r"|Argument #\d|Index \d+ out of|For input string:|Cannot invoke \"|No value present|wrong number of arguments"
)
