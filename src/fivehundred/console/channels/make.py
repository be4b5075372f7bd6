"""From what was entered and what is stored to a channel that sends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fivehundred.console.channels.base import BadSettings, Channel, Kind
from fivehundred.console.channels.mail import Mail, securities
from fivehundred.console.channels.others import Others
from fivehundred.console.channels.webhook import Webhook

# of each kind: what may be shown again, and the one that is sealed
fields: Final[dict[Kind, tuple[tuple[str, ...], str]]] = {
    "webhook": (("url",), "key"),
    "mail": (("host", "port", "security", "sender", "receivers", "user"), "password"),
    "apprise": (("service",), "url"),
}


def make(kind: Kind, settings: Mapping[str, str], secret: str) -> Channel:
    """Raises BadSettings."""
    if kind == "webhook":
        return Webhook(settings.get("url", "").strip(), secret)
    if kind == "apprise":
        return Others(secret.strip())
    security = next((s for s in securities if s == settings.get("security", "starttls")), None)
    if security is None:
        raise BadSettings(f"security is one of {', '.join(securities)}")
    port = settings.get("port", "").strip() or ("465" if security == "tls" else "587")
    if not (port.isascii() and port.isdecimal() and len(port) < 6):
        raise BadSettings(f"{port[:20]!r} is no port")
    receivers = tuple(r.strip() for r in settings.get("receivers", "").split(",") if r.strip())
    return Mail(
        host=settings.get("host", "").strip(),
        port=int(port),
        security=security,
        sender=settings.get("sender", "").strip(),
        receivers=receivers,
        user=settings.get("user", "").strip(),
        password=secret,
    )
