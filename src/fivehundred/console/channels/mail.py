"""Mail: the message as plain text with the same as HTML beside it. TLS unless the server is on this machine.

Standard library only.
"""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, parseaddr
from typing import Final, Literal, TypeAlias, get_args

from fivehundred.console.channels import mail_html
from fivehundred.console.channels.base import BadSettings, Message, NotAccepted, Rejected, one_line, send_s_max

Security: TypeAlias = Literal["starttls", "tls", "none"]
securities: Final[tuple[Security, ...]] = get_args(Security)
_RECEIVERS_MAX: Final = 50


@dataclass(frozen=True, slots=True)
class Mail:
    host: str
    port: int
    security: Security
    sender: str  # an address, or "Name <address>"
    receivers: tuple[str, ...]
    user: str = ""
    password: str = ""

    def __post_init__(self) -> None:
        if not self.host or not 0 < self.port < 65536:
            raise BadSettings("mail needs the host and the port (587 or 465) of a mail server")
        if not 0 < len(self.receivers) <= _RECEIVERS_MAX:
            raise BadSettings(f"mail goes to 1 to {_RECEIVERS_MAX} addresses, separated by commas")
        for address in (self.sender, *self.receivers):
            if "@" not in parseaddr(address)[1] or not address.isprintable():
                raise BadSettings(f"{address[:80]!r} is no mail address")
        if self.password and self.security == "none":
            raise BadSettings("a password is not sent in clear: take starttls or tls")

    def send(self, message: Message) -> None:
        try:
            with self._connected() as server:
                if self.user:
                    server.login(self.user, self.password)
                refused = server.send_message(self._mail(message))
        except (smtplib.SMTPAuthenticationError, smtplib.SMTPNotSupportedError) as e:
            raise Rejected(f"{self.host}: {_words(e)}") from e
        except smtplib.SMTPResponseException as e:  # RFC 5321 section 4.2.1: 4yz may be tried again, 5yz not
            raise (Rejected if e.smtp_code >= 500 else NotAccepted)(f"{self.host}: {_words(e)}") from e
        except smtplib.SMTPRecipientsRefused as e:
            raise Rejected(f"{self.host} takes none of the addresses: {', '.join(e.recipients)}") from e
        except (OSError, smtplib.SMTPException) as e:
            raise NotAccepted(f"{self.host}: {e or type(e).__name__}") from e
        if refused:
            raise Rejected(f"{self.host} took the mail for others, but not for {', '.join(refused)}")

    def _connected(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        if self.security == "tls":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=send_s_max, context=context)
        server = smtplib.SMTP(self.host, self.port, timeout=send_s_max)
        if self.security == "starttls":
            try:
                server.starttls(context=context)
            except (smtplib.SMTPException, OSError):
                server.close()
                raise
        return server

    def _mail(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["Subject"] = one_line(message.subject)
        mail["From"] = self.sender
        mail["To"] = ", ".join(self.receivers)
        mail["Date"] = formatdate(localtime=False)
        mail["Message-ID"] = f"<{message.id}@{parseaddr(self.sender)[1].rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
        about = f"\n-- \n{message.about}\n" if message.about else ""
        mail.set_content(f"{message.text}\n\n{message.url}\n{about}")
        mail.add_alternative(mail_html.page(message), subtype="html")
        return mail


def _words(e: smtplib.SMTPException) -> str:
    if isinstance(e, smtplib.SMTPResponseException):
        said = e.smtp_error.decode("utf-8", "replace") if isinstance(e.smtp_error, bytes) else e.smtp_error
        return f"{e.smtp_code} {one_line(said)}"
    return one_line(str(e))
