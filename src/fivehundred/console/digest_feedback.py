"""What a user wrote about a failure: from the two forms that SDKs send to one. Only what names its event is of use."""

from __future__ import annotations

from typing import Final

from fivehundred import limits
from fivehundred.console.store.base import Feedback
from fivehundred.event import Json, clean_id, text
from fivehundred.scrub import scrub_text

kinds: Final = ("user_report", "feedback")  # item types


def read(kind: str, raw: dict[str, Json], header_id: str, project: str, received_at: float) -> Feedback | None:
    """None when it names no event or says nothing. ``header_id`` is the envelope's, which is the report's event."""
    if kind == "user_report":
        event_id, told = clean_id(raw.get("event_id")) or header_id, raw
        message, email = told.get("comments"), told.get("email")
    else:
        contexts = raw.get("contexts")
        found = contexts.get("feedback") if isinstance(contexts, dict) else None
        told = found if isinstance(found, dict) else {}
        event_id = clean_id(told.get("associated_event_id"))
        message, email = told.get("message"), told.get("contact_email")
    said = scrub_text(text(message, limits.feedback_chars_max)).strip()
    if not event_id or not said:
        return None
    return Feedback(project, event_id, received_at, text(told.get("name"), 200), text(email, 200), said)
