"""Bodies that are small and cost much: documents that unfold, compressed ones, deep ones, texts for slow patterns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.entities import html5
from typing import TYPE_CHECKING, Final

from fivehundred.diagnosis.frames import application, before, root
from fivehundred.diagnosis.model import Fact, Strength
from fivehundred.diagnosis.seen.attacks import standing

if TYPE_CHECKING:
    from fivehundred.diagnosis.case import Case

Facts = Iterator[Fact]

_parsers: Final = ("xml", "lxml", "expat", "pyexpat", "yaml", "ruamel", "defusedxml", "xmltodict", "bs4")


def document_signature(case: Case) -> Facts:
    """The body declares entities or repeats anchors."""
    for one in case.inputs:
        value = one.value
        if "<!ENTITY" in value:
            yield Fact(
                "taint",
                one.label,
                "<!ENTITY",
                "strong",
                f"request.{one.where}",
                f"{one.label} declares {value.count('<!ENTITY')} entities",
                None,
                True,
            )
            return
        anchors, aliases = len(re.findall(r"[-:,\[] ?&\w+", value)), len(re.findall(r"[-:,\[] ?\*\w+", value))
        if anchors >= 2 and aliases >= 6:
            yield Fact(
                "taint",
                one.label,
                "anchors",
                "strong",
                f"request.{one.where}",
                f"{one.label} repeats {anchors} anchors {aliases} times",
                None,
                True,
            )
            return


def document_bomb(case: Case) -> Facts:
    """Memory, depth or time ran out in or after a parser, on a body full of entities or anchors."""
    used_up = any(one.named("MemoryError", "RecursionError", "TimeoutError", "SystemExit") for one in case.raised)
    if not used_up:
        return
    parsing = [f for f in case.frames if root(f) in _parsers]
    reads = next(
        (
            f
            for f in application(case.frames)
            if re.search(r"yaml\.|[eE]tree|xml|fromstring|minidom|sax", f.context_line)
        ),
        None,
    )
    if used_up and (parsing or reads is not None) and any(True for _ in document_signature(case)):
        name = root(parsing[-1]) if parsing else "the parser"
        yield Fact("frame", name, name, "decisive", "frames", f"memory, depth or time ran out below {name}")
    # where the document has unfolded already, whatever walks over it fails
    elif used_up and any(True for _ in document_signature(case)) and case.app_frame is not None:
        yield Fact(
            "frame",
            "document",
            "unfolded",
            "strong",
            "frames",
            "memory, depth or time ran out on what was parsed from it",
        )


def external_entity(case: Case) -> Facts:
    """The body declares an entity that is a file or an address, and the XML parser failed."""
    parsing = any(root(f) in _parsers for f in case.frames) or any(
        one.roots & {"xml", "lxml", "defusedxml"} for one in case.raised
    )
    if not parsing:
        return
    for one in case.inputs:
        found = re.search(r"<!(?:ENTITY|DOCTYPE)[^>]{0,300}\b(?:SYSTEM|PUBLIC)\b", one.value)
        if found:
            yield Fact(
                "taint",
                one.label,
                "<!ENTITY SYSTEM",
                "decisive",
                f"request.{one.where}",
                f"{one.label} declares an external entity",
            )
            yield Fact("frame", "xml", "parser", "strong", "frames", "the XML parser failed on it")
            return
    # an event without the raw body: the parser's own text names an entity that the document must have declared
    for raised in case.raised:
        named = _undefined_entity.search(raised.text)
        if named and f"{named[1] or named[2]};" not in html5 and _reads_request(case):
            text = (
                f"the document uses the entity &{named[1] or named[2]}; of its own, which this parser does not resolve"
            )
            yield Fact("message", "XML", "entity", "strong", f"exception[{raised.number}].value", text)
            return


_undefined_entity: Final = re.compile(r"undefined entity &(\w{1,60});|Entity '(\w{1,60})' not defined")


def _reads_request(case: Case) -> bool:
    frame = case.app_frame
    return frame is not None and re.search(r"request|get_data|\bbody\b|payload|upload", before(frame, 2)) is not None


_unpacks: Final = r"zlib\.|gzip\.|decompress|bz2\.|lzma\.|zipfile|tarfile|brotli|zstd|Image\.open"


def decompression_bomb(case: Case) -> Facts:
    """Memory ran out where something is decompressed."""
    if not any(one.named("MemoryError") or one.errno == "ENOMEM" for one in case.raised):
        return
    inner = [
        f
        for f in case.frames
        if root(f) in ("zlib", "gzip", "bz2", "lzma", "zipfile", "brotli", "PIL", "_compression", "tarfile")
    ]
    frame = next((f for f in application(case.frames) if re.search(_unpacks, f.context_line)), None)
    if inner or frame is not None:
        at = f"{frame.filename}:{frame.lineno}" if frame is not None else root(inner[-1])
        request = case.event.request
        strength: Strength = (
            "decisive" if request is not None and request.method in ("POST", "PUT", "PATCH") else "strong"
        )
        yield Fact("frame", "decompression", at, strength, "frames", f"memory ran out while decompressing at {at}")


def nested_body(case: Case) -> Facts:
    """The recursion ended in a parser, and the body nests dozens of levels deep."""
    if not any(one.named("RecursionError") or "recursion" in one.text.lower() for one in case.raised):
        return
    parser = any(
        root(f) in ("json", "simplejson", "ujson", "orjson", "yaml", "xml", "ast", "msgpack", "tomllib")
        for f in case.frames[-20:]
    )
    frame = next(
        (f for f in application(case.frames) if re.search(r"json|\.loads?\(|parse|literal_eval", f.context_line)), None
    )
    request = case.event.request
    data = request.data if request is not None else None
    told = next((one for one in case.raised if "while decoding a JSON" in one.text), None)
    if told is not None and _reads_request(case):
        text = "the JSON decoder ran out of depth: what the request brought nests too deeply"
        yield Fact("message", "JSON", "nested", "decisive", f"exception[{told.number}].value", text, None, True)
        return
    deep = (isinstance(data, str) and re.search(r"(?:[\[{(]\s*){50}|(?:\{\"[^\"]{0,20}\":){20}", data) is not None) or (
        isinstance(data, list | dict) and _depth(data) >= 50
    )
    if deep and (parser or frame is not None):
        yield Fact(
            "taint", "body", "nested", "decisive", "request.data", "the body nests dozens of levels deep", None, True
        )


def _depth(value: object) -> int:
    depth = 0
    while isinstance(value, list | dict) and value and depth < 200:
        value = value[0] if isinstance(value, list) else next(iter(value.values()))
        depth += 1
    return depth


def stuck_in_pattern(case: Case) -> Facts:
    """A time limit struck inside a regular expression."""
    innermost = case.frames[-1:] or []
    pattern_error = any(one.roots & {"re"} and one.named("error", "PatternError") for one in case.raised)
    if pattern_error or not innermost:
        return
    tail = [f for f in case.frames[-6:] if root(f) in ("re", "regex", "_sre", "sre_compile")]
    stopped = any(
        one.named("SystemExit", "TimeoutError", "SoftTimeLimitExceeded", "JobTimeoutException") or "imeout" in one.type
        for one in case.raised
    )
    frame = next(application(case.frames), None)
    calls = frame is not None and re.search(
        r"\bre\.\w+\(|\.(?:match|search|fullmatch|sub|findall|split)\(", frame.context_line
    )
    if stopped and (tail or (calls and _signal_like(case))):
        at = f" at {frame.filename}:{frame.lineno}" if frame is not None else ""
        yield Fact(
            "frame", "re", "re", "decisive", "frames", f"the time ran out inside a regular expression{at}", None, True
        )
        longest = max(case.inputs, key=lambda one: len(one.value), default=None)
        if (
            longest is not None
            and len(longest.value) >= 20
            and len(set(longest.value)) <= max(4, len(longest.value) // 5)
        ):
            yield standing(longest, "the text it was matched against, long and repetitive", "strong", against=True)


def _signal_like(case: Case) -> bool:
    """The frames end in a handler that was called from outside: a signal, an abort."""
    return any(
        f.function in ("handle_abort", "handler", "_handler", "on_alarm", "alarm", "_timeout", "timeout_handler")
        for f in case.frames[-3:]
    )
