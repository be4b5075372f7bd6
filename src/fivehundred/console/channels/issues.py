"""Issues at GitHub, GitLab and Jira: makes one from a title and Markdown. One request, no redirects.

GitHub: REST, ``POST /repos/{owner}/{repo}/issues`` with a token that may write issues. GitLab: ``POST
/api/v4/projects/{path}/issues`` with a token of scope ``api``. Jira: ``POST /rest/api/2/issue`` with an account and its
API token; the text goes in as preformatted, so that nothing in it is markup.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import ssl
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, get_args
from urllib.parse import quote, urlsplit

from fivehundred.console.channels.base import BadSettings, NotAccepted, Rejected, one_line, send_s_max

Kind: TypeAlias = Literal["github", "gitlab", "jira"]
kinds: Final[tuple[Kind, ...]] = get_args(Kind)
default_urls: Final[dict[Kind, str]] = {"github": "https://api.github.com", "gitlab": "https://gitlab.com", "jira": ""}
_ANSWER_BYTES_MAX: Final = 1024 * 1024
_body_chars_max: Final = 30_000
_targets: Final[dict[Kind, re.Pattern[str]]] = {
    "github": re.compile(r"[A-Za-z0-9-]{1,60}/[A-Za-z0-9._-]{1,100}"),
    "gitlab": re.compile(r"[A-Za-z0-9._/-]{3,300}|[0-9]{1,12}"),
    "jira": re.compile(r"[A-Z][A-Z0-9_]{1,30}"),
}
_examples: Final[dict[Kind, str]] = {"github": "owner/repository", "gitlab": "group/project", "jira": "SHOP"}


@dataclass(frozen=True, slots=True)
class Made:
    title: str  # "#12", "SHOP-7"
    url: str


@dataclass(frozen=True, slots=True)
class Issues:
    """One place where issues are made. Raises BadSettings for what cannot work."""

    kind: Kind
    url: str
    target: str
    account: str
    token: str

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or not self.url.isprintable() or parts.query:
            raise BadSettings(f"the address of {self.kind} begins with https:// and names a host")
        if not _targets[self.kind].fullmatch(self.target) or ".." in self.target:
            example = _examples[self.kind]
            raise BadSettings(f"{self.target[:60]!r} is no target of {self.kind}; one looks like {example}")
        if not self.token or not self.token.isascii() or not self.token.isprintable():
            raise BadSettings(f"{self.kind} wants a token that may make issues")
        if self.kind == "jira" and not self.account:
            raise BadSettings("jira wants the account (a mail address) that the token belongs to")

    def create(self, title: str, markdown: str) -> Made:
        """Raises NotAccepted, Rejected."""
        title, markdown = one_line(title, 250), markdown[:_body_chars_max]
        if self.kind == "github":
            answer = self._post(f"/repos/{self.target}/issues", {"title": title, "body": markdown})
            return _made(f"#{answer.get('number')}", answer.get("html_url"))
        if self.kind == "gitlab":
            path = f"/api/v4/projects/{quote(self.target, safe='')}/issues"
            answer = self._post(path, {"title": title, "description": markdown})
            return _made(f"#{answer.get('iid')}", answer.get("web_url"))
        text = "{noformat}\n" + markdown.replace("{noformat}", "{ noformat }") + "\n{noformat}"
        fields = {"project": {"key": self.target}, "summary": title, "description": text, "issuetype": {"name": "Bug"}}
        answer = self._post("/rest/api/2/issue", {"fields": fields})
        key = str(answer.get("key", ""))
        return _made(key, f"{self.url.rstrip('/')}/browse/{quote(key)}" if key else "")

    def _post(self, path: str, sent: dict[str, Any]) -> dict[str, Any]:
        parts = urlsplit(self.url)
        connection = _connection(parts.scheme, parts.hostname or "", parts.port)
        try:
            connection.request("POST", parts.path.rstrip("/") + path, json.dumps(sent).encode(), self._headers())
            answer = connection.getresponse()
            body = answer.read(_ANSWER_BYTES_MAX)
        except (OSError, http.client.HTTPException) as e:
            raise NotAccepted(f"{parts.hostname}: {e or type(e).__name__}") from e
        finally:
            connection.close()
        if not 200 <= answer.status < 300:
            said = one_line(body[:300].decode("utf-8", "replace"))
            failed = NotAccepted if answer.status in (408, 429) or answer.status >= 500 else Rejected
            raise failed(f"{parts.hostname} answered {answer.status} {answer.reason}: {said}")
        try:
            found = json.loads(body)
        except ValueError as e:
            raise Rejected(f"{parts.hostname} answered something that is no JSON; is the address right?") from e
        return found if isinstance(found, dict) else {}

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "fivehundred/1"}
        if self.kind == "jira":
            pair = base64.b64encode(f"{self.account}:{self.token}".encode()).decode()
            return headers | {"Authorization": f"Basic {pair}"}
        return headers | {"Authorization": f"Bearer {self.token}"}


def _made(title: str, url: object) -> Made:
    if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https"):
        raise Rejected("the service made something, but its answer names no address of an issue")
    return Made(one_line(title, 60), url[:2_000])


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=send_s_max, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, port, timeout=send_s_max)
