"""Whatever an event holds, every page and every format of it still renders, and nothing of it becomes markup."""

from __future__ import annotations

import re
import time
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.console.face import Face, wire

from fivehundred.console.store.base import Batch, Feedback, Malformed
from fivehundred.event import Json, clean, new_id

evil = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "</title></pre></script>{{ 7*7 }}{% raw %}",
    "a\0b\x1b[31m\r\nc",
    "\u202egnp.exe\u2066\u200f",
    "\ud800 lone",
    "```\n# heading\n~~~",
    "'; rm -rf / #$(id)`id`",
    "../../etc/passwd",
    "javascript:alert(1)",
    "-o /etc/passwd",
    "",
)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from(evil), st.text(max_size=30), st.just(2**70)
)
values = st.recursive(
    scalars, lambda s: st.lists(s, max_size=3) | st.dictionaries(st.sampled_from(evil), s, max_size=3), max_leaves=8
)
frames = st.dictionaries(
    st.sampled_from(
        [
            "filename",
            "abs_path",
            "function",
            "module",
            "lineno",
            "context_line",
            "pre_context",
            "vars",
            "in_app",
            "post_context",
        ]
    ),
    values,
)
exceptions = st.fixed_dictionaries(
    {
        "type": values,
        "value": values,
        "stacktrace": st.one_of(values, st.fixed_dictionaries({"frames": st.lists(frames)})),
    }
)
events = st.fixed_dictionaries(
    dict.fromkeys(
        [
            "platform",
            "level",
            "logger",
            "transaction",
            "server_name",
            "release",
            "environment",
            "logentry",
            "message",
            "user",
            "tags",
            "contexts",
            "extra",
            "modules",
            "fingerprint",
            "sdk",
            "breadcrumbs",
            "timestamp",
        ],
        values,
    )
    | {
        "exception": st.one_of(values, st.fixed_dictionaries({"values": st.lists(exceptions | values, max_size=3)})),
        "request": st.one_of(
            values,
            st.fixed_dictionaries(
                dict.fromkeys(("method", "url", "query_string", "data", "cookies", "headers", "env"), values)
            ),
        ),
    }
)


class Strict(HTMLParser):
    """Fails on what our templates never write: a script without a source, a handler, a foreign element."""

    allowed = frozenset(
        [
            "html",
            "head",
            "meta",
            "title",
            "link",
            "script",
            "body",
            "a",
            "header",
            "div",
            "nav",
            "form",
            "svg",
            "use",
            "input",
            "kbd",
            "details",
            "summary",
            "span",
            "button",
            "main",
            "footer",
            "h1",
            "h2",
            "h3",
            "section",
            "p",
            "b",
            "i",
            "code",
            "pre",
            "ul",
            "ol",
            "li",
            "dl",
            "dt",
            "dd",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "path",
            "rect",
            "bdi",
            "img",
            "time",
            "small",
            "br",
            "noscript",
            "article",
            "textarea",
            "datalist",
            "option",
            "select",
            "label",
        ]
    )

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name for name, _ in attrs}
        assert tag in self.allowed, tag
        assert not any(n.startswith("on") or n == "style" for n in names), attrs
        assert tag != "script" or dict(attrs).get("src", "").startswith("/static/")  # type: ignore[union-attr]
        assert tag != "img" or (dict(attrs)["src"] or "").startswith("/static/")
        for name in ("href", "action", "src"):
            assert re.match(r"/|#|http://testserver/", dict(attrs).get(name) or "/"), attrs


