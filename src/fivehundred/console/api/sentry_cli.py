"""What a deploy script with sentry-cli expects under /api/0/: releases and deploys are kept, source maps are declined.

Only what makes such scripts go on working. Organizations do not exist here: whatever is named is accepted. A project
is named by its number or its name. Source maps and debug files are answered clearly: they would be read by nothing.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from fivehundred import __version__
from fivehundred.console.access.identity import current
from fivehundred.console.site import Site
from fivehundred.console.store.base import Project
from fivehundred.console.store.deploys import Announced, Deploy, Deploys
from fivehundred.console.web import forms
from fivehundred.event import clean

_release_chars_max: Final = 250
_text_chars_max: Final = 500
_no_files: Final = (
    "source maps and debug files are not kept: faults of Python services need none. Leave this step out, or let it fail"
)

Handler = Callable[[Request, dict[str, Any]], tuple[int, object]]


class Declined(Exception):
    """The request cannot be carried out; ``status`` and the text say why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def routes(site: Site) -> list[Mount]:
    cli = SentryCli(site)
    org = "/organizations/{org}"
    inner = [
        Route("/", _json(cli.info), methods=["GET"]),
        Route(org + "/releases/", _json(cli.announce), methods=["POST"]),
        Route(org + "/releases/", _json(cli.all_releases), methods=["GET"]),
        Route(org + "/releases/{release:path}/deploys/", _json(cli.deploy), methods=["POST"]),
        Route(org + "/releases/{release:path}/deploys/", _json(cli.deploys), methods=["GET"]),
        Route(org + "/releases/{release:path}/previous-with-commits/", _json(lambda *_: (200, {})), methods=["GET"]),
        Route(org + "/releases/{release:path}/", _json(cli.finalize), methods=["PUT"]),
        Route(org + "/releases/{release:path}/", _json(cli.one), methods=["GET"]),
        Route(org + "/repos/", _json(lambda *_: (200, [])), methods=["GET"]),
        Route("/projects/{org}/{project}/releases/", _json(cli.announce), methods=["POST"]),
        Route("/{path:path}", _json(_declined), methods=["GET", "POST", "PUT", "DELETE"]),
    ]
    return [Mount("/api/0", routes=inner)]


class SentryCli:
    def __init__(self, site: Site) -> None:
        self._site = site

    def info(self, request: Request, sent: dict[str, Any]) -> tuple[int, object]:
        user = {"id": "1", "email": "", "name": "fivehundred"}
        scopes = ["project:read", "project:releases", "event:read", "org:read"]
        return 200, {"version": "0", "user": user, "auth": {"scopes": scopes}, "fivehundred": __version__}

    def announce(self, request: Request, sent: dict[str, Any]) -> tuple[int, object]:
        release = _release(sent.get("version"))
        named = [request.path_params["project"]] if "project" in request.path_params else sent.get("projects")
        found = _to_change(self._projects(named))
        told = {"url": _text(sent.get("url")), "ref": _text(sent.get("ref"))}
        released_at = _time(sent.get("dateReleased"))
        made = [self._desk().announce(p.id, release, now=time.time(), released_at=released_at, **told) for p in found]
        status = 201 if any(new for _, new in made) else 208
        return status, _release_answer(made[0][0], found)

    def finalize(self, request: Request, sent: dict[str, Any]) -> tuple[int, object]:
        release = _release(request.path_params["release"])
        found = _to_change(self._projects(sent.get("projects")) if sent.get("projects") else self._known_to(release))
        released_at = _time(sent.get("dateReleased")) or time.time()
        told = {"url": _text(sent.get("url")), "ref": _text(sent.get("ref"))}
        made = [
            self._desk().announce(p.id, release, now=time.time(), released_at=released_at, **told)[0] for p in found
        ]
        return 200, _release_answer(made[0], found)

    def one(self, request: Request, sent: dict[str, Any]) -> tuple[int, object]:
        found = self._known_to(_release(request.path_params["release"]))
        row = self._desk().release(found[0].id, _release(request.path_params["release"]))
        return (200, _release_answer(row, found)) if row else (404, {"detail": "there is no such release"})

    def all_releases(self, request: Request, sent: dict[str, Any]) -> tuple[int, object]:
        names = {p.id: p for p in self._site.store().projects()}
        rows = self._desk().releases(None)
        return 200, [_release_answer(row, [names[row.project]]) for row in rows if row.project in names]

    def deploy(self, request: Request, sent: dict[str, Any]) -> tuple[int, object]:
        release, environment = _release(request.path_params["release"]), _text(sent.get("environment"))
        if not environment:
            raise Declined(400, "a deploy names its environment, such as production")
        found = _to_change(self._projects(sent["projects"]) if sent.get("projects") else self._known_to(release))
        made = [
            self._desk().deploy(
                p.id,
                release,
                environment,
                finished_at=_time(sent.get("dateFinished")) or time.time(),
                started_at=_time(sent.get("dateStarted")),
                name=_text(sent.get("name")),
                url=_text(sent.get("url")),
            )
            for p in found
        ]
        return 201, _deploy_answer(made[0])

    def deploys(self, request: Request, sent: dict[str, Any]) -> tuple[int, object]:
        release, seen = _release(request.path_params["release"]), {p.id for p in self._site.store().projects()}
        rows = [d for d in self._desk().deploys(None) if d.release == release and d.project in seen]
        return 200, [_deploy_answer(d) for d in rows]

    def _projects(self, named: object) -> list[Project]:
        """By number or name; with one project, and none named, that one. Raises Declined."""
        known = self._site.store().projects()
        names = [n for n in named if isinstance(n, str)] if isinstance(named, list) else []
        if not names and len(known) == 1:
            return list(known)
        found = [p for p in known if p.id in names or p.name in names or _slug(p.name) in names]
        if not found:
            listed = ", ".join(f"{_slug(p.name)} ({p.id})" for p in known[:10])
            asked = ", ".join(names)[:100] or "(none was named)"
            raise Declined(404, f"no project is called {asked}; there are {listed}")
        return found

    def _known_to(self, release: str) -> list[Project]:
        known = self._site.store().projects()
        found = [p for p in known if self._desk().release(p.id, release)]
        return found or self._projects(None)

    def _desk(self) -> Deploys:
        return Deploys(self._site.store().database)


