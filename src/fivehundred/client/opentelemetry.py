"""Writes a failed attempt onto the current OpenTelemetry span. Without OpenTelemetry it does nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fivehundred.client.hooks import Notice


def add_event(notice: Notice) -> None:
    try:
        from opentelemetry import trace
    except ImportError:
        return
    span = trace.get_current_span()
    if not span.is_recording():
        return
    attempt = notice.attempt
    attributes: dict[str, str | int | float] = {
        "http.request.method": notice.method,
        "http.request.resend_count": attempt.number - 1,
        "error.type": attempt.failure or str(attempt.status),
    }
    if attempt.status is not None:
        attributes["http.response.status_code"] = attempt.status
    if attempt.reference:
        attributes["fivehundred.reference"] = attempt.reference
    if notice.wait_s is not None:
        attributes["fivehundred.wait_s"] = notice.wait_s
    span.add_event("fivehundred.attempt_failed", attributes)
