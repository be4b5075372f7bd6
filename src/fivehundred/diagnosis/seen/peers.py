"""What is known of the other side: probes, past successes, pools."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from fivehundred.diagnosis.model import Fact, Strength
from fivehundred.diagnosis.told.base import plain
from fivehundred.event import Json

if TYPE_CHECKING:
    from fivehundred.diagnosis.case import Case

Facts = Iterator[Fact]


def _dicts(value: Json) -> list[dict[str, Json]]:
    return [x for x in value[:50] if isinstance(x, dict)] if isinstance(value, list) else []


def _number(value: Json) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _port(address: str) -> str:
    return address.rpartition(":")[2]


def _probes(case: Case) -> Iterator[tuple[int, dict[str, Json]]]:
    """Probes of the failing peer; of any peer of that kind when the exception names none."""
    for number, probe in enumerate(_dicts(case.ours.get("probes"))):
        peer = probe.get("peer")
        if not case.address or (isinstance(peer, str) and (peer == case.address or _port(peer) == _port(case.address))):
            yield number, probe


def _probe_facts(case: Case, states: tuple[str, ...], words: str, *, against: bool = False) -> Facts:
    for number, probe in _probes(case):
        state = probe.get("state")
        if state in states:
            code = f" ({probe['code']})" if probe.get("code") else ""
            said = "refuses our probe too" if state == "refused" else words
            yield Fact(
                "probe",
                str(probe.get("peer") or case.address)[:200],
                str(state),
                "decisive",
                f"contexts.fivehundred.probes[{number}]",
                f"{str(probe.get('peer') or 'it')[:200]} {said}{code}",
                _number(probe.get("at")),
                against,
            )


def probe_ready(case: Case) -> Facts:
    """The peer answers the Guard's probe."""
    return _probe_facts(case, ("ready",), "answers our probe now", against=True)


def probe_answers(case: Case) -> Facts:
    """The database answers the Guard's probe, if only with no."""
    return _probe_facts(case, ("ready", "full", "denied"), "answers our probe", against=True)


def probe_not_ready(case: Case) -> Facts:
    """The Guard's probe is refused or gets no answer."""
    return _probe_facts(case, ("refused", "timeout"), "does not answer our probe either", against=True)


def probe_full(case: Case) -> Facts:
    """Of a database: what a web service answers to a probe is no count of connections."""
    if case.peer != "database":
        return iter(())
    return _probe_facts(case, ("full",), "answers our probe that it is full")


def probe_denied(case: Case) -> Facts:
    """The database refuses the Guard's probe for who it is."""
    return _probe_facts(case, ("denied",), "refuses our probe for who it is")


def database_probe_down(case: Case) -> Facts:
    """A database driver's wordless error beside a probe that fails: the probe is the fact."""
    wordless = "database.error" in case.clues or any(one.named("PoolTimeout") for one in case.raised)
    if case.peer == "database" and not case.clues.get("overload.connections") and wordless:
        yield from _probe_facts(case, ("refused", "timeout"), "does not answer our probe either")
        if any(one.named("PoolTimeout") for one in case.raised):
            yield from pool_cannot_connect(case)
            yield from pool_could_not_connect(case)


def pool_cannot_connect(case: Case) -> Facts:
    """psycopg's pool connects in the background, and logs there that it cannot: shortly before, not once."""
    for number, pool in enumerate(_dicts(case.ours.get("pools"))):
        at, said = _number(pool.get("connect_error_at")), pool.get("connect_error")
        if at is not None and isinstance(said, str) and case.event.timestamp - at <= _connect_error_near_s:
            name, source = str(pool.get("name") or "pool")[:100], f"contexts.fivehundred.pools[{number}]"
            text = f"the pool {name} cannot connect: {_reason(said)}"
            yield Fact("pool", name, "connect_error", "decisive", source, text, at, True)
            return
    for crumb in reversed(case.event.breadcrumbs[-20:]):
        near = case.event.timestamp - (crumb.timestamp or case.event.timestamp) <= _connect_error_near_s
        if near and crumb.category.startswith("psycopg.pool") and "error connecting" in crumb.message:
            text = f"the pool logged that it cannot connect: {_reason(crumb.message)}"
            source = "breadcrumbs"
            yield Fact(
                "breadcrumb", "psycopg.pool", "error connecting", "decisive", source, text, crumb.timestamp, True
            )
            return


_connect_error_near_s: Final = 180  # psycopg's pool doubles its waits between attempts up to about that


