"""The answer of a failure in development mode: the page for browsers, the same for programs and for terminals.

Status and reference are those of the safe answer, which is what anybody else gets.
"""

from __future__ import annotations

import json
from typing import Final

from fivehundred.diagnosis.diagnose import diagnose
from fivehundred.event import Event
from fivehundred.guard.devpage import style
from fivehundred.guard.devpage.html import page
from fivehundred.guard.devpage.shown import Shown, place, shown
from fivehundred.guard.devpage.terminal import is_terminal, terminal_text
from fivehundred.guard.devpage.trust import refusal, say_refused
from fivehundred.guard.request import RequestParts
from fivehundred.problem import Answer, negotiated, reference_header

_replaced: Final = ("content-type", "content-length", "content-security-policy", "content-language")


def development_answer(safe: Answer, event: Event, parts: RequestParts) -> Answer:
    """``safe`` itself when the request does not come from this machine."""
    why = refusal(parts)
    if why:
        say_refused(why)
        return safe
    reference = next((v for k, v in safe.headers if k == reference_header), event.event_id)
    found = shown(event, diagnose(event), safe.status)
    kind, body = _body(safe, found, reference, parts)
    headers = [(name, content) for name, content in safe.headers if name.lower() not in _replaced]
    headers += [("Content-Type", kind), ("Content-Length", str(len(body))), ("Content-Language", "en")]
    if kind.startswith("text/html"):
        headers.append(("Content-Security-Policy", style.policy()))
    return Answer(safe.status, headers, body)


def _body(safe: Answer, found: Shown, reference: str, parts: RequestParts) -> tuple[str, bytes]:
    accept, agent = parts.header("accept"), parts.header("user-agent")
    kind = negotiated(accept[:1_000])
    if is_terminal(agent) and accept.strip() in ("", "*/*"):
        kind = "text"
    if kind == "html":
        return "text/html; charset=utf-8", page(found, reference).encode("utf-8", "replace")
    if kind == "text":
        text = terminal_text(found, reference, coloured=is_terminal(agent))
        return "text/plain; charset=utf-8", text.encode("utf-8", "replace")
    return ("application/problem+json" if kind == "problem" else "application/json"), _json(safe, found, parts)


def _json(safe: Answer, found: Shown, parts: RequestParts) -> bytes:
    """The members of the safe answer, and ``debug`` beside them."""
    try:
        members = json.loads(safe.body)
    except ValueError:  # the safe answer was negotiated as another kind
        members = {"status": safe.status}
    diagnosis, frame = found.diagnosis, found.failing
    members["debug"] = {
        "exception": found.title,
        "where": f"{place(frame)} in {frame.function}" if frame else "",
        "cause": diagnosis.cause,
        "confidence": diagnosis.confidence,
        "sentence": diagnosis.sentence,
        "advice": diagnosis.advice,
        "evidence": [fact.text for fact in diagnosis.evidence],
        "traceback": found.traceback.splitlines(),
    }
    return json.dumps(members, ensure_ascii=True, indent=2, default=str).encode()
