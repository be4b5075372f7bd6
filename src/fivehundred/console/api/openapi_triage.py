"""The paths of triage in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from fivehundred.console.api import bounds
from fivehundred.console.api.operations import gets, in_path, in_query, removes, sends
from fivehundred.console.api.schema import Schema


def paths() -> dict[str, Any]:
    fault, project = _number("fault"), _number("project")
    event = in_query("event", bounds.reference, "a reference; what fits this event is said beside the list")
    of = in_query("project", {"type": "string"}, "the number of a project; all when missing")
    return {
        "/faults/acts": {"post": sends("do one thing with many faults", "ActOnMany", "Changed")},
        "/faults/{fault}/acts": {
            "post": sends(
                "resolve (now, in this or the next release), reopen, mute (with an end), assign, set the priority",
                "ActSent",
                "TriageAnswer",
                fault,
            )
        },
        "/faults/{fault}/triage": {"get": gets("what is decided about a fault, done and said", "TriageAnswer", fault)},
        "/faults/{fault}/comments": {"post": sends("write a comment", "CommentSent", "Made", fault)},
        "/faults/{fault}/comments/{comment}": {"delete": removes("remove a comment", fault, _number("comment"))},
        "/owner-rules": {
            "get": gets("ownership rules in their order; the last that fits decides", "RuleList", event),
            "post": sends("add an ownership rule", "RuleSent", "Made"),
        },
        "/owner-rules/{rule}": {"delete": removes("remove an ownership rule", _number("rule"))},
        "/filters": {
            "get": gets("inbound filters and what they dropped", "FilterList", event),
            "post": sends("add an inbound filter", "FilterSent", "Made"),
        },
        "/filters/{filter}": {
            "patch": sends("turn a filter on or off", "FilterChange", "Changed", _number("filter")),
            "delete": removes("remove a filter", _number("filter")),
        },
        "/views": {
            "get": gets("saved views: shared ones and your own", "ViewList"),
            "post": sends("save a search under a name", "ViewSent", "Made"),
        },
        "/views/{view}": {"delete": removes("remove a saved view", _number("view"))},
        "/releases": {"get": gets("releases, the newest first", "ReleaseList", of)},
        "/routes": {"get": gets("routes that failed, the last ones first", "RouteList", of)},
        "/projects/{project}": {"patch": sends("rename a project", "ProjectSent", "ProjectAnswer", project)},
        "/projects/{project}/key": {
            "post": sends("make a new key; the old DSN is refused from then on", "Nothing", "ProjectAnswer", project)
        },
    }


def _number(name: str) -> Schema:
    return in_path(name, {"type": "integer", "minimum": 1}, f"the number of the {name}")