def _json(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """The edge: a JSON object in, JSON out, refusals as {"detail": ...}, which is what sentry-cli shows."""

    async def endpoint(request: Request) -> Response:
        try:
            if not forms.same_site(request):
                raise Declined(403, "changes are taken from programs and from this Console's own pages only")
            sent = _object(await forms.bounded(request)) if request.method in ("POST", "PUT") else {}
            status, answer = await run_in_threadpool(handler, request, sent)
        except Declined as e:
            status, answer = e.status, {"detail": str(e)}
        except forms.FormRefused as e:
            status, answer = e.status, {"detail": str(e)}
        headers = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
        return Response(msgspec.json.encode(answer), status, headers, "application/json")

    return endpoint


def _to_change(found: list[Project]) -> list[Project]:
    """Those where whoever asks may act. Raises Declined when there is none."""
    allowed = [p for p in found if current.get().may("act", p.id)]
    if not allowed:
        raise Declined(403, "this token may not act in the projects that are named")
    return allowed


def _declined(request: Request, sent: dict[str, Any]) -> tuple[int, object]:
    path = request.path_params.get("path", "")
    if any(word in path for word in ("chunk-upload", "artifactbundle", "files/", "difs")):
        raise Declined(501, _no_files)
    raise Declined(404, "of sentry-cli only releases and deploys are served here; /api/v1/openapi.json has the rest")


def _object(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise Declined(400, f"the body is no JSON: {e}") from e
    if not isinstance(found, dict):
        raise Declined(400, "the body is no JSON object")
    return found


def _release(found: object) -> str:
    release = clean(found).strip() if isinstance(found, str) else ""
    if not release or len(release) > _release_chars_max or "\n" in release or release in (".", ".."):
        raise Declined(400, f"a release has a name of 1 to {_release_chars_max} characters on one line")
    return release


def _text(found: object) -> str:
    return clean(found).strip()[:_text_chars_max] if isinstance(found, str) else ""


def _time(found: object) -> float | None:
    if not isinstance(found, str):
        return None
    try:
        at = datetime.fromisoformat(found.replace("Z", "+00:00"))
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as e:
        raise Declined(400, f"{found[:40]!r} is no time (ISO 8601)") from e


def _iso(at: float | None) -> str | None:
    return datetime.fromtimestamp(at, UTC).isoformat() if at is not None else None


def _slug(name: str) -> str:
    return "-".join(name.lower().split())


def _release_answer(row: Announced, projects: list[Project]) -> dict[str, object]:
    return {
        "version": row.release,
        "shortVersion": row.release,
        "ref": row.ref or None,
        "url": row.url or None,
        "dateCreated": _iso(row.created_at),
        "dateReleased": _iso(row.released_at),
        "newGroups": 0,
        "projects": [{"id": p.id, "slug": _slug(p.name), "name": p.name} for p in projects],
    }


def _deploy_answer(row: Deploy) -> dict[str, object]:
    return {
        "id": str(row.id),
        "environment": row.environment,
        "name": row.name or None,
        "url": row.url or None,
        "dateStarted": _iso(row.started_at),
        "dateFinished": _iso(row.finished_at),
    }
