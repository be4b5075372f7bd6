"""What pages and API are given by the app: where the store is, and how this Console is called from outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from fivehundred.console.spool.base import Depth
from fivehundred.console.store.base import Project, Store
from fivehundred.console.vault import Vault


@dataclass(frozen=True, slots=True)
class Site:
    store: Callable[[], Store]  # this thread's own connection, opened once and kept
    public_url: str  # "http://127.0.0.1:5500", without a slash at the end
    backlog: Callable[[], Depth]  # accepted and not yet digested
    refused: Callable[[], dict[tuple[str, str], int]]  # (project, reason) -> requests refused since the start
    vault: Vault  # seals what must be read again: passwords and addresses of channels

    def dsn(self, project: Project) -> str:
        """What an application is given to send its events to this project."""
        url = urlsplit(self.public_url)
        return f"{url.scheme}://{project.key}@{url.netloc}{url.path}/{project.id}"
