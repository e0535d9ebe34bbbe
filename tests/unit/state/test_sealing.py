"""Secrets are kept so that the database alone gives nobody anything."""

import base64
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.state.sealing import KEY_NAME, SealBroken, Sealer, SealingKeyUnusable, SecretTooLong, open_sealer

SEALER = Sealer.generate()


@given(st.text(max_size=200), st.text(max_size=50))
def test_what_was_sealed_opens_for_its_purpose(secret: str, purpose: str) -> None:
    assert SEALER.unseal(SEALER.seal(secret, purpose), purpose) == secret


def test_a_secret_is_sealed_differently_each_time() -> None:
    assert SEALER.seal("secret", "x") != SEALER.seal("secret", "x")
    assert "secret" not in SEALER.seal("secret", "x")


def test_a_sealed_text_opens_for_nothing_else() -> None:
    with pytest.raises(SealBroken, match="belongs to something else"):
        SEALER.unseal(SEALER.seal("secret", "target:a"), "target:b")


def test_another_key_is_told_from_a_changed_text() -> None:
    with pytest.raises(SealBroken, match="sealed with key"):
        Sealer.generate().unseal(SEALER.seal("secret", "x"), "x")


@given(st.integers(0, 40), st.integers(1, 255))
def test_a_changed_text_does_not_open(at: int, change: int) -> None:
    head, _, content = SEALER.seal("a secret of some length", "x").rpartition(".")
    raw = bytearray(base64.urlsafe_b64decode(content))
    raw[at] ^= change
    with pytest.raises(SealBroken):
        SEALER.unseal(f"{head}.{base64.urlsafe_b64encode(raw).decode()}", "x")


@given(st.text(max_size=100))
def test_garbage_does_not_open(text: str) -> None:
    with pytest.raises(SealBroken):
        SEALER.unseal(text, "x")


def test_what_is_no_credential_is_not_sealed() -> None:
    with pytest.raises(SecretTooLong):
        SEALER.seal("x" * 20_000, "x")


def test_an_installation_has_one_key_that_only_its_owner_reads(tmp_path: Path) -> None:
    sealers: list[Sealer] = []
    threads = [threading.Thread(target=lambda: sealers.append(open_sealer(tmp_path / "keys"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({sealer.key_id for sealer in sealers}) == 1
    assert (tmp_path / "keys" / KEY_NAME).stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path / "keys") == [KEY_NAME]


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    open_sealer(tmp_path)
    (tmp_path / KEY_NAME).chmod(0o644)
    with pytest.raises(SealingKeyUnusable, match="chmod 600"):
        open_sealer(tmp_path)


def test_a_damaged_key_is_refused(tmp_path: Path) -> None:
    open_sealer(tmp_path)
    (tmp_path / KEY_NAME).write_bytes(b"short\n")
    with pytest.raises(SealingKeyUnusable, match="damaged"):
        open_sealer(tmp_path)
