"""Slack, Teams, Discord, Telegram, PagerDuty and a hundred more, by the library ``apprise`` and its addresses.

It is imported when the first message is sent: the import takes a fifth of a second. An address such as
``slack://token/#alerts`` holds the secret itself, so the whole of it is kept sealed and never shown.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from fivehundred.console.channels.base import BadSettings, Message, NotAccepted, one_line

# Services of apprise that write files, start programs or speak on the machine itself: no channels for a server.
_local: Final = frozenset(("dbus", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows", "file", "memory"))


@dataclass(frozen=True, slots=True)
class Others:
    url: str

    def __post_init__(self) -> None:
        scheme = self.url.partition("://")[0].lower()
        if "://" not in self.url or not self.url.isprintable():
            raise BadSettings("give the address of a service as apprise writes it, such as slack://token/#alerts")
        if scheme in _local:
            raise BadSettings(f"{scheme}:// acts on the Console's own machine and is not offered")
        try:
            import apprise
        except ModuleNotFoundError as e:
            raise BadSettings('this needs the package apprise: pip install "fivehundred[alerts]"') from e
        if apprise.Apprise.instantiate(self.url, suppress_exceptions=True) is None:
            raise BadSettings(f"apprise knows no service {scheme}:// with such an address; see its list of services")

    def send(self, message: Message) -> None:
        import apprise

        service = apprise.Apprise()
        service.add(self.url)
        said = _Said()
        logger = logging.getLogger("apprise")
        logger.addHandler(said)
        try:
            sent = service.notify(
                title=one_line(message.subject),
                body=f"{message.text}\n\n{message.url}",
                body_format=apprise.NotifyFormat.TEXT,
            )
        finally:
            logger.removeHandler(said)
        if not sent:
            raise NotAccepted(said.last or "the service did not take the message")


class _Said(logging.Handler):
    """Remembers the last complaint: apprise answers only yes or no."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = one_line(record.getMessage())
