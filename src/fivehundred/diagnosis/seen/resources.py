"""What the snapshot says: descriptors, disk, memory, threads, processor, event loop. Numbers against their limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from fivehundred.diagnosis import statements
from fivehundred.diagnosis.frames import application, root
from fivehundred.diagnosis.model import Fact, Strength
from fivehundred.event import Json

if TYPE_CHECKING:
    from fivehundred.diagnosis.case import Case

Facts = Iterator[Fact]
descriptors_left_min: Final = 3  # with fewer a look-up or a connection cannot be made
disk_free_bytes_min: Final = 1 << 20
full_share: Final = 0.95
psi_busy: Final = 60.0  # percent of the last ten seconds in which something waited for the processor
load_busy: Final = 3.0  # runnable threads per processor
lag_busy_ms: Final = 500.0
threads_many: Final = 500
_at: Final = "contexts.fivehundred.resources"


def _resources(case: Case) -> dict[str, Json]:
    value = case.ours.get("resources")
    return value if isinstance(value, dict) else {}


def number(case: Case, name: str) -> float | None:
    value = _resources(case).get(name)
    if value is None and name in ("loop_lag_ms", "uptime_s", "requests_now"):
        value = case.ours.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _cgroup(case: Case, name: str) -> float | None:
    group = _resources(case).get("cgroup")
    value = group.get(name) if isinstance(group, dict) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _fact(subject: str, value: str, text: str, strength: Strength = "strong", *, against: bool = False) -> Fact:
    return Fact("resource", subject, value, strength, f"{_at}.{subject}", text, None, against)


# ---- descriptors ---------------------------------------------------------------------------------


def no_descriptors(case: Case) -> Facts:
    """No file descriptor is left, and something needed one."""
    open_now, most = number(case, "fds_open"), number(case, "fds_max")
    if open_now is not None and most and open_now >= most - descriptors_left_min and _needed_a_descriptor(case):
        yield _fact(
            "fds_open",
            f"{open_now:.0f}/{most:.0f}",
            f"{open_now:.0f} of {most:.0f} file descriptors are open",
            "decisive",
        )


def _needed_a_descriptor(case: Case) -> bool:
    """A bug that happens beside a full table is not explained by it."""
    words = (
        "OSError",
        "ConnectionError",
        "OperationalError",
        "gaierror",
        "ImportError",
        "ConnectError",
        "TransportError",
    )
    return any(one.errno or one.named(*words) for one in case.raised)


def _is_of_then(kinds: dict[str, Json], then: float | None) -> bool:
    """Kinds are counted in peace, a moment after the count: what was closed in between is not among them."""
    total = sum(v for v in kinds.values() if isinstance(v, int) and not isinstance(v, bool))
    return then is None or total * 4 >= then * 3


def descriptors_leak(case: Case) -> Facts:
    """All used up, and not by clients: the requests and pools in flight account for few of them."""
    used_up = any(one.errno in ("EMFILE", "ENFILE") for one in case.raised) or any(True for _ in no_descriptors(case))
    if not used_up:
        return
    kinds, then = _resources(case).get("fd_kinds"), number(case, "fds_open")
    if isinstance(kinds, dict) and _is_of_then(kinds, then):
        files = sum(v for k, v in kinds.items() if k in ("file", "pipe", "other", "deleted") and isinstance(v, int))
        total = sum(v for v in kinds.values() if isinstance(v, int))
        if total and files * 2 > total:
            yield _fact(
                "fd_kinds", f"{files}/{total}", f"{files} of {total} descriptors are files or pipes", against=True
            )
        return
    # an open() in the application that fails, without a "with", in a process that serves next to nobody
    now, open_now = number(case, "requests_now"), number(case, "fds_open")
    frame = next(application(case.frames), None)
    opens = frame is not None and "open(" in frame.context_line and "with " not in frame.context_line
    if opens and now is not None and open_now is not None and now * 4 < open_now:
        text = (
            f"{open_now:.0f} descriptors are open while {now:.0f} requests are running, and the failing line "
            f"opens files without 'with'"
        )
        yield _fact("fds_open", f"{open_now:.0f}>{now:.0f}", text, against=True)


# ---- disk and memory -----------------------------------------------------------------------------


def disk_full(case: Case) -> Facts:
    """A write failed, and the disk has no space or no inode left."""
    if not _writes(case):
        return
    free, inodes = number(case, "disk_free_bytes"), number(case, "inodes_free")
    if free is not None and free < disk_free_bytes_min:
        yield _fact("disk_free_bytes", f"{free:.0f}", f"{free / 1024:.0f} KiB are free on the disk", against=True)
    if inodes == 0:
        yield _fact("inodes_free", "0", "no inode is free on the disk, so no file can be created", against=True)


def _writes(case: Case) -> bool:
    return "overload.disk_full" in case.clues or any(
        one.errno in ("ENOSPC", "EDQUOT", "EIO") or (one.named("OperationalError") and "sqlite" in case.products)
        for one in case.raised
    )


def own_disk_has_space(case: Case) -> Facts:
    """The application's own disk has space."""
    free = number(case, "disk_free_bytes")
    if free is not None and free >= 64 * disk_free_bytes_min:
        yield _fact("disk_free_bytes", f"{free:.0f}", f"our own disk has {free / (1 << 30):.1f} GiB free", against=True)


