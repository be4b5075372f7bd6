"""Passwords, one-time codes, and random secrets."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fivehundred.console.access import secret


def test_a_password_fits_itself_and_nothing_else() -> None:
    stored = secret.hashed("correct horse battery")
    assert "correct" not in stored
    assert secret.fits("correct horse battery", stored)
    assert not secret.fits("correct horse batterx", stored)
    assert not secret.fits("correct horse battery", "")
    assert not secret.fits("correct horse battery", "no hash at all")


def test_a_password_is_the_same_from_another_keyboard() -> None:
    assert secret.fits("Schl\u00fcsselbund", secret.hashed("Schlu\u0308sselbund"))


@pytest.mark.parametrize("weak", ["", "short", "aaaaaaaaaaaaaa", "ababababababab", "x" * 1001])
def test_a_weak_password_is_refused(weak: str) -> None:
    with pytest.raises(secret.WeakPassword):
        secret.hashed(weak)


def test_one_time_codes_are_those_of_the_standard() -> None:
    key = base64.b32encode(b"12345678901234567890").decode()  # RFC 4226, appendix D
    assert [secret.code_at(key, n) for n in range(4)] == ["755224", "287082", "359152", "969429"]


def test_a_code_is_taken_once_and_around_now_only() -> None:
    key, now = secret.new_key(), 1_790_000_000.0
    code = secret.code_at(key, int(now // 30))
    used = secret.matching(key, code, now, 0)
    assert used == int(now // 30)
    assert secret.matching(key, code, now, used) is None
    assert secret.matching(key, code, now + 29, 0) == used
    assert secret.matching(key, code, now + 120, 0) is None


@settings(max_examples=50)
@given(st.text(max_size=30))
def test_no_text_is_a_code_by_accident(text: str) -> None:
    key = secret.new_key()
    wanted = {secret.code_at(key, n) for n in (99, 100, 101)}
    assert (secret.matching(key, text, 3000.0, 0) is not None) == ("".join(text.split()) in wanted)


def test_recovery_codes_differ() -> None:
    assert len(set(secret.recovery_codes())) == 10
