"""A message as the HTML part of a mail: one column, nothing fetched from anywhere, everything escaped. Pure.

Mail programs know little CSS and no style sheets, so the styles stand in the elements. The text part says the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Final

from fivehundred.console.channels.base import Message, one_line
from fivehundred.event import Json

_COLOURS: Final = {
    "misconfiguration": "#7a4fc0",
    "overload": "#a65200",
    "bug": "#a8326f",
    "database": "#0b7285",
    "security": "#1f5fae",
}
_OVER: Final = ("incident_closed",)
_SANS: Final = "font-family:-apple-system,Segoe UI,Roboto,Helvetica,Arial,sans-serif"


def page(message: Message) -> str:
    """The lines of the text: the first is the name of what failed, the others are said below it."""
    name, *lines = [line for line in message.text.splitlines() if line.strip()] or [message.subject]
    said = "".join(f'<p style="margin:0 0 8px">{escape(line)}</p>' for line in lines)
    figures = "".join(_figure(*pair) for pair in _figures(message.data))
    table = f'<table role="presentation" cellpadding="0" cellspacing="0"><tr>{figures}</tr></table>' if figures else ""
    return _PAGE.format(
        sans=_SANS,
        colour=_colour(message),
        subject=escape(one_line(message.subject)),
        name=escape(name),
        said=said,
        figures=table,
        url=escape(message.url),
        about=escape(message.about),
    )


def _colour(message: Message) -> str:
    if message.kind in _OVER:
        return "#1b7340"
    return _COLOURS.get(str(_fault(message.data).get("cause", "")), "#3f4bd1")


def _fault(data: Mapping[str, Json]) -> Mapping[str, Json]:
    found = data.get("fault")
    return found if isinstance(found, dict) else {}


def _figures(data: Mapping[str, Json]) -> list[tuple[str, str]]:
    fault, incident = _fault(data), data.get("incident")
    found = fault or (incident if isinstance(incident, dict) else {})
    named = (("faults", "Faults"), ("events", "Events"), ("users", "Users"), ("status", "Status"), ("cause", "Cause"))
    values = [(words, found.get(name)) for name, words in named]
    return [(words, f"{v:,}" if type(v) is int and words != "Status" else str(v)) for words, v in values if v]


def _figure(words: str, value: str) -> str:
    return (
        f'<td style="padding:0 28px 14px 0;{_SANS};font-size:12px;color:#67645d">{escape(words)}<br>'
        f'<b style="font-size:16px;color:#1d1c1a">{escape(value)}</b></td>'
    )


_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">\
<meta name="color-scheme" content="light"><title>{subject}</title></head>
<body style="margin:0;padding:0;background:#f7f7f5">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="background:#f7f7f5"><tr>\
<td align="center" style="padding:20px 10px">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="max-width:600px;background:#ffffff;\
border:1px solid #e4e3de;border-top:4px solid {colour};border-radius:6px"><tr>\
<td style="padding:20px 24px;{sans};font-size:14px;line-height:1.5;color:#1d1c1a;word-break:break-word">
<p style="margin:0 0 6px;font-size:12px;color:#67645d">{subject}</p>
<h1 style="margin:0 0 10px;font-size:18px;line-height:1.3">{name}</h1>
{said}
{figures}
<p style="margin:6px 0 0"><a href="{url}" style="display:inline-block;padding:9px 16px;border-radius:6px;\
background:#3f4bd1;color:#ffffff;text-decoration:none;font-weight:600">Open in the Console</a></p>
</td></tr></table>
<p style="max-width:600px;margin:12px 0 0;{sans};font-size:12px;color:#67645d;text-align:left">{about}</p>
</td></tr></table>
</body></html>
"""
