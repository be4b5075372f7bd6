"""The part of the OpenAPI document that is about grouping: merge, split, take back, rules."""

from __future__ import annotations

from typing import Any

from fivehundred.console.api.operations import gets, in_path, in_query, removes, sends


def paths() -> dict[str, Any]:
    fault = in_path("fault", {"type": "integer", "minimum": 1}, "the number of the fault")
    choice = in_path("choice", {"type": "integer", "minimum": 1}, "the number of the merge or split")
    rule = in_path("rule", {"type": "integer", "minimum": 1}, "the number of the rule")
    project = in_path("project", {"type": "integer", "minimum": 1}, "the number of the project")
    of = in_query("project", {"type": "string"}, "the number of a project; all when missing")
    route = in_query("route", {"type": "string"}, "only this one")
    minutes = in_query("minutes", {"type": "integer", "minimum": 1}, "how far back; 60 when missing")
    return {
        "/faults/{fault}/context": {
            "get": gets("when it began, how often, what differs, suspect commits, what else failed", "Context", fault)
        },
        "/rates": {"get": gets("requests by route: good, refused, failed", "RateList", of, route, minutes)},
        "/projects/{project}/repository": {
            "post": sends("say where its source lies on this machine", "RepositoryWish", "RepositoryWish", project)
        },
        "/faults/{fault}/grouping": {"get": gets("why it is one fault, and which may be the same", "Grouping", fault)},
        "/faults/{fault}/merge": {"post": sends("merge faults into this one", "MergeWish", "Grouping", fault)},
        "/faults/{fault}/split": {"post": sends("split a fault from now on", "SplitWish", "Grouping", fault)},
        "/choices/{choice}/undo": {"post": sends("take a merge or split back", "Nothing", "Choice", choice)},
        "/grouping-rules": {
            "get": gets("rules that group before all else", "GroupingRuleList"),
            "post": sends("add a rule", "RuleWish", "GroupingRuleList"),
        },
        "/grouping-rules/test": {"post": sends("try a rule on the newest kept events", "RuleWish", "RuleTest")},
        "/grouping-rules/{rule}": {
            "patch": sends("turn a rule on or off", "RuleSwitch", "GroupingRuleList", rule),
            "delete": removes("remove a rule", rule),
        },
    }
