"""Vault: seals the few secrets that the Console must be able to read again, such as the password of a mail server.

The key lies in a file of its own in the data folder (mode 0600), or in FIVEHUNDRED_KEY for installations of several
machines: a copy of the database alone opens nothing. What is only ever compared (passwords, tokens) is hashed instead
and has no business here. Cipher: libsodium's secretbox (XSalsa20-Poly1305, authenticated), by PyNaCl.
"""

from __future__ import annotations

import base64
import contextlib
import os
import tempfile
from pathlib import Path
from typing import Final

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

key_variable: Final = "FIVEHUNDRED_KEY"


class CannotOpen(Exception):
    """The sealed text was made with another key, or was changed; the text says what to do."""


class BadKey(Exception):
    """The key is none; the text says where it was found and how to make one."""


class Vault:
    """``file`` is made with a fresh key when it is missing and the environment names none."""

    def __init__(self, file: Path) -> None:
        named = os.environ.get(key_variable, "")
        where = key_variable if named else str(file)
        try:
            self._box = SecretBox(base64.b64decode(named or _read_or_make(file), altchars=b"-_", validate=True))
        except ValueError as e:
            raise BadKey(
                f"what {where} holds is no key ({e}); a key is 32 bytes in URL-safe base64: "
                'python -c "import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())"'
            ) from e

    def seal(self, secret: str) -> str:
        return base64.urlsafe_b64encode(self._box.encrypt(secret.encode())).decode()

    def open(self, sealed: str) -> str:
        """Raises CannotOpen."""
        try:
            return self._box.decrypt(base64.urlsafe_b64decode(sealed)).decode()
        except (CryptoError, ValueError) as e:
            raise CannotOpen("it was sealed with another key; enter the secret again, or restore the key file") from e


def _read_or_make(file: Path) -> str:
    if not file.exists():
        _make(file)
    return file.read_text("ascii").strip()


def _make(file: Path) -> None:
    """Whole or not at all: of two processes that begin at the same moment one makes the key, and both read that one."""
    made, name = tempfile.mkstemp(dir=file.parent, prefix=f"{file.name}.")  # mode 0600
    try:
        with open(made, "wb") as out:
            out.write(base64.urlsafe_b64encode(os.urandom(SecretBox.KEY_SIZE)) + b"\n")
        with contextlib.suppress(FileExistsError):
            os.link(name, file)
    finally:
        os.unlink(name)
