"""HTTP/2 without TLS, on one stream: what arrived, and how the stream ended."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events


@dataclass
class Stream:
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    whole: bool = False  # END_STREAM came
    reset: int | None = None  # the error code of RST_STREAM
    trailers: list[tuple[str, str]] = field(default_factory=list)

    @property
    def status(self) -> int:
        return int(dict(self.headers).get(":status", "0"))


def get(address: tuple[str, int], path: str, timeout_s: float = 10) -> Stream:
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
    connection.initiate_connection()
    told = [(":method", "GET"), (":path", path), (":scheme", "http"), (":authority", "contract.test")]
    connection.send_headers(1, told, end_stream=True)
    found = Stream()
    with socket.create_connection(address, timeout=timeout_s) as sock:
        sock.sendall(connection.data_to_send())
        while not found.whole and found.reset is None:
            data = sock.recv(65536)
            if not data:
                break
            for event in connection.receive_data(data):
                _take(found, event, connection)
            sock.sendall(connection.data_to_send())
    return found


def _take(found: Stream, event: object, connection: h2.connection.H2Connection) -> None:
    if isinstance(event, h2.events.ResponseReceived):
        found.headers = [(str(k), str(v)) for k, v in event.headers]
    elif isinstance(event, h2.events.TrailersReceived):
        found.trailers = [(str(k), str(v)) for k, v in event.headers]
    elif isinstance(event, h2.events.DataReceived):
        found.body += event.data or b""
        connection.acknowledge_received_data(event.flow_controlled_length or 0, 1)
    elif isinstance(event, h2.events.StreamEnded):
        found.whole = True
    elif isinstance(event, h2.events.StreamReset):
        found.reset = int(event.error_code or 0)
