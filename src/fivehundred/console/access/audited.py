"""What stands in the audit log of a change that came through the gate: a sentence, by its path. Pure.

The log reads "Ann | muted | #12 for 1h": who, what, about. Signing in, accounts, teams and tokens write rows of their
own, with more than a path knows.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import Final

# what a handler adds about its change ("#1, #2 (1h)"); the gate puts a list here for one request
notes: ContextVar[list[str] | None] = ContextVar("fivehundred_notes", default=None)

_OWN_ROWS: Final = re.compile(
    r"/(?:sign-in|sign-out|invite|account|people|teams|looks|mcp)(?:/.*)?|/api/v1/(?:people|teams|tokens)(?:/.*)?"
)
_TRIES: Final = re.compile(r"/api/v1/grouping-rules/test|/api/v1/alerts/test")
_API: Final = re.compile(r"^/api/(?:v1|0)(?=/)")

# (methods, path without /api/v1, what is said), the first that fits; the numbers of the path follow it
_SAID: Final[tuple[tuple[str, str, str], ...]] = (
    ("POST|PATCH", r"/faults(?:/state|/\d+|/\d+/acts)?", ""),  # the handler's note is the sentence: "muted #1"
    ("POST", r"/faults/\d+/comments", "commented on"),
    ("POST|DELETE", r"/faults/\d+/comments/\d+(?:/remove)?", "removed a comment: fault and comment"),
    ("POST", r"/faults/\d+/merge", "merged faults into"),
    ("POST", r"/faults/\d+/split", "split"),
    ("POST|DELETE", r"/faults/\d+/issues(?:/\d+)?", "changed the issues of"),
    ("POST", r"/choices/\d+/undo", "took back the merge or split"),
    ("POST|PATCH", r"/incidents/\d+", "changed the incident"),
    ("POST", r"/views", "saved a view"),
    ("POST|DELETE", r"/views/\d+(?:/remove)?", "removed the view"),
    ("POST", r"/projects", "made a project"),
    ("POST", r"/projects/\d+/test", "sent a test event to project"),
    ("POST", r"/projects/\d+/key", "made a new key for project"),
    ("PUT", r"/projects/\d+/quotas", "set the quotas of project"),
    ("POST|PUT", r"/projects/\d+/repository", "named the repository of project"),
    ("POST|PATCH|PUT", r"/projects/\d+(?:/.*)?", "changed project"),
    ("POST", r"/(?:settings/)?filters", "added a filter"),
    ("POST|PATCH|DELETE", r"/(?:settings/)?filters/\d+", "changed or removed the filter"),
    ("POST", r"/(?:settings/)?(?:owners|owner-rules)", "added an owner rule"),
    ("POST|DELETE", r"/(?:settings/)?(?:owners|owner-rules)/\d+(?:/remove)?", "removed the owner rule"),
    ("POST", r"/(?:settings/)?objectives", "set an objective"),
    ("POST|DELETE", r"/(?:settings/)?objectives/\d+(?:/remove)?", "removed the objective"),
    ("POST", r"/(?:grouping|grouping-rules)", "added a grouping rule"),
    ("POST|PATCH|DELETE", r"/(?:grouping|grouping-rules)/\d+", "changed or removed the grouping rule"),
    ("POST", r"/(?:alerts/)?channels", "added the channel"),
    ("POST", r"/(?:alerts/)?channels/\d+/test", "sent a test to channel"),
    ("POST|DELETE", r"/(?:alerts/)?channels/\d+(?:/remove)?", "removed the channel"),
    ("POST", r"/(?:alerts/)?(?:rules|alert-rules)", "added the alert rule"),
    ("POST|PATCH|DELETE", r"/(?:alerts/)?(?:rules|alert-rules)/\d+", "changed or removed the alert rule"),
    ("POST", r"/alerts/\d+/retry", "tried again to send the message"),
    ("POST", r"/trackers", "added the tracker"),
    ("POST|DELETE", r"/trackers/\d+(?:/remove)?", "removed the tracker"),
    ("POST", r"/deploys", "announced the deploy"),
)
_COMPILED: Final = tuple((re.compile(m), re.compile(p), words) for m, p, words in _SAID)


def note(text: str) -> None:
    found = notes.get()
    if found is not None and len(found) < 20:
        found.append(text[:200])


def words(method: str, path: str, said: list[str]) -> tuple[str, str] | None:
    """(what, about); None for what is not written down here."""
    if method in ("GET", "HEAD", "OPTIONS") or _OWN_ROWS.fullmatch(path) or _TRIES.fullmatch(path):
        return None
    path = _API.sub("", path)
    numbers = [f"#{part}" for part in path.split("/") if part.isdecimal()]
    what = next((w for m, p, w in _COMPILED if m.fullmatch(method) and p.fullmatch(path)), None)
    if what == "":
        act, _, rest = (said[0] if said else f"changed {' '.join(numbers)}").partition(" ")
        return act, rest[:500]
    if what is None:
        kinds = [part.replace("-", " ") for part in path.split("/") if part and not part.isdecimal()]
        verb = {"DELETE": "removed", "PATCH": "changed", "PUT": "set"}.get(method, "posted")
        what = f"{verb} {' '.join(kinds)}"
    return what[:200], ", ".join([*numbers, *said])[:500]
