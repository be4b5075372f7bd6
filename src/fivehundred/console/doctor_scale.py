"""``fivehundred doctor --scale``: what every node of an installation on several machines needs. Changes nothing.

The cluster and its streams, the database and its schema, who is alive, and this machine's own disk.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from fivehundred.console.doctor import Checked, disk, files
from fivehundred.console.scale import Scale, is_postgres

if TYPE_CHECKING:
    from nats.js.api import StreamInfo

    from fivehundred.console.store.base import Store

_TIMEOUT_S: Final = 5.0
_console: Final = "fivehundred console --scale FILE makes the tables"


def look(scale: Scale) -> Iterable[Checked]:
    servers = [server_of(server) for server in scale.spool.servers]
    yield from servers
    away = sum(found.state == "wrong" for found in servers)
    if away and 2 * away >= len(servers):
        what = f"{away} of {len(servers)} servers are away: nodes keep what they accept, and nothing is digested"
        yield Checked("wrong", what, "start most of them")
    yield from cluster(scale)
    yield from store(scale)
    yield files()
    for part in (scale.ingest, scale.digest, scale.console):
        if part is not None and Path(part.data).is_dir():
            yield disk(Path(part.data))


def server_of(server: str) -> Checked:
    url = urlsplit(server)
    where = f"{url.hostname}:{url.port or 4222}"
    try:
        with socket.create_connection((url.hostname or "", url.port or 4222), _TIMEOUT_S):
            return Checked("ok", f"the NATS server {where} can be reached")
    except OSError as e:
        return Checked("wrong", f"the NATS server {where} cannot be reached: {e}", "start it, or mend [spool] servers")


# ---- the cluster -----------------------------------------------------------------------------------


def cluster(scale: Scale) -> Iterable[Checked]:
    from fivehundred.console.nodes import cluster_of  # their drivers are extras
    from fivehundred.console.spool.cluster import ClusterError, Link, states

    link = Link(cluster_of(scale), looks=True)
    try:
        found = link.call(lambda js: states(js, link.cluster), _TIMEOUT_S)
    except ClusterError as e:
        yield Checked("wrong", str(e), _cluster_hint(str(e)))
        return
    finally:
        link.close()
    replicas = min((info.config.num_replicas or 1 for info in found), default=0)
    waiting, size = sum(info.state.messages for info in found), sum(info.state.bytes for info in found)
    what = f"{len(found)} partitions, {waiting} messages of {size >> 20} MiB wait, {replicas} replicas"
    if replicas < scale.spool.replicas:
        yield Checked("wrong", what, f"[spool] says {scale.spool.replicas}: nats stream edit, or mend the file")
    else:
        yield Checked("ok" if scale.spool.replicas > 1 else "note", what)
    yield from _replicas(found)


def _replicas(found: list[StreamInfo]) -> Iterable[Checked]:
    """Copies that are not there, or not up to date: one more server lost, and what waits may be."""
    behind: dict[str, int] = {}
    headless = sum(info.cluster is not None and not info.cluster.leader for info in found)
    if headless:
        yield Checked("wrong", f"{headless} partitions have no leader", "start most of the servers, and wait 10 s")
    for info in found:
        for peer in (info.cluster.replicas if info.cluster else None) or []:
            if peer.offline or not peer.current:
                behind[peer.name or "?"] = behind.get(peer.name or "?", 0) + 1
    for name, streams in sorted(behind.items()):
        what = f"the server {name} does not have what {streams} partitions hold"
        yield Checked("wrong", what, "start it; it catches up by itself")


def _cluster_hint(problem: str) -> str:
    if "uthorization" in problem or "permissions" in problem:
        return "mend user and password, token or credentials in [spool]"
    if "is missing" in problem or "was made for" in problem:
        return "start a node, or mend stream and partitions in [spool]"
    return "start most of its servers; docs/howto/scale.md has their configuration"


# ---- the database ----------------------------------------------------------------------------------


def store(scale: Scale) -> Iterable[Checked]:
    kind = "PostgreSQL" if is_postgres(scale.store.url) else "SQLite"
    try:
        opened = _opened(scale)
        try:
            yield from _store(opened, kind, scale)
        finally:
            opened.close()
    except Exception as e:  # the edge: whatever a driver raises is the finding
        said = " ".join(str(e).split())
        yield Checked("wrong", f"the {kind} store does not answer: {type(e).__name__}: {said}", _store_hint(said))


def _opened(scale: Scale) -> Store:
    """For reading: it makes no table, and brings no schema up to date."""
    if is_postgres(scale.store.url):
        from fivehundred.console.store.postgres import PostgresStore  # its driver is an extra

        return PostgresStore(scale.store.url, readonly=True)
    from fivehundred.console.store.sqlite import SqliteStore

    file = Path(scale.store.url) if scale.store.url.endswith(".db") else Path(scale.store.url) / "console.db"
    if not file.exists():
        raise FileNotFoundError(f"there is no {file}")
    return SqliteStore(file, readonly=True)


def _store(opened: Store, kind: str, scale: Scale) -> Iterable[Checked]:
    from fivehundred.console.store.nodes import Nodes
    from fivehundred.console.store.schema import migrations

    there = {int(row[0]) for row in opened.database.rows("SELECT number FROM schema_step")}
    here = {number for number, _ in migrations()}
    if there - here:
        yield Checked("wrong", f"the {kind} store is newer (schema {max(there)}) than this machine", "update it")
    elif here - there:
        yield Checked("note", f"the {kind} store is older (schema {max(there)}) than this version", _console)
    else:
        yield Checked("ok", f"the {kind} store answers, at change {opened.version()}")
    desk, now = Nodes(opened.database), time.time()
    alive = {part: desk.alive(part, now=now) for part in ("ingest", "digest", "console")}
    counts = ", ".join(f"{len(names)} {part}" for part, names in alive.items())
    yield Checked("ok" if alive["digest"] else "wrong", f"nodes that are alive: {counts}",
                  "" if alive["digest"] else "nobody digests: fivehundred digest --scale FILE")  # fmt: skip
    partitions = [f"{scale.spool.stream}-{n}" for n in range(scale.spool.partitions)]
    free = len(partitions) - len(desk.held(partitions, now=now))
    if alive["digest"] and free:
        yield Checked("note", f"{free} of {len(partitions)} partitions are digested by nobody", "within 15 s they are")


def _store_hint(said: str) -> str:
    if "password" in said or "role" in said or "authentication" in said:
        return "mend user and password in [store] url"
    if "schema_step" in said or "does not exist" in said or "there is no" in said:
        return f"mend [store] url; if it is the right one: {_console}"
    return "start it, or mend [store] url"
