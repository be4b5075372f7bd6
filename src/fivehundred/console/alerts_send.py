"""Sending: takes due messages out of the outbox and gives them to their channels. One thread a channel at a time.

A slow or dead channel keeps no other waiting. What could not be delivered is tried again, later each time, and given up
after some hours; either way the outbox says so, with the words of the other side. Several Consoles may send from one
store: a message is claimed first, and one that dies with its process is due again a minute later.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Final

from fivehundred.console.channels.base import (
    Channel,
    ChannelError,
    Kind,
    Message,
    NotAccepted,
    kinds,
    one_line,
    send_s_max,
)
from fivehundred.console.channels.make import make
from fivehundred.console.store.alerts import Alert, Alerts, ChannelRow
from fivehundred.console.store.base import NotFound, Store
from fivehundred.console.vault import CannotOpen, Vault
from fivehundred.event import Json

log = logging.getLogger("fivehundred.console.alerts")

_POLL_S: Final = 1.0
_CLAIM_S: Final = send_s_max * 4
_BACKOFF_S: Final = (10.0, 60.0, 300.0, 1800.0, 7200.0, 14_400.0)  # after these it is given up
_FORGET_S: Final = 3600.0
_minutes_kept_s: Final = 86_400.0
_outbox_kept_s: Final = 30 * 86_400.0


class Sender:
    """``store`` gives the calling thread's own Store; ``url`` is how the Console is called from outside."""

    def __init__(self, store: Callable[[], Store], vault: Vault, url: str) -> None:
        self._store = store
        self._vault = vault
        self._url = url
        self._busy: dict[int, asyncio.Task[None]] = {}  # channel -> what is being sent
        self._stopping = asyncio.Event()
        self._forget_at = 0.0

    async def run(self) -> None:
        """Until ``stop``."""
        while not self._stopping.is_set():
            try:
                await self._step()
            except Exception:  # the edge: a store that is ill for a moment must not end the alerts
                log.exception("the outbox could not be read; it is tried again in %s s", _POLL_S)
            try:
                await asyncio.wait_for(self._stopping.wait(), _POLL_S)
            except TimeoutError:
                continue
        await asyncio.gather(*self._busy.values(), return_exceptions=True)

    async def stop(self) -> None:
        self._stopping.set()

    async def _step(self) -> None:
        self._busy = {channel: task for channel, task in self._busy.items() if not task.done()}
        for alert in await asyncio.to_thread(self._due, list(self._busy)):
            self._busy[alert.channel] = asyncio.create_task(asyncio.to_thread(self._send, alert))

    def _due(self, busy: list[int]) -> list[Alert]:
        now, desk = time.time(), self._desk()
        if now >= self._forget_at:
            desk.forget(before=now - _minutes_kept_s, told_before=now - _outbox_kept_s)
            self._forget_at = now + _FORGET_S
        return [alert for alert in desk.due(now=now, busy=busy) if desk.claim(alert, until=now + _CLAIM_S)]

    def _send(self, alert: Alert) -> None:
        desk = self._desk()
        try:
            channel_of(desk.channel(alert.channel), self._vault).send(message_of(alert, self._url))
        except NotAccepted as e:
            self._later(desk, alert, str(e))
        except (ChannelError, CannotOpen, NotFound) as e:
            desk.failed(alert.id, one_line(str(e), 400))
            log.warning("alert %s was not delivered: %s", alert.id, one_line(str(e)))
        except Exception as e:  # the edge: a library of a channel may raise anything
            log.exception("alert %s failed", alert.id)
            self._later(desk, alert, f"{type(e).__name__}; the Console's log says more")
        else:
            desk.sent(alert.id, now=time.time())

    def _later(self, desk: Alerts, alert: Alert, error: str) -> None:
        if alert.attempts >= len(_BACKOFF_S):
            desk.failed(alert.id, one_line(f"given up after {alert.attempts + 1} attempts: {error}", 400))
        else:
            desk.later(alert.id, one_line(error, 400), due_at=time.time() + _BACKOFF_S[alert.attempts])

    def _desk(self) -> Alerts:
        return Alerts(self._store().database)


def channel_of(row: ChannelRow, vault: Vault) -> Channel:
    """Raises CannotOpen, BadSettings."""
    kind: Kind = next(k for k in kinds if k == row.kind)
    return make(kind, row.settings, vault.open(row.sealed) if row.sealed else "")


def message_of(alert: Alert, url: str) -> Message:
    body = alert.body
    data = body.get("data")
    return Message(
        id=f"fivehundred-{alert.id}-{int(alert.created_at)}",
        kind=alert.kind,
        subject=alert.subject,
        text=str(body.get("text", "")),
        url=f"{url}{body.get('path', '')}",
        data=data if isinstance(data, dict) else {},
        about=_about(data if isinstance(data, dict) else {}, url),
    )


def _about(data: Mapping[str, Json], url: str) -> str:
    rule = data.get("rule")
    by = f'The rule "{one_line(str(rule), 60)}"' if rule else "A channel of the Console"
    return f"{by} tells you of this; rules and channels: {url}/alerts"
