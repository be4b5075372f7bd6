"""The safe answer: status, headers and body of a failure, as the client asked to have it.

Its only inputs are the reference, what the client accepts, and whether trying again helps. No exception, no request
text and no application state ever comes here, so none can leave. Bodies are rendered once for each (status, language,
kind) and then differ in the reference alone: an answer costs the same, whatever failed.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from fivehundred import limits
from fivehundred.event import clean_id, new_id
from fivehundred.problem_texts import Texts, phrases, style, texts
from fivehundred.record import record

reference_header: Final = "Error-Reference"

Headers: TypeAlias = "list[tuple[str, str]]"


@record(slots=True)
class Answer:
    """A whole HTTP answer. ``headers`` hold Content-Length; a HEAD request gets them without the body."""

    status: int
    headers: Headers
    body: bytes


def answer(
    *,
    reference: str,
    status: int,
    transient: str,
    retry_after_s: int | None,
    accept: str,
    language: str,
    public: str = "",
    trace_id: str = "",
) -> Answer:
    """The answer for one failure. ``accept`` and ``language`` are the raw header values, ``""`` when not sent.

    ``public`` is a sentence for an application that discloses the cause; it is escaped for each kind, and nothing else
    about the failure may be in it. ``trace_id`` is used only when it is 32 hex digits.
    """
    status = status if 500 <= status <= 599 else 500
    cut = limits.accept_chars_max + 1  # before the caches, whose keys would else hold what a client likes to send
    kind, code = negotiated(accept[:cut]), spoken(language[:cut])
    retryable = _retryable(status, transient)
    reference, trace_id = clean_id(reference) or new_id(), clean_id(trace_id)
    body = _body(kind, status, code, retryable, public, reference, trace_id)
    headers = [
        ("Content-Type", _content_types[kind]),
        ("Content-Length", str(len(body))),
        ("Content-Language", code),
        ("Vary", "Accept, Accept-Language"),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        (reference_header, reference),
    ]
    if kind == "html":
        headers.append(("Content-Security-Policy", content_security_policy))
    if retry_after_s is not None:
        headers.append(("Retry-After", str(max(0, int(retry_after_s)))))
    return Answer(status, headers, body)


def reason(status: int) -> str:
    """The phrase of a status line: "Internal Server Error"; "Server Error" for a status that has none."""
    return phrases.get(status, "Server Error")


def trace_id_of(traceparent: str) -> str:
    """The trace id of a valid W3C ``traceparent``, else nothing: a malformed one is never repeated to anybody."""
    return trace_of(traceparent)[0]


def trace_of(traceparent: str) -> tuple[str, str]:
    """The trace's id and the parent's (W3C Trace Context section 3.2), or twice nothing."""
    found = _TRACEPARENT.fullmatch(traceparent.strip()) if len(traceparent) <= 512 else None
    if not found or found["version"] == "ff" or (found["version"] == "00" and found["rest"]):
        return "", ""
    if found["trace"] == "0" * 32 or found["parent"] == "0" * 16:
        return "", ""
    return found["trace"], found["parent"]


_TRACEPARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<parent>[0-9a-f]{16})-[0-9a-f]{2}(?P<rest>(?:-[!-~]*)?)"
)


def _retryable(status: int, transient: str) -> bool:
    """Whether the answer tells the client to try again.

    For a plain 500 "unknown" counts as "no": different bugs must not be told apart by their answers (CWE-204), and a
    retry seldom helps. The statuses that name a passing condition are retryable unless a person must act.
    """
    if transient == "unknown":
        return status != 500
    return transient in ("yes", "clears")


# ---- what the client asked for -------------------------------------------------------------------

# In the order of preference where the client has none: programs, and people with curl, read problem+json
_media: Final = {
    "problem": ("application", "problem+json"),
    "json": ("application", "json"),
    "html": ("text", "html"),
    "text": ("text", "plain"),
}
_content_types: Final = {
    "problem": "application/problem+json",  # RFC 8259: JSON has no charset parameter
    "json": "application/json",
    "html": "text/html; charset=utf-8",
    "text": "text/plain; charset=utf-8",
}
_QVALUE = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


@functools.lru_cache(maxsize=256)
def negotiated(accept: str) -> str:
    """The kind ("problem", "json", "html", "text") that an Accept header asks for (RFC 9110 12.5.1); never 406."""
    ranges = list(_weighted(accept))
    best, best_rank = "", (0.0, 0)
    refused: set[str] = set()
    for kind, (main, sub) in _media.items():
        quality, precision = _quality(ranges, main, sub)
        if precision and not quality:
            refused.add(kind)
        elif (quality, precision) > best_rank:
            best, best_rank = kind, (quality, precision)
    return best or next((kind for kind in _media if kind not in refused), "problem")


def _quality(ranges: list[tuple[str, float]], main: str, sub: str) -> tuple[float, int]:
    """(q, precision) of the most precise range that matches; precision 0 when none does."""
    wanted = {f"{main}/{sub}": 3, f"{main}/*": 2, "*/*": 1}
    found = [(wanted[name], q) for name, q in ranges if name in wanted]
    if not found:
        return 0.0, 0
    precision = max(p for p, _ in found)
    return max(q for p, q in found if p == precision), precision


def _weighted(header: str) -> Iterator[tuple[str, float]]:
    """(lower-case name, q) of a list header, within bounds; members with a malformed q are left out."""
    if len(header) > limits.accept_chars_max:
        header = header[: limits.accept_chars_max].rpartition(",")[0]
    for member in header.split(",", limits.accept_ranges_max)[: limits.accept_ranges_max]:
        name, *parameters = (part.strip().lower() for part in member.split(";", 16)[:16])
        q = next((p[2:].strip() for p in parameters if p.startswith("q=")), "1")
        if name and _QVALUE.fullmatch(q):
            yield name, float(q)


@functools.lru_cache(maxsize=256)
def spoken(accept_language: str) -> str:
    """The language that we have and the client likes best (RFC 9110 section 12.5.4); English when there is none."""
    best, best_q = "en", 0.0
    for tag, q in _weighted(accept_language):
        code = "en" if tag == "*" else tag.partition("-")[0]
        if q > best_q and code in texts:
            best, best_q = code, q
    return best


# ---- bodies --------------------------------------------------------------------------------------

# Stand-ins that no text or escaping can make: a body is split at them once and joined for every answer
_REFERENCE: Final = "\x02"
_INSTANCE: Final = "\x03"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def _body(kind: str, status: int, code: str, retryable: bool, public: str, reference: str, trace_id: str) -> bytes:
    head, middle, tail = _frame(kind, status, code, retryable, public)
    parts = [head, _render[kind].instance(reference).encode(), middle, reference.encode()]
    if trace_id:
        parts.append(_render[kind].trace(texts[code], trace_id).encode())
    return b"".join((*parts, tail))


@functools.lru_cache(maxsize=1024)
def _frame(kind: str, status: int, code: str, retryable: bool, public: str) -> tuple[bytes, bytes, bytes]:
    """The constant bytes before the instance, between it and the reference, and after that."""
    speech = texts[code]
    title = speech.titles.get(status) or reason(status)
    what = speech.whats.get(status, speech.whats[500])
    advice = speech.temporary if retryable else speech.permanent
    public = " ".join(_CONTROL.sub(" ", public).split())
    whole = _render[kind].page(_Page(status, title, f"{public} {what}".strip(), advice, code, retryable, speech))
    before, _, rest = whole.partition(_INSTANCE)
    between, _, after = rest.partition(_REFERENCE)
    return before.encode(), between.encode(), after.encode()


@record(frozen=True, slots=True)
class _Page:
    status: int
    title: str
    what: str
    advice: str
    code: str
    retryable: bool
    texts: Texts


@record(frozen=True, slots=True)
class _Kind:
    page: Callable[[_Page], str]
    instance: Callable[[str], str]
    trace: Callable[[Texts, str], str]


def _json(page: _Page) -> str:
    members = {
        "type": "about:blank",  # RFC 9457 section 4.2.1: the status says it all, the title is its phrase
        "title": page.title,
        "status": page.status,
        "detail": page.what + ("" if page.what.endswith("。") else " ") + page.advice,
        "error": reason(page.status),
        "retryable": page.retryable,
    }
    body = json.dumps(members, ensure_ascii=False, separators=(", ", ": "))
    return f'{body[:-1]}, "instance": "{_INSTANCE}", "reference": "{_REFERENCE}"' + _JSON_END


def _text(page: _Page) -> str:
    speech = page.texts
    return (
        f"{page.status} {page.title}\n\n{page.what}\n{page.advice}\n\n"
        f"{speech.quote}\n{_INSTANCE}{speech.reference}: {_REFERENCE}\n"
    )


def _html(page: _Page) -> str:
    speech, escape = page.texts, _escape
    again = f'<p><a href="">{escape(speech.again)}</a></p>' if page.retryable else ""
    return (
        f'<!doctype html>\n<html lang="{page.code}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="robots" content="noindex">\n'
        f"<title>{page.status} {escape(page.title)}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n"
        f'<p class="status">{page.status}</p>\n<h1>{escape(page.title)}</h1>\n'
        f"<p>{escape(page.what)}</p>\n<p>{escape(page.advice)}</p>\n{again}\n"
        f'<p class="quote">{escape(speech.quote)}</p>\n'
        f"<dl>{_INSTANCE}<dt>{escape(speech.reference)}</dt><dd>{_REFERENCE}</dd></dl>\n</main>\n</body>\n</html>\n"
    )


_JSON_END = "}\n"


def _urn(reference: str) -> str:
    r = reference
    return f"urn:uuid:{r[:8]}-{r[8:12]}-{r[12:16]}-{r[16:20]}-{r[20:]}"


def _nothing(reference: str) -> str:
    return ""


def _json_trace(speech: Texts, trace_id: str) -> str:
    return f'", "trace_id": "{trace_id}'


def _text_trace(speech: Texts, trace_id: str) -> str:
    return f"\n{speech.trace}: {trace_id}"


def _escape(text: str) -> str:
    """As ``html.escape`` does it; its module brings a table of 2,000 names along."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace('"', "&quot;").replace("'", "&#x27;")


def _html_trace(speech: Texts, trace_id: str) -> str:
    return f'</dd><dt class="shown">{_escape(speech.trace)}</dt><dd>{trace_id}'


_JSON = _Kind(_json, _urn, _json_trace)
_render: Final[dict[str, _Kind]] = {
    "problem": _JSON,
    "json": _JSON,
    "html": _Kind(_html, _nothing, _html_trace),
    "text": _Kind(_text, _nothing, _text_trace),
}

# The hash is the one of ``problem_texts.style``. It is not computed here, as hashlib loads OpenSSL; a test compares it.
content_security_policy: Final = (
    "default-src 'none'; style-src 'sha256-kqH9XnDEcFjRAK7COet46B8iWAzvK5rdRKr4aQ10f/I='"
    "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