def _reason(logged: str) -> str:
    """ "error connecting in 'pool-1': connection failed: ... Connection refused" without what every one begins with."""
    return plain(logged.partition(": ")[2] or logged, 160)


def pool_could_not_connect(case: Case) -> Facts:
    """It counts failed attempts, of this outage or of an old one: a count alone does not say when."""
    for number, pool in enumerate(_dicts(case.ours.get("pools"))):
        errors = _number(pool.get("connect_errors"))
        if errors:
            name = str(pool.get("name") or "pool")[:100]
            text = f"the pool {name} failed to connect {errors:.0f} times"
            source = f"contexts.fivehundred.pools[{number}]"
            yield Fact("pool", name, "connect_errors", "strong", source, text, None, True)
            return


def probe_down_or_worked(case: Case) -> Facts:
    """The Guard's probe fails as well; or the peer worked earlier in this process."""
    yield from worked_before(case)
    if not _watched_and_never(case):
        yield from _probe_facts(case, ("refused", "timeout"), "does not answer our probe either")


def worked_before(case: Case) -> Facts:
    """The peer worked earlier in this process."""
    worked = case.ours.get("worked")
    if not isinstance(worked, dict):
        return
    for peer, value in worked.items():
        at = _number(value)
        if at is not None and case.address and _same(peer, case.address):
            ago = max(0, round(case.event.timestamp - at))
            yield Fact(
                "worked",
                peer,
                str(ago),
                "strong",
                "contexts.fivehundred.worked",
                f"{peer} worked {_ago(ago)} ago",
                at,
                True,
            )


def _same(peer: str, address: str) -> bool:
    loop = ("localhost", "127.0.0.1", "[::1]", "::1")
    host, _, port = peer.rpartition(":")
    other, _, other_port = address.rpartition(":")
    return port == other_port and (host == other or (host in loop and other in loop))


def _ago(seconds: int) -> str:
    if seconds < 1:
        return "less than a second"
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


def _watched_and_never(case: Case) -> bool:
    """Successes are only seen through a watched pool: without one, "never" would mean nothing."""
    watched = bool(_dicts(case.ours.get("pools"))) or bool(case.ours.get("worked"))
    return watched and bool(case.address) and not any(True for _ in worked_before(case)) and case.peer == "database"


def never_worked_here(case: Case) -> Facts:
    """The connection was refused, and the Guard has watched this process without one success there."""
    refused = any(one.errno in ("ECONNREFUSED", "EHOSTUNREACH") or "refused" in one.text.lower() for one in case.raised)
    if refused and _watched_and_never(case):
        text = f"nothing at {case.address} has ever answered this process"
        yield Fact("worked", case.address, "never", "strong", "contexts.fivehundred.worked", text, None, True)


def refused_and_never_worked(case: Case) -> Facts:
    """The connection was refused, and nothing there has answered this process before."""
    for fact in never_worked_here(case):
        yield Fact(fact.kind, fact.subject, fact.value, "strong", fact.source, fact.text)
        text = f"the connection to {case.address} was refused"
        yield Fact("errno", case.address, "ECONNREFUSED", "strong", "exception", text)


# ---- pools ---------------------------------------------------------------------------------------


def _pool_facts(case: Case) -> Iterator[tuple[str, int, int, str]]:
    """(name, checked out, most, source) of each pool that tells."""
    for number, pool in enumerate(_dicts(case.ours.get("pools"))):
        out, size = _number(pool.get("checked_out")), _number(pool.get("size"))
        if out is None or size is None:
            continue
        overflow = _number(pool.get("overflow_max"))
        if overflow is None:
            overflow = _number(pool.get("overflow")) or 0
        name = str(pool.get("name") or "pool")[:100]
        yield name, int(out), int(size + max(0, overflow)), f"contexts.fivehundred.pools[{number}]"


def pool_full(case: Case) -> Facts:
    """As many connections of a watched pool are in use as it may have."""
    for name, out, most, source in _pool_facts(case):
        if most and out >= most:
            yield Fact(
                "pool",
                name,
                f"{out}/{most}",
                "strong",
                source,
                f"{out} of {most} connections of the pool {name} are in use",
            )


def pool_leaks(case: Case) -> Facts:
    """Held by nobody: more are out than there are other requests in flight that could hold one."""
    now = _number(case.ours.get("requests_now"))
    # connections that a pool fails to open count as taken, and nobody holds them
    if now is None or not _pool_timed_out(case) or any(True for _ in pool_cannot_connect(case)):
        return
    for name, out, most, source in _pool_facts(case):
        holders = max(0, int(now) - 1)
        if most and out >= most and out > holders:
            text = f"{out} of {most} connections of the pool {name} are out while {holders} other requests are running"
            yield Fact("pool", name, f"{out}>{holders}", "decisive", source, text, None, True)


