"""Who may say what a project takes and keeps, by page, API and command, and that it stands in the audit log."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from tests.console.access.test_gate import House

from fivehundred.cli import main


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = House(tmp_path_factory.mktemp("rules"))
    yield made
    made.console.stop()


def test_viewers_and_members_may_not_change_what_a_project_takes(rules: House) -> None:
    for role in ("viewer", "member"):
        visitor = rules.visitor(role)
        assert visitor.post("/projects/1/rules", act="origins", origins="https://evil.example")[0] in (403, 404)
        body = json.dumps({"origins": ["https://evil.example"]}).encode()
        status, *_ = visitor.ask("PUT", "/api/v1/projects/1/origins", body, Content_Type="application/json")
        assert status in (403, 404)
    assert "evil" not in rules.visitor("owner").get("/projects/1/rules")[1]


def test_what_an_admin_changes_stands_in_the_audit_log(rules: House) -> None:
    admin = rules.visitor("admin")
    assert admin.post("/projects/1/rules", act="origins", origins="https://shop.example")[0] == 303
    assert admin.post("/projects/1/rules", act="quotas", day="1000")[0] == 303
    assert admin.post("/projects/1/rules", act="kept", days="14", events="5000")[0] == 303
    assert admin.post("/projects/1/rules", act="kept", days="0")[0] == 400
    log = admin.get("/audit")[1]
    for words in ("origins: https://shop.example", "quotas: 1000 a day", "kept: at most 14 days, 5000 events"):
        assert words in log
    assert "0 days" not in log


def test_the_commands_take_a_token_where_there_are_accounts(rules: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["quota", "1", "--day", "5", "--url", rules.url]) == 1
    assert "sign in, or send a token" in capsys.readouterr().err
    for command, words in (("quota", ["--day", "2000"]), ("retention", ["--days", "30"]), ("origins", ["a.example"])):
        assert main([command, "1", *words, "--url", rules.url, "--token", rules.tokens["admin"]]) == 0
    assert "any number a hour, 2000 a day\n" in capsys.readouterr().out
    assert main(["retention", "1", "--days", "1", "--url", rules.url, "--token", rules.tokens["member"]]) == 1
    assert rules.visitor("admin").get("/audit")[1].count("kept: at most 30 days") == 1
