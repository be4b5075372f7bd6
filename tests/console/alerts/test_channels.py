"""Channels deliver to real servers, or say why not."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fivehundred.console.channels import mail_html
from fivehundred.console.channels.base import BadSettings, Message, NotAccepted, Rejected, one_line
from fivehundred.console.channels.mail import Mail
from fivehundred.console.channels.others import Others
from fivehundred.console.channels.webhook import Webhook
from fivehundred.event import Json

from .conftest import Hook, Postbox

hostile = "boom\r\nBcc: everybody@example.test\r\n\r\nbody \u202e\x00"
message = Message(
    "fivehundred-7-1", "new", hostile, "It fails.\nDo: mend it.", "http://c.test/faults/1", {"project": "1"}
)


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_a_webhook_gets_json_that_it_can_check(hook: Hook) -> None:
    Webhook(hook.url, "k3y").send(message)
    [(headers, body)] = hook.got
    at, _, signed = headers["Fivehundred-Signature"].partition(",v1=")
    expected = hmac.new(b"k3y", at.removeprefix("t=").encode() + b"." + body, hashlib.sha256).hexdigest()
    assert signed == expected
    assert headers["Fivehundred-Delivery"] == message.id
    assert json.loads(body)["url"] == "http://c.test/faults/1"


@pytest.mark.parametrize(
    ("status", "error"), [(503, NotAccepted), (429, NotAccepted), (404, Rejected), (410, Rejected)]
)
def test_a_webhook_that_is_refused_says_with_what(hook: Hook, status: int, error: type[Exception]) -> None:
    hook.answers = [status]
    with pytest.raises(error, match=f"answered {status}"):
        Webhook(hook.url, "").send(message)


def test_a_webhook_follows_no_redirect(hook: Hook) -> None:
    hook.answers, hook.headers = [302], {"location": "http://127.0.0.1/secret"}
    with pytest.raises(Rejected, match="302"):
        Webhook(hook.url, "").send(message)
    assert len(hook.got) == 1


def test_a_webhook_that_is_down_may_be_up_later() -> None:
    with pytest.raises(NotAccepted, match="refused"):
        Webhook(f"http://127.0.0.1:{closed_port()}/", "").send(message)


@pytest.mark.parametrize(
    "url", ["", "ftp://x/", "http://", "file:///etc/passwd", "http://u:p@h/", "http://h/\r\nX: y", "http://[", "h:80"]
)
def test_what_is_no_address_of_a_webhook_is_refused_when_it_is_set(url: str) -> None:
    with pytest.raises(BadSettings):
        Webhook(url, "")


def mail(box: Postbox, **more: str) -> Mail:
    return Mail("127.0.0.1", box.port, "none", "Console <five@example.test>", ("ann@example.test",), **more)


def test_a_mail_is_one_mail_whatever_the_event_says(postbox: Postbox) -> None:
    mail(postbox).send(message)
    [got] = postbox.got
    assert got["Bcc"] is None
    assert got["Subject"] == "boom Bcc: everybody@example.test body"
    assert got["Auto-Submitted"] == "auto-generated"
    plain, html = (got.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None
    assert html is not None
    assert "http://c.test/faults/1" in plain.get_content()
    assert 'href="http://c.test/faults/1"' in html.get_content()


def test_the_html_of_a_mail_holds_no_markup_of_an_event_and_asks_for_nothing() -> None:
    facts: dict[str, Json] = {"fault": {"cause": "bug", "events": 12_345, "users": "<b>3</b>", "status": 500}}
    text = "<img src=x>\n<a href='//evil'>&"
    html = mail_html.page(Message("1", "new", "<script>1</script>", text, "http://c.test/?a&b", facts))
    assert "<script" not in html
    assert "&lt;img src=x&gt;" in html
    assert "12,345" in html
    assert re.findall(r"<[^>]*(?:src|href)=[\"']([^\"']*)", html) == ["http://c.test/?a&amp;b"]


@pytest.mark.parametrize(("answer", "error"), [("451 later", NotAccepted), ("550 no such user", Rejected)])
def test_a_mail_that_is_refused_says_with_what(postbox: Postbox, answer: str, error: type[Exception]) -> None:
    postbox.answer = answer
    with pytest.raises(error, match=answer):
        mail(postbox).send(message)


def test_a_server_without_tls_gets_nothing_when_tls_was_asked_for(postbox: Postbox) -> None:
    asked = Mail("127.0.0.1", postbox.port, "starttls", "five@example.test", ("ann@example.test",), "ann", "s3cret")
    with pytest.raises(Rejected, match="STARTTLS"):
        asked.send(message)
    assert postbox.got == []


def test_a_mail_server_that_is_down_may_be_up_later() -> None:
    with pytest.raises(NotAccepted, match="refused"):
        Mail("127.0.0.1", closed_port(), "none", "five@example.test", ("ann@example.test",)).send(message)


@pytest.mark.parametrize(
    "wrong",
    [{"host": ""}, {"port": 0}, {"receivers": ()}, {"receivers": ("nobody",)}, {"sender": "x"}, {"password": "p"}],
)
def test_a_mail_channel_that_cannot_work_is_refused_when_it_is_set(wrong: dict[str, object]) -> None:
    right: dict[str, object] = {"host": "h", "port": 25, "security": "none", "sender": "a@b", "receivers": ("c@d",)}
    with pytest.raises(BadSettings):
        Mail(**{**right, **wrong})  # type: ignore[arg-type]


def test_a_service_of_apprise_gets_the_message(hook: Hook) -> None:
    Others(hook.url.replace("http://", "json://")).send(message)
    [(_, body)] = hook.got
    assert "It fails." in json.loads(body)["message"]


def test_a_service_of_apprise_that_refuses_is_said_to(hook: Hook) -> None:
    hook.answers = [500]
    with pytest.raises(NotAccepted):
        Others(hook.url.replace("http://", "json://")).send(message)


@pytest.mark.parametrize("url", ["", "slack", "nosuch://x", "syslog://", "dbus://", "slack://"])
def test_what_apprise_does_not_know_or_acts_on_this_machine_is_refused(url: str) -> None:
    with pytest.raises(BadSettings):
        Others(url)


@given(st.text(max_size=400))
def test_a_line_is_one_line(text: str) -> None:
    line = one_line(text)
    assert line.isprintable()
    assert len(line) <= 200