def memory_full(case: Case) -> Facts:
    """The control group's memory is used up, the kernel ended processes, or tasks wait for memory."""
    used, most = _cgroup(case, "memory_bytes"), _cgroup(case, "memory_max_bytes")
    if used is not None and most and used >= full_share * most:
        yield _fact("cgroup", f"{used:.0f}/{most:.0f}", f"the control group uses {used / most:.0%} of its memory")
    kills = _cgroup(case, "oom_kills")
    if kills:
        yield _fact("cgroup", f"{kills:.0f}", f"the kernel has ended {kills:.0f} processes of this group for memory")
    pressure = number(case, "psi_memory")
    if pressure is not None and pressure > 20:
        yield _fact(
            "psi_memory", f"{pressure:.0f}", f"tasks waited for memory in {pressure:.0f} % of the last ten seconds"
        )
    for one in case.raised:
        if one.type == "MemoryError":
            yield Fact(
                "class", "MemoryError", "MemoryError", "weak", f"exception[{one.number}].type", "the allocation failed"
            )
            return


def memory_leaks(case: Case) -> Facts:
    """The same want of memory on different routes: it is the process that is full, not one request."""
    if not any(one.named("MemoryError") or one.errno == "ENOMEM" for one in case.raised):
        return
    others = [title for title in case.history.others_now if "MemoryError" in title]
    if len(case.history.routes) > 1 or others:
        count = max(len(case.history.routes), 1 + len(others))
        text = f"memory runs out on {count} different routes"
        yield Fact("history", "routes", str(count), "decisive", "history.routes", text, None, True)
        return
    rss, uptime = number(case, "rss_bytes"), number(case, "uptime_s")
    frame = next(application(case.frames), None)
    grows = frame is not None and any(
        word in frame.context_line for word in (".append(", ".extend(", ".setdefault(", "] = ", ".add(")
    )
    shared = frame is not None and any(
        word in frame.context_line.lower() for word in ("cache", "_seen", "history", "registry")
    )
    if rss is not None and uptime is not None and grows and shared:
        text = (
            f"the failing line adds to a lasting collection; the process holds {rss / (1 << 20):.0f} MiB "
            f"after {uptime:.0f} s"
        )
        yield _fact("rss_bytes", f"{rss:.0f}", text, against=True)


def killed_for_memory(case: Case) -> Facts:
    """The kernel or the server says that a process was ended for memory."""
    for one in case.raised or []:
        if ("Out of memory" in one.text and "sent SIGKILL" in one.text) or "oom-kill" in one.text:
            yield Fact("message", "kernel", "oom", "strong", "message", one.text[:160])


# ---- threads and processor -----------------------------------------------------------------------


def fork_refused(case: Case) -> Facts:
    """The system refused to start a process."""
    for one in case.raised:
        if one.errno == "EAGAIN" and any(
            f.function in ("_execute_child", "_fork_exec", "fork") for f in case.frames[-4:]
        ):
            yield Fact(
                "errno",
                "fork",
                "EAGAIN",
                "decisive",
                f"exception[{one.number}]",
                "the system starts no more processes (EAGAIN)",
            )


def many_threads(case: Case) -> Facts:
    """The process has many threads."""
    threads = number(case, "threads")
    if threads is not None and threads >= 20:
        strength: Strength = "strong" if threads >= threads_many else "weak"
        yield _fact("threads", f"{threads:.0f}", f"{threads:.0f} threads are running in the process", strength)


