"""Signing in: a password and, where it is turned on, a one-time code. Bounded in tries, and alike in time.

After ten failures in a quarter of an hour for one name from one address, or a hundred for a name or an address, nothing
is compared any more: the answer is to wait. A wrong name and a wrong password are one answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fivehundred.console.access import secret
from fivehundred.console.config import is_loopback
from fivehundred.console.store.people import People, Person, folded
from fivehundred.console.vault import CannotOpen, Vault

_window_s: Final = 900.0
_pair_max: Final = 10
_one_max: Final = 100
_name_chars_max: Final = 200


class NotSignedIn(Exception):
    """The text is for the person; ``retry_s`` is how long to wait, ``code`` whether a one-time code is asked for."""

    def __init__(self, text: str, *, retry_s: float = 0.0, code: bool = False) -> None:
        super().__init__(text)
        self.retry_s = retry_s
        self.code = code


@dataclass(frozen=True, slots=True)
class Try:
    name: str
    password: str
    code: str
    address: str


def checked(desk: People, vault: Vault, tried: Try, *, now: float) -> Person:
    """Who it is. Raises NotSignedIn."""
    keys = _keys(tried)
    bounds = dict(zip(keys, (_pair_max, _one_max, _one_max), strict=True))
    if is_loopback(tried.address):
        del bounds[keys[2]]  # the address of a proxy is everybody's: one guesser would lock all others out
    if not desk.may_try(bounds, window_s=_window_s, now=now):
        raise NotSignedIn("Too many tries. Wait a quarter of an hour, then try again.", retry_s=_window_s)
    person = desk.by_name(tried.name) if len(tried.name) <= _name_chars_max else None
    usable = person is not None and person.disabled_at is None
    right = secret.fits(tried.password, person.password if person is not None and usable else "")
    if person is None or not right:
        raise NotSignedIn("The name or the password is wrong.")
    if person.totp_sealed:
        _check_code(desk, vault, person, tried, keys, now)
    desk.succeeded(keys, at=now)
    if secret.is_old(person.password):
        desk.set_password(person.id, secret.hashed(tried.password))
    desk.forgive(keys[0])
    desk.signed_in(person.id, now=now)
    return person


def again(desk: People, person: Person, password: str, *, now: float) -> bool:
    """Whether somebody who is signed in knows their password: bounded like signing in. Raises NotSignedIn."""
    key = f"again:{person.id}"
    if not desk.may_try({key: _pair_max}, window_s=_window_s, now=now):
        raise NotSignedIn("Too many tries. Wait a quarter of an hour, then try again.", retry_s=_window_s)
    if not secret.fits(password, person.password):
        return False
    desk.forgive(key)
    return True


def _check_code(desk: People, vault: Vault, person: Person, tried: Try, keys: list[str], now: float) -> None:
    if not tried.code:
        desk.succeeded(keys, at=now)  # the password was right, and nothing was guessed
        raise NotSignedIn("Enter the code that your authenticator app shows, or a recovery code.", code=True)
    try:
        key = vault.open(person.totp_sealed)
    except CannotOpen as e:
        raise NotSignedIn("The one-time code cannot be checked: the Console's key file is another one.") from e
    counter = secret.matching(key, tried.code, now, person.totp_used)
    if counter is not None and desk.use_totp(person.id, counter):
        return
    if desk.use_recovery(person.id, secret.digest(tried.code.strip().lower())):
        return
    raise NotSignedIn("The code is wrong, or was used already.", code=True)


def _keys(tried: Try) -> list[str]:
    name = folded(tried.name)[:_name_chars_max]
    return [f"pair:{name}|{tried.address}", f"name:{name}", f"address:{tried.address}"]
