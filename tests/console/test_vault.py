"""The vault's key: made once, whole, also when several begin at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fivehundred.console.vault import CannotOpen, Vault


def test_who_begins_at_the_same_moment_shares_one_key(tmp_path: Path) -> None:
    together = Barrier(8)

    def begin(_: int) -> Vault:
        together.wait()
        return Vault(tmp_path / "key")

    with ThreadPoolExecutor(8) as pool:
        vaults = list(pool.map(begin, range(8)))
    assert {vault.open(vaults[0].seal("s3cret")) for vault in vaults} == {"s3cret"}
    assert [file.name for file in tmp_path.iterdir()] == ["key"]


@given(st.text(max_size=80))
def test_whatever_was_not_sealed_here_is_refused(tmp_path_factory: pytest.TempPathFactory, sealed: str) -> None:
    with pytest.raises(CannotOpen, match="enter the secret again"):
        Vault(tmp_path_factory.getbasetemp() / "key").open(sealed)