def check_everything(face: Face, event: str) -> None:
    stored = face.store().event(event)
    paths = ["/", "/faults?q=is:any", f"/faults/{stored.summary.fault}", f"/events/{event}", "/losses"]
    paths.append(f"/faults/{stored.summary.fault}/events")
    paths += ["/releases", "/routes", "/projects/1", "/settings/owners?event=%231", "/settings/filters?event=%231"]
    for listed in ("/releases", "/routes"):
        paths += [unescape(url) for url in re.findall(r'href="(/(?:release|route)\?[^"]*)"', face.page(listed))]
    for path in paths:
        page = face.page(path)
        Strict().feed(page)
        assert "\0" not in page
        assert "\u202e" not in page
        assert len(page.encode()) < 250_000
    for path in ("traceback", "curl", "pytest"):
        face.page(f"/events/{event}/{path}")
    compile(face.page(f"/events/{event}/pytest"), "replay", "exec")
    face.page(f"/faults/{stored.summary.fault}.md")
    for path in (f"events/{event}", f"faults/{stored.summary.fault}", f"faults/{stored.summary.fault}/events", "stats"):
        face.page(f"/api/v1/{path}")


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(raw=events, text=st.sampled_from(evil))
def test_any_event_renders_on_every_page_and_in_every_format(
    raw: dict[str, Json], text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    face = Face(tmp_path_factory.mktemp("hostile"))
    event = face.add({**raw, "event_id": new_id()}, text=text)[0]
    check_everything(face, event)


@pytest.mark.parametrize("text", [*evil, "x" * 1_000_000, "\u202e" * 3_000, "a b " * 20_000, "(" * 9_000, "'" * 9_000])
def test_one_hostile_text_in_every_field_renders(text: str, tmp_path: Path) -> None:
    face = Face(tmp_path)
    event = face.add({**filled(wire(), text), "event_id": new_id()}, text=text[:9_000])[0]
    check_everything(face, event)


def test_nulls_everywhere_render(tmp_path: Path) -> None:
    face = Face(tmp_path)
    event = face.add({**dict.fromkeys(wire()), "event_id": new_id()})[0]
    check_everything(face, event)


def test_hidden_characters_are_written_out(tmp_path: Path) -> None:
    face = Face(tmp_path)
    face.add(wire(message="invoice\u202efdp.exe"))
    assert "invoice\\u202efdp.exe" in face.page("/faults/1")


@pytest.mark.parametrize("text", evil)
def test_what_users_write_is_text_and_no_page(text: str, tmp_path: Path) -> None:
    face = Face(tmp_path)
    event = face.add(wire())[0]
    said = Feedback("1", event, time.time(), clean(text), clean(text), clean(text))
    face.store().write(Batch(feedback=[said]), now=time.time())
    check_everything(face, event)
    assert "What users wrote" in face.page(f"/events/{event}")
    assert face.client.get(f"/api/v1/events/{event}").json()["feedback"][0]["message"] == said.message


def test_a_malformed_event_of_hostile_bytes_renders(tmp_path: Path) -> None:
    face, event = Face(tmp_path), new_id()
    face.write(malformed=[Malformed("1", time.time(), event, evil[1], b"\xff\0<script>" * 5_000)])
    for path in ("/malformed", f"/events/{event}", "/", f"/events/{event}/curl"):
        page = face.page(path)
        assert "<script>" not in page.replace("<script src=", "")


@given(line=st.one_of(st.text(max_size=60), st.sampled_from(evil), st.text(alphabet='is:cauel"b# ', max_size=40)))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_search_line_is_answered(line: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    face = Face(tmp_path_factory.mktemp("search"))
    answer = face.client.get("/faults", params={"q": line.encode("utf-8", "replace").decode()})
    assert answer.status_code == 200
    Strict().feed(answer.text)


def filled(value: dict[str, Json], text: str) -> dict[str, Json]:
    """The same shape with the text in place of every string."""
    return {(k if k in _KEYS else text): _filled(v, text) for k, v in value.items()}


def _filled(value: Json, text: str) -> Json:
    if isinstance(value, dict):
        return filled(value, text)
    if isinstance(value, list):
        return [_filled(v, text) for v in value]
    return text if isinstance(value, str) else value


_KEYS = frozenset(
    [
        "exception",
        "values",
        "type",
        "value",
        "stacktrace",
        "frames",
        "filename",
        "function",
        "lineno",
        "in_app",
        "module",
        "pre_context",
        "context_line",
        "post_context",
        "vars",
        "request",
        "method",
        "url",
        "query_string",
        "headers",
        "data",
        "user",
        "id",
        "tags",
        "breadcrumbs",
        "category",
        "level",
        "message",
        "contexts",
        "fivehundred",
        "status",
        "route",
        "sql",
        "statement",
        "ms",
        "error",
        "sdk",
        "name",
        "version",
        "release",
        "environment",
        "server_name",
        "platform",
        "event_id",
    ]
)