def _missed_a_deadline(case: Case) -> bool:
    if case.peer == "database" and any(one.errno for one in case.raised):
        return False
    words = ("TimeoutError", "Timeout", "DeadlineExceeded", "TimeLimitExceeded", "CancelledError", "WorkerTimeout")
    return any(
        one.named(*words) or "imeout" in one.type or "eadline" in one.type or "deadline" in one.text
        for one in case.raised
    )


def cpu_saturated(case: Case) -> Facts:
    """A deadline was missed while the processor was saturated or throttled."""
    if _missed_a_deadline(case):
        yield from cpu_measured(case)


def cpu_measured(case: Case) -> Facts:
    """Pressure, load or throttling of the processor are above what is normal."""
    pressure, load, cpus = number(case, "psi_cpu"), number(case, "load_1m"), number(case, "cpus")
    if pressure is not None and pressure >= psi_busy:
        yield _fact(
            "psi_cpu", f"{pressure:.0f}", f"tasks waited for the processor in {pressure:.0f} % of the last ten seconds"
        )
    if load is not None and cpus and load >= load_busy * cpus:
        yield _fact("load_1m", f"{load:.1f}", f"the load is {load:.1f} on {cpus:.0f} processors")
    throttled = _cgroup(case, "throttled_periods")
    if throttled:
        yield _fact("cgroup", f"{throttled:.0f}", f"the control group was throttled in {throttled:.0f} periods")


def loop_blocked(case: Case) -> Facts:
    """A deadline was missed while the event loop came late."""
    lag = number(case, "loop_lag_ms")
    if lag is not None and lag >= lag_busy_ms and _missed_a_deadline(case):
        yield _fact("loop_lag_ms", f"{lag:.0f}", f"the event loop came {lag:.0f} ms late")


def limiter_full(case: Case) -> Facts:
    """A deadline was missed while all worker threads were in use."""
    if not (_missed_a_deadline(case) or "overload.limiter" in case.clues):
        return
    pools = case.ours.get("pools")
    for index, pool in enumerate(pools[:50] if isinstance(pools, list) else []):
        if not isinstance(pool, dict):
            continue
        name, out, size = pool.get("name"), pool.get("checked_out"), pool.get("size")
        threads = isinstance(name, str) and any(
            word in name.lower() for word in ("anyio", "limiter", "thread", "worker")
        )
        if threads and isinstance(out, int) and isinstance(size, int) and size and out >= size:
            text = f"{out} of {size} worker threads are in use"
            yield Fact("pool", str(name), f"{out}/{size}", "decisive", f"contexts.fivehundred.pools[{index}]", text)


def worker_aborted(case: Case) -> Facts:
    """The server's abort handler stands in the stack."""
    for frame in reversed(case.frames[-40:]):
        if frame.function == "handle_abort" and root(frame) in ("gunicorn", "base", "workers"):
            yield Fact(
                "frame",
                "gunicorn",
                "handle_abort",
                "decisive",
                "frames",
                "gunicorn aborted its worker for being silent too long",
            )
            return


def stack_of_worker(case: Case) -> Facts:
    """The stack shows where the ended worker stood."""
    frame = next((f for f in application(case.frames) if root(f) != "gunicorn"), None)
    if frame is not None and any(True for _ in worker_aborted(case)):
        text = f"it stood in {frame.filename}:{frame.lineno} in {frame.function}"
        yield Fact("frame", frame.function, str(frame.lineno), "strong", "frames", text)


def statement_time(case: Case) -> Facts:
    """The statement ran long, or the server names its time-out."""
    for number, entry in statements.sent(case)[:1]:
        ms = entry.get("ms")
        if isinstance(ms, int | float) and not isinstance(ms, bool) and ms >= 100:
            yield Fact(
                "sql",
                "duration",
                f"{ms:.0f}",
                "strong",
                f"contexts.fivehundred.sql[{number}]",
                f"the statement ran for {ms:.0f} ms",
            )
            return
    if any("statement timeout" in one.text for one in case.raised):
        yield Fact(
            "message",
            "statement",
            "statement timeout",
            "strong",
            "exception",
            "the server says 'due to statement timeout'",
        )
