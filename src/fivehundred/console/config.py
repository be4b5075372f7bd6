"""How one Console is set up: where its data lies, where it listens, how it is called from outside.

Values only; nothing here opens a file or a socket. The names of the files in the data folder are decided here and
nowhere else, because two processes and every later version must agree on them.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from fivehundred import limits

default_host = "127.0.0.1"
default_port = 5500


@dataclass(frozen=True, slots=True)
class Layout:
    """The data folder. Everything that must be backed up lies below ``root``."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "console.db"

    @property
    def spool(self) -> Path:
        return self.root / "spool"

    @property
    def lock(self) -> Path:
        return self.root / "console.lock"

    @property
    def key(self) -> Path:
        return self.root / "console.key"

    @property
    def digest_lock(self) -> Path:
        return self.root / "digest.lock"

    @property
    def digest_marker(self) -> Path:
        return self.root / "digest.marker"


@dataclass(frozen=True, slots=True)
class Config:
    layout: Layout
    host: str = default_host
    port: int = default_port
    public_url: str = ""  # how browsers and SDKs reach this Console when a proxy stands before it
    retention_days: float = limits.retention_days
    disk_bytes_max: int = limits.retention_bytes_max  # of database and payloads

    @property
    def loopback(self) -> bool:
        return is_loopback(self.host)


def default_data_dir() -> Path:
    """The per-user data folder of the operating system, or what FIVEHUNDRED_DATA names."""
    named = os.environ.get("FIVEHUNDRED_DATA", "")
    if named:
        return Path(named)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "fivehundred"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "fivehundred"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "fivehundred"


def is_loopback(host: str) -> bool:
    """True for what only this machine can reach. A name other than ``localhost`` is never trusted to be that."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def url_of(host: str, port: int) -> str:
    """``http://host:port`` with brackets around an IPv6 address."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
