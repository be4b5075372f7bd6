"""Where a person's name can stand: every text column of the schema, and what erasing does with it. Data only.

``tests/console/store/test_erasing.py`` walks the schema: a column that is in none of these fails the suite.
"""

from __future__ import annotations

from typing import Final

# text that belongs to many: the name in it is replaced
replaced: Final[dict[str, tuple[str, ...]]] = {
    "fault": (
        "title", "message", "culprit", "method", "route", "platform", "level", "sentence", "first_release",
        "last_release", "environment", "search", "diagnosis", "fingerprint",
    ),
    "change": ("by", "what"),
    "comment": ("author", "body"),
    "memory": ("json",),
    "alert": ("subject", "body", "error"),
    "alert_told": ("subject",),
    "incident": ("subject", "sentence", "resolved_why", "acknowledged_by"),
    "incident_signal": ("resource", "host", "twin"),
    "choice": ("field", "value", "data", "by", "undone_by"),
    "suspect": ("found",),
    "triage": ("owner", "resolved_in"),
    "announced": ("url", "ref"),
    "deploy": ("release", "environment", "name", "url"),
    "issue_link": ("title", "linked_by"),
    "session": ("address", "agent"),
    "token": ("name",),
    "audit": ("who", "what", "about", "address"),
}  # fmt: skip
# the row goes: it is about the person, or the name is part of what makes the row one of its kind
deleted: Final[dict[str, tuple[str, ...]]] = {
    "fault_value": ("name", "value"),
    "project_value": ("name", "value"),
    "incident_value": ("name", "value"),
    "rate": ("route", "method"),
    "rate_value": ("route", "name", "value"),
    "tally": ("outcome", "item", "reason", "sdk"),
    "feedback": ("name", "email", "message"),
    "malformed": ("reason",),
    "announced": ("release",),
    "issue_link": ("url",),
    "failed_sign_in": ("key",),
}
# what people set up in the Console: another text would do something else, so it is said, and theirs to change
reported: Final[dict[str, tuple[str, ...]]] = {
    "project": ("name",),
    "project_origin": ("origin",),
    "person": ("name", "shown", "subject"),
    "team": ("name",),
    "grouping_rule": ("matchers", "fingerprint", "created_by"),
    "owner_rule": ("pattern", "owner"),
    "inbound_filter": ("pattern",),
    "saved_view": ("name", "line"),
    "objective": ("route",),
    "repository": ("path",),
    "channel": ("name", "settings"),
    "alert_rule": ("name", "narrow"),
    "tracker": ("name", "url", "target", "account"),
}
# nothing of a person can stand there, or it goes with something else: why
harmless: Final[dict[str, str]] = {
    "*.project": "the number of a project",
    "*.id": "a number",
    "*.state": "one of our words",
    "*.kind": "one of our words",
    "*.owner_kind": "one of our words",
    "*.role": "one of our words",
    "*.hash": "a hash",
    "*.sealed": "encrypted",
    "event.*": "the row goes with its payload, which holds every one of its texts",
    "project.key": "random",
    "mark.*": "names and places of our own",
    "*.cause": "one of our words",
    "fault.confidence": "one of our words",
    "fault.transient": "one of our words",
    "fault_key.key": "a hash",
    "fault_words.words": "words are taken out one by one",
    "suspect.event_id": "a number",
    "person.password": "a hash",
    "person.totp_sealed": "encrypted",
    "person.recovery": "hashes",
    "token.prefix": "random",
    "token.scope": "one of our words",
    "triage.priority": "one of our words",
    "saved_view.sort": "one of our words",
    "alert_rule.kinds": "our words",
    "spool_mark.*": "places in the spool",
    "digest_lease.*": "names of machines",
    "node.*": "names of machines and figures",
    "quota.per": "one of our words",
    "erasure.name": "the order to erase it, which is forgotten once it is carried out",
}
