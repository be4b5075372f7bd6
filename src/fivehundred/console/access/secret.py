"""Secrets that are only ever compared: passwords by argon2, random ones by a hash, and one-time codes (RFC 6238)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import struct
import threading
import unicodedata
from typing import Final
from urllib.parse import quote

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

password_chars_min: Final = 10
password_chars_max: Final = 1_000
token_mark: Final = "fhk_"  # noqa: S105 - tokens begin with it, so that scanners of leaked secrets can know one
_code_s: Final = 30
_window: Final = 1  # codes before and after now that are taken: clocks differ
_hashing_at_once: Final = 2  # each takes 64 MiB and a fifth of a second: sign-ins must not be a way to overload us

_hasher: Final = PasswordHasher()
_slots: Final = threading.BoundedSemaphore(_hashing_at_once)
# compared when nobody has the name, so that the answer takes as long
_nobody: Final = "$argon2id$v=19$m=65536,t=3,p=4$3a54zDMdu8uHGvygjoo4kQ$J77ZdgPwCXZX/lkwcgi6wEdjHenFP3lMqoYU0KFsFLE"


class WeakPassword(ValueError):
    """The password cannot be taken; the text says why."""


def hashed(password: str) -> str:
    """Raises WeakPassword."""
    password = unicodedata.normalize("NFKC", password)  # the same password from another keyboard (NIST 800-63B 5.1.1.2)
    if not password_chars_min <= len(password) <= password_chars_max:
        raise WeakPassword(f"a password has {password_chars_min} to {password_chars_max} characters")
    if len(set(password)) < 4:
        raise WeakPassword("a password of three different characters is found at once; take a longer phrase")
    with _slots:
        return _hasher.hash(password)


def fits(password: str, stored: str) -> bool:
    """In the same time whether there is somebody of that name or not."""
    password = unicodedata.normalize("NFKC", password[:password_chars_max])
    with _slots:
        try:
            return _hasher.verify(stored or _nobody, password) and bool(stored)
        except (Argon2Error, InvalidHashError):
            return False


def is_old(stored: str) -> bool:
    """Whether it was made with weaker parameters than those of today."""
    try:
        return bool(stored) and _hasher.check_needs_rehash(stored)
    except (Argon2Error, InvalidHashError):
        return False


def random_secret(mark: str = "") -> str:
    """256 bits."""
    return mark + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is stored of a random secret: nobody can guess 256 bits, so a plain hash does."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


# ---- one-time codes ------------------------------------------------------------------------------


def new_key() -> str:
    """Base32, as authenticator apps take it."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def key_address(key: str, name: str) -> str:
    """What the QR code holds."""
    return f"otpauth://totp/fivehundred:{quote(name, safe='')}?secret={key}&issuer=fivehundred&period={_code_s}"


def code_at(key: str, counter: int) -> str:
    """RFC 4226 section 5.3, six digits."""
    mac = hmac.new(base64.b32decode(key), struct.pack(">Q", counter), hashlib.sha1).digest()
    start = mac[-1] & 0x0F
    return f"{(struct.unpack('>I', mac[start : start + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


def matching(key: str, code: str, now: float, used: int) -> int | None:
    """The counter of the code when it is right and none up to it was used; else None."""
    given = "".join(code.split()).encode("utf-8", "replace")
    current = int(now // _code_s)
    for counter in range(current - _window, current + _window + 1):
        if counter > used and hmac.compare_digest(code_at(key, counter).encode(), given):
            return counter
    return None


def recovery_codes() -> list[str]:
    """Ten codes that each replace the one-time code once."""
    return [f"{secrets.token_hex(3)}-{secrets.token_hex(3)}" for _ in range(10)]
