"""Templates to answers: the Jinja environment, its filters, and the headers that every page carries.

All that an event says is text: autoescape makes it harmless as HTML, ``visible`` makes characters seen that would
hide or turn what is around them. An undefined name in a template is an error, not an empty place.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import Response

from fivehundred.console.access.identity import current
from fivehundred.console.store.alerts import Rule
from fivehundred.console.store.base import Fault, Project
from fivehundred.console.web import charts
from fivehundred.event import cut

HERE: Final = Path(__file__).parent
token_cookie: Final = "fivehundred_token"  # noqa: S105 - a name
themes: Final = ("system", "light", "dark")
densities: Final = ("compact", "roomy")

headers: Final = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    # not "no-referrer": with it browsers send "Origin: null" and our own forms could not be told from foreign ones
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}

# C0 and C1 controls but tab and line ends, zero-width and direction marks: they would hide or reorder other text
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff]"
)


def page(request: Request, template: str, values: Mapping[str, object], *, status: int = 200) -> Response:
    """One HTML page. Sets the token of the forms when the browser has none yet."""
    token = request.cookies.get(token_cookie, "")
    fresh = not re.fullmatch(r"[0-9a-f]{32}", token)
    token = secrets.token_hex(16) if fresh else token
    html = (
        environment()
        .get_template(template)
        .render(
            theme=_one_of(request.cookies.get("theme"), themes),
            density=_one_of(request.cookies.get("density"), densities),
            token=token,
            who=current.get(),
            here=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
            **values,
        )
    )
    answer = packed(request, html.encode("utf-8", "replace"), "text/html; charset=utf-8", status)
    if fresh:
        secure = "; Secure" if request.url.scheme == "https" else ""
        answer.headers.append("set-cookie", f"{token_cookie}={token}; Path=/; HttpOnly; SameSite=Strict{secure}")
    return answer


def plain(request: Request, body: str, *, kind: str = "text/plain", status: int = 200) -> Response:
    """Text of an event, to be copied: never HTML to a browser, whatever it holds."""
    return packed(request, body.encode("utf-8", "replace"), f"{kind}; charset=utf-8", status)


def packed(request: Request, body: bytes, kind: str, status: int = 200) -> Response:
    """With the headers every page has, and gzip where it is understood."""
    answer = Response(body, status, {**headers, "content-type": kind, "vary": "Accept-Encoding"})
    if len(body) > 1024 and "gzip" in request.headers.get("accept-encoding", ""):
        answer = Response(gzip.compress(body, 4, mtime=0), status, dict(answer.headers) | {"content-encoding": "gzip"})
        answer.headers["content-length"] = str(len(answer.body))
    return answer


@lru_cache(maxsize=1)
def environment() -> Environment:
    env = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(asked=asked, cut=cut, ago=ago, at=at, num=num, plural=plural, duration=duration, browser=browser)
    env.globals.update(only=only)
    env.globals.update(
        asset=asset,
        spark=charts.spark,
        bars=charts.bars,
        share=charts.share,
        rates=charts.rates,
        percent=charts.percent,
        icon=icon,
    )
    return env


def visible(value: str) -> str:
    """The text with hidden characters written out: ``\\u202e``."""
    return _HIDDEN.sub(lambda m: f"\\x{ord(m[0]):02x}" if ord(m[0]) < 256 else f"\\u{ord(m[0]):04x}", value)


def _finalize(value: object) -> object:
    if isinstance(value, Markup):
        return Markup(visible(value)) if _HIDDEN.search(value) else value  # noqa: S704 - still what it was
    return visible(value) if isinstance(value, str) else value


def _one_of(value: str | None, known: tuple[str, ...]) -> str:
    return value if value in known else known[0]


# ---- filters and globals -------------------------------------------------------------------------


def ago(moment: float | None) -> Markup:
    """ "5 min ago" in a ``time`` element that says the absolute time and that the pages' script keeps current."""
    if moment is None:
        return Markup('<span class="none">–</span>')
    stamp, words = at(moment), f"{duration(time.time() - moment)} ago"
    iso = stamp.replace(" UTC", "Z").replace(" ", "T")
    return Markup(f'<time datetime="{iso}" title="{stamp}">{words}</time>')  # noqa: S704 - digits and our own words


def at(moment: float | None) -> str:
    if moment is None:
        return "–"
    try:
        return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return "–"


def duration(seconds: float) -> str:
    """The largest unit that fits, as one reads it in a list."""
    for name, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size):,} {name}"
    return f"{max(0, int(seconds))} s"


def num(value: int) -> Markup:
    """Whole below ten thousand, then short, the whole of it in the tip."""
    if abs(value) < 10_000:
        return Markup(f"{value:,}")  # noqa: S704 - a number
    for name, size in (("M", 1_000_000), ("k", 1_000)):
        if abs(value) >= size:
            short = f"{value / size:.1f}".removesuffix(".0") if abs(value) < 100 * size else f"{value // size:,}"
            return Markup(f'<span title="{value:,}">{short}{name}</span>')  # noqa: S704 - numbers
    return Markup(f"{value:,}")  # noqa: S704 - a number


def asked(fault: Fault) -> str:
    """Method and route; without a template the route is the transaction's name, which may begin with the method."""
    named = fault.route.startswith(f"{fault.method} ")
    return fault.route if named else f"{fault.method} {fault.route}".strip()


def plural(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def browser(agent: str) -> str:
    """ "Firefox on Windows": enough to know one's own sessions by."""
    name = next((words for sign, words in _BROWSERS if sign in agent), agent[:60] or "unknown")
    system = next((words for sign, words in _SYSTEMS if sign in agent), "")
    return f"{name} on {system}" if system else name


# in the order that tells them apart: most name their forerunners too
_BROWSERS: Final = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("HeadlessChrome/", "Chromium without a window"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("Python-urllib/", "Python"),
)
_SYSTEMS: Final = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


@lru_cache(maxsize=200)
def icon(name: str, label: str = "") -> Markup:
    """A symbol of our own sheet; without a label it is decoration beside a word."""
    named = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    tip = Markup("<title>{}</title>").format(label) if label else ""
    return Markup('<svg class="i i-{n}" {a}>{t}<use href="{s}#{n}"/></svg>').format(
        n=escape(name), a=named, t=tip, s=asset("icons.svg")
    )


@lru_cache(maxsize=20)
def asset(name: str) -> str:
    """The address of a file in ``static/``, with its content's hash so that it may be cached for ever."""
    digest = hashlib.sha256((HERE / "static" / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?{digest}"


def only(rule: Rule, projects: Sequence[Project]) -> str:
    """What an alert rule is narrowed to, in a few words."""
    names = {project.id: project.name for project in projects}
    narrow = rule.narrow
    parts = [", ".join(names.get(p, p) for p in narrow.project), *map(", ".join, (narrow.environment, narrow.cause))]
    parts += [", ".join(narrow.level), ", ".join(f"{name}={value}" for name, value in narrow.tag)]
    parts += [", ".join(f"team {name}" for name in narrow.team)]
    return "; ".join(part for part in parts if part) or "everything"
