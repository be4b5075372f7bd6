"""Issue trackers: the page that sets them up, and the acts of a fault's page: make an issue, link one, unlink."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fivehundred.console.access.audited import note
from fivehundred.console.channels.base import BadSettings, ChannelError, one_line
from fivehundred.console.channels.issues import Issues, default_urls, kinds
from fivehundred.console.site import Site
from fivehundred.console.store.base import NotFound
from fivehundred.console.store.trackers import IssueLink, Tracker, Trackers
from fivehundred.console.vault import CannotOpen
from fivehundred.console.web import copies, edge, render
from fivehundred.console.web.actor import actor
from fivehundred.console.web.kept import newest


def routes(site: Site) -> list[Route]:
    pages = TrackerPages(site)
    return [
        Route("/trackers", edge.page(pages.show), methods=["GET"]),
        Route("/trackers", edge.post(pages.add), methods=["POST"]),
        Route("/trackers/{tracker:int}/remove", edge.post(pages.remove), methods=["POST"]),
        Route("/faults/{fault:int}/issues", edge.post(pages.issue), methods=["POST"]),
    ]


def links_of(site: Site, fault: int) -> tuple[list[IssueLink], list[Tracker]]:
    """What the fault's page shows: (issues of the fault, trackers that could make one)."""
    desk = Trackers(site.store().database)
    return desk.links(fault), desk.trackers()


class TrackerPages:
    def __init__(self, site: Site) -> None:
        self._site = site

    def show(self, request: Request, problem: str = "", status: int = 200) -> Response:
        values = {"nav": "settings", "line": "", "trackers": self._desk().trackers(), "problem": problem}
        return render.page(request, "trackers.html", values, status=status)

    def add(self, request: Request, sent: edge.Fields) -> Response:
        try:
            add_tracker(self._site, {name: values[0] for name, values in sent.items() if values})
        except BadSettings as e:
            return self.show(request, f"No tracker was added: {e}.", 400)
        return RedirectResponse("/trackers", 303, render.headers)

    def remove(self, request: Request, sent: edge.Fields) -> Response:
        self._desk().remove(request.path_params["tracker"], now=time.time())
        return RedirectResponse("/trackers", 303, render.headers)

    def issue(self, request: Request, sent: edge.Fields) -> Response:
        """``tracker`` makes an issue there, ``url`` links one that is there, ``unlink`` takes a link away."""
        fault = edge.fault_of(request)
        first = {name: values[0].strip() for name, values in sent.items() if values}
        try:
            if first.get("tracker"):
                create_issue(self._site, fault, _tracker(first["tracker"]), by=actor(request).name)
            elif first.get("url"):
                link_issue(self._site, fault, first["url"], by=actor(request).name)
            elif first.get("unlink", "").isdecimal():
                self._desk().unlink(fault, int(first["unlink"]))
        except BadSettings as e:
            return edge.problem(request, 400, "Nothing was linked", f"{e}.")
        except (ChannelError, CannotOpen) as e:
            return edge.problem(request, 502, "No issue was made", f"{e}.")
        return RedirectResponse(f"/faults/{fault}#issues", 303, render.headers)

    def _desk(self) -> Trackers:
        return Trackers(self._site.store().database)


def add_tracker(site: Site, sent: dict[str, str]) -> int:
    """From the fields of a form or of the API. Raises BadSettings."""
    first = {name: value.strip()[:2_000] for name, value in sent.items()}
    kind = next((k for k in kinds if k == first.get("kind")), None)
    if kind is None:
        raise BadSettings(f"a tracker is one of {', '.join(kinds)}")
    url = (first.get("url") or default_urls[kind]).rstrip("/")
    target, account, token = (first.get(name, "") for name in ("target", "account", "secret"))
    Issues(kind, url, target, account, token)
    name = one_line(first.get("name", ""), 60) or f"{kind} {target}"
    note(name)
    made = Tracker(0, name, kind, url, target, account, site.vault.seal(token))
    return Trackers(site.store().database).add(made, now=time.time())


def create_issue(site: Site, fault: int, tracker: int, *, by: str) -> None:
    """Raises NotFound, ChannelError, CannotOpen."""
    store, now = site.store(), time.time()
    desk = Trackers(store.database)
    row = desk.tracker(tracker)
    kind = next(k for k in kinds if k == row.kind)
    detail = store.fault(fault, now=now)
    title = f"{detail.fault.title}: {detail.fault.message}" if detail.fault.message else detail.fault.title
    markdown = copies.markdown(detail, newest(store, detail), site.public_url)
    made = Issues(kind, row.url, row.target, row.account, site.vault.open(row.sealed)).create(title, markdown)
    desk.link(fault, row.id, made.title, made.url, by=by, now=now)


def link_issue(site: Site, fault: int, url: str, *, by: str) -> None:
    """Raises NotFound, BadSettings."""
    store, now = site.store(), time.time()
    store.fault(fault, now=now)
    try:
        parts = urlsplit(url)
    except ValueError as e:
        raise BadSettings(f"{url[:60]!r} is no address: {e}") from e
    if parts.scheme not in ("http", "https") or not parts.hostname or len(url) > 2_000 or not url.isprintable():
        raise BadSettings("the address of an issue begins with https:// and names a host")
    title = one_line(parts.path.rstrip("/").rpartition("/")[2] or parts.hostname, 60)
    Trackers(store.database).link(fault, 0, title, url, by=by, now=now)


def _tracker(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise NotFound("there is no such tracker")
    return int(text)
