"""The body of an OTLP export request, judged before it is acknowledged: framing, sizes, and how many records are none.

Exporters retry after 429 and 503 and give up after 400, so a body that no reader will ever understand is refused
here. Attributes are not read: that is the digest's work.
"""

from __future__ import annotations

from fivehundred import limits
from fivehundred.console import otlp
from fivehundred.console.inflate import InflateError, TooLarge, inflate
from fivehundred.console.ingest.auth import Refused


def check_content_type(content_type: str) -> None:
    """Raises Refused for what is neither protobuf nor JSON."""
    if not (otlp.is_json(content_type) or otlp.is_protobuf(content_type)):
        detail = f"Content-Type {content_type[:80]!r} is not OTLP; send application/x-protobuf or application/json"
        raise Refused(415, detail, "content_type")


def unreadable(body: bytes, encoding: str, content_type: str, signal: otlp.Signal) -> int:
    """How many records cannot be read, the others being fine. Raises Refused."""
    try:
        groups = otlp.groups(inflate(body, encoding, limits.otlp_inflated_bytes_max), content_type, signal)
    except (TooLarge, otlp.TooMany) as e:
        raise Refused(413, str(e), "too_large") from e
    except (InflateError, otlp.OtlpError) as e:
        raise Refused(400, str(e), "malformed") from e
    broken = otlp.unreadable(groups, signal)
    if broken and broken == sum(len(group.records) for group in groups):
        raise Refused(400, f"none of the {broken} records can be read", "malformed")
    return broken
