"""A free port on loopback, for processes of the demo that are told where to listen."""

from __future__ import annotations

import socket


def free_port(preferred: int = 0) -> int:
    """``preferred`` when nobody listens there, else one that the operating system picks."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port on 127.0.0.1")
