"""Posted forms: read within bounds, and only from our own pages.

A foreign site may make a browser post here. Three things keep it out: the browser's own word on where the post comes
from (Sec-Fetch-Site, Origin), a cookie that is not sent across sites, and a token in the form that must equal it.
"""

from __future__ import annotations

import hmac
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request

from fivehundred import limits
from fivehundred.console.web.render import token_cookie


class FormRefused(Exception):
    """The form cannot be taken; ``status`` and the text say why and what to do."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


async def read(request: Request) -> dict[str, list[str]]:
    """The fields of a form that one of our own pages posted. Raises FormRefused."""
    if not same_site(request):
        raise FormRefused(403, "This form was posted from another site. Open the page here and try again.")
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise FormRefused(415, "A form is posted as application/x-www-form-urlencoded.")
    body = (await bounded(request)).decode("utf-8", "replace")
    try:
        fields = parse_qs(body, keep_blank_values=True, max_num_fields=2_000)
    except ValueError as e:
        raise FormRefused(400, f"The form cannot be read ({e}); nothing was changed.") from e
    cookie, sent = request.cookies.get(token_cookie, ""), fields.get("token", [""])[0]
    if not cookie or not hmac.compare_digest(cookie.encode(), sent.encode()):
        raise FormRefused(403, "The form is out of date (its token does not fit). Reload the page and try again.")
    return fields


async def bounded(request: Request) -> bytes:
    """The body, refused as soon as it is larger than a form can be. Raises FormRefused."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limits.form_bytes_max:
            raise FormRefused(413, f"The body is larger than {limits.form_bytes_max} bytes; nothing was changed.")
    return bytes(body)


def same_site(request: Request) -> bool:
    """Whether the request comes from our own pages or from no page at all (a command line)."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host", "")


def local_path(target: str, default: str = "/faults") -> str:
    """Where to go back to: a path of this site, never another one."""
    parts = urlsplit(target)
    inside = target.startswith("/") and not target.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return target if inside and target.isprintable() and target.isascii() else default
