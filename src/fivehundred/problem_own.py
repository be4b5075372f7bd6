"""An answer in the application's own words: its page, its JSON, for any failure that the Guard answers.

The application's function gets what the Guard's own answer says and nothing else of the failure, so it cannot leak one
by accident. Whatever it does wrong, the Guard's own answer goes out. Status and headers are never its to decide.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from fivehundred import limits
from fivehundred.problem import Answer, reason, reference_header
from fivehundred.problem_texts import texts

_log = logging.getLogger("fivehundred.guard")


@dataclass(frozen=True, slots=True)
class Shown:
    """What an answer may say."""

    kind: str  # what the client asked for: "problem", "json", "html" or "text"
    status: int
    title: str  # the status phrase in the client's language
    language: str
    reference: str
    retryable: bool
    retry_after_s: int | None


Template: TypeAlias = "Callable[[Shown], str | bytes | dict[str, object] | None]"


def in_own_words(template: Template, safe: Answer, *, retryable: bool) -> Answer:
    """``safe`` with the template's body; ``safe`` itself when it gives None, fails, or gives what cannot be sent."""
    try:
        body = _body(template(_shown(safe, retryable)), safe)
    except Exception as exc:  # the edge: a template of the application must not cost the answer
        _log.warning("The Guard's template failed with %s; the Guard's own answer was sent", type(exc).__qualname__)
        return safe
    if body is None:
        return safe
    changed = {"content-length": str(len(body)), "content-security-policy": _content_security_policy}
    return Answer(safe.status, [(k, changed.get(k.lower(), v)) for k, v in safe.headers], body)


def _shown(safe: Answer, retryable: bool) -> Shown:
    headers = dict(safe.headers)
    code, seconds = headers["Content-Language"], headers.get("Retry-After")
    return Shown(
        kind=_kinds[headers["Content-Type"].partition(";")[0]],
        status=safe.status,
        title=texts[code].titles.get(safe.status) or reason(safe.status),
        language=code,
        reference=headers[reference_header],
        retryable=retryable,
        retry_after_s=int(seconds) if seconds else None,
    )


def _body(given: object, safe: Answer) -> bytes | None:
    if given is None:
        return None
    if isinstance(given, dict):
        if "json" not in dict(safe.headers)["Content-Type"]:
            raise TypeError("a dict answers a client that accepts JSON")
        given = json.dumps(given, ensure_ascii=False)
    body = given.encode() if isinstance(given, str) else given
    if not isinstance(body, bytes) or not 0 < len(body) <= limits.template_body_bytes_max:
        raise ValueError("a template gives a text, bytes or a dict, within limits.template_body_bytes_max")
    return body


_kinds: Final = {"application/problem+json": "problem", "application/json": "json", "text/html": "html"} | {
    "text/plain": "text"
}

# An own page may bring its own style and pictures of its own site; scripts and foreign addresses stay out
_content_security_policy: Final = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'"
    "; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