def _pool_timed_out(case: Case) -> bool:
    return "overload.pool" in case.clues or any(True for _ in pool_timed_out(case))


def pool_timed_out(case: Case) -> Facts:
    """A time-out inside a pool's own code, for pools that raise nothing of their own (asyncpg)."""
    if not any(one.named("TimeoutError", "Timeout") for one in case.raised):
        return
    for frame in reversed(case.frames[-12:]):
        if frame.module.startswith(("asyncpg.pool", "psycopg_pool", "sqlalchemy.pool", "aiomysql.pool")):
            yield Fact(
                "frame",
                frame.module,
                frame.function,
                "decisive",
                "frames",
                f"the wait for a connection ended in {frame.module}",
            )
            return


def holders_known(case: Case) -> Facts:
    """Whether the Guard counted what holds them: only then more in use than holders would have been seen."""
    now = _number(case.ours.get("requests_now"))
    resources = case.ours.get("resources")
    if now is None and isinstance(resources, dict):
        now = _number(resources.get("requests_now"))
    if now is not None:
        text = f"{now:.0f} requests are running"
        yield Fact("resource", "requests_now", f"{now:.0f}", "weak", "contexts.fivehundred.requests_now", text)


def pool_probe_ready(case: Case) -> Facts:
    """The database answers the Guard's probe."""
    return probe_ready(case)


def pool_probe_down(case: Case) -> Facts:
    """psycopg's pool says "timeout" when the server is down: it never gets a connection to hand out."""
    if not any(one.named("PoolTimeout") for one in case.raised):
        return
    yield from probe_not_ready(case)
    yield from pool_cannot_connect(case)
    if not any(True for _ in pool_leaks(case)):
        yield from pool_could_not_connect(case)


def connection_was_made(case: Case) -> Facts:
    """The connection was made, the answer did not come."""
    for one in case.raised:
        if one.named("ReadTimeout", "ReadTimeoutError"):
            yield Fact(
                "class", one.type, "read", "strong", f"exception[{one.number}].type",
                "the connection was made and the answer did not come", None, True,
            )  # fmt: skip
            return


def upstream_named(case: Case) -> Facts:
    """The address of the other service is known."""
    strength: Strength = "weak"
    if case.address and case.peer == "http":
        yield Fact("peer", case.address, case.address, strength, "exception", f"the call went to {case.address}")
    yield from connection_was_made(case)


def server_reported_it(case: Case) -> Facts:
    """53100 and its like speak of the server's disk."""
    if any(one.sqlstate for one in case.raised) or ("mysql" in case.products or "redis" in case.products):
        yield Fact(
            "sqlstate", case.product, "server", "decisive", "exception", f"{case.product} reported it", None, True
        )


def socket_timed_out(case: Case) -> Facts:
    """A time-out below a client library that raises the system's own class (urllib, http.client, sockets)."""
    if not any(one.type in ("TimeoutError", "timeout", "socket.timeout") for one in case.raised):
        return
    inner = [frame for frame in case.frames[-8:] if frame.module.partition(".")[0] in _network]
    if inner and "database.timeout" not in case.clues and case.peer != "database":
        name = inner[-1].module
        yield Fact("frame", name, inner[-1].function, "decisive", "frames", f"the wait for an answer ended in {name}")
        return
    for one in case.raised:
        if one.type in ("TimeoutError", "timeout") and "timed out" in one.text and not case.frames[-1:]:
            yield Fact("message", one.type, "timed out", "strong", f"exception[{one.number}].value", one.text[:160])


_network = (
    "socket",
    "http",
    "urllib",
    "urllib3",
    "requests",
    "httpx",
    "httpcore",
    "aiohttp",
    "ssl",
    "smtplib",
    "ftplib",
)


def answered_for_long(case: Case) -> Facts:
    """The answer came from a service that this one calls."""
    if case.address and case.peer == "http":
        yield Fact(
            "peer",
            case.address,
            case.address,
            "strong",
            "exception",
            f"the answer came from {case.address}, which we call",
        )


def call_failed(case: Case) -> Facts:
    """The call to the address failed."""
    if case.address or case.peer == "http":
        yield Fact(
            "peer", case.address, case.address, "strong", "exception", f"the call to {case.address or 'it'} failed"
        )
