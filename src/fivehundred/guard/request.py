"""What an integration tells the Guard about a request: raw parts nothing parsed or scrubbed yet."""

from __future__ import annotations

from fivehundred.record import field, record


@record(slots=True)
class RequestParts:
    """One request. Integrations fill it from an environ or a scope; only a failure pays for turning it into an Event.

    Header names and values are text decoded as latin-1 (RFC 9110 section 5.5), as many pairs as were sent.
    """

    method: str = ""
    scheme: str = "http"
    host: str = ""
    path: str = ""  # decoded, as the framework saw it
    query: str = ""  # still percent-encoded, without "?"
    headers: list[tuple[str, str]] = field(default_factory=list)
    protocol: str = ""  # "1.0", "1.1", "2"
    route: str = ""  # the template that matched: "/users/{id}"; empty when nothing matched or it is not known
    peer: str = ""  # the address that the connection comes from; not sent, it decides who may see a development page
    user: object = None  # what the framework keeps as the user of the request; only its stored key is read
    body: bytes = b""  # what the application had read of it, cut to limits.request_body_bytes_max

    def header(self, name: str) -> str:
        """The first value of a header, empty when it was not sent. ``name`` in lower case."""
        return next((value for key, value in self.headers if key.lower() == name), "")
