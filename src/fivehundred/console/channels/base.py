"""What every channel takes and may answer. A channel sends one message and raises when it could not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias, get_args

from fivehundred.event import Json

Kind: TypeAlias = Literal["webhook", "mail", "apprise"]
kinds: Final[tuple[Kind, ...]] = get_args(Kind)

send_s_max: Final = 15.0  # for one attempt: name, connection, answer


class ChannelError(Exception):
    """The root of what a channel raises. The text is shown to the person who set it up; it holds no secret."""


class NotAccepted(ChannelError):
    """It could not be delivered now; it may be later."""


class Rejected(ChannelError):
    """It will not be delivered however often it is tried: wrong address, wrong password, a refusal."""


class BadSettings(ChannelError):
    """The settings make no channel; the text says which of them, and what it should be."""


@dataclass(frozen=True, slots=True)
class Message:
    """One alert, in words for people and as data for programs."""

    id: str  # the same for every attempt: what receivers know a repetition by
    kind: str
    subject: str  # one line
    text: str  # paragraphs of plain text
    url: str  # of the page that it is about
    data: Mapping[str, Json]
    about: str = ""  # why it came, and where that is changed


class Channel(Protocol):
    def send(self, message: Message) -> None: ...  # blocks for at most send_s_max; raises ChannelError


def one_line(text: str, characters_max: int = 200) -> str:
    """For headers and subjects: whatever an event says, it begins no second line."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= characters_max else line[: characters_max - 1] + "…"
