"""Vault: seals the few secrets that the Console must be able to read again, such as the password of a mail server.

The key lies in a file of its own in the data folder (mode 0600), or in FIVEHUNDRED_KEY for installations of several
machines: a copy of the database alone opens nothing. What is only ever compared (passwords, tokens) is hashed instead
and has no business here. Cipher: Fernet (AES-128-CBC with HMAC-SHA256) of ``cryptography``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet, InvalidToken

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
            self._fernet = Fernet(named or _read_or_make(file))
        except ValueError as e:
            raise BadKey(
                f"what {where} holds is no key ({e}); a key is 32 bytes in URL-safe base64: "
                'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
            ) from e

    def seal(self, secret: str) -> str:
        return self._fernet.encrypt(secret.encode()).decode()

    def open(self, sealed: str) -> str:
        """Raises CannotOpen."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except (InvalidToken, ValueError) as e:
            raise CannotOpen("it was sealed with another key; enter the secret again, or restore the key file") from e


def _read_or_make(file: Path) -> str:
    try:
        # O_EXCL: of two processes that begin at the same moment one makes the key and the other reads it
        made = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return file.read_text("ascii").strip()
    key = Fernet.generate_key()
    with open(made, "wb") as out:
        out.write(key + b"\n")
    return key.decode()
