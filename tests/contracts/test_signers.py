"""What every signer must do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lading.kernel.digest import Digest
from lading.supply_chain.attest.keys import Signer
from lading.supply_chain.attest.keys_local import PrivateKey, open_local_key
from lading.supply_chain.attest.keys_public import PublicKey

SIGNERS: dict[str, Callable[[Path], Signer]] = {"memory": lambda _: PrivateKey.generate(), "file": open_local_key}


@pytest.fixture(params=SIGNERS)
def signer(request: pytest.FixtureRequest, tmp_path: Path) -> Signer:
    return SIGNERS[request.param](tmp_path)


def test_a_signature_holds_for_its_message_and_its_key_alone(signer: Signer) -> None:
    signature = signer.sign(b"message")

    assert signer.verify(b"message", signature)
    assert PublicKey.from_pem(signer.public_pem()).verify(b"message", signature)
    assert not signer.verify(b"another", signature)
    assert not PrivateKey.generate().verify(b"message", signature)


@pytest.mark.parametrize("signature", [b"", b"\0" * 70, b"0" * 100_000])
def test_no_bytes_make_verification_fail_otherwise(signer: Signer, signature: bytes) -> None:
    assert not signer.verify(b"message", signature)


def test_the_key_id_is_that_of_the_public_key(signer: Signer) -> None:
    assert Digest.parse(signer.key_id)
    assert PublicKey.from_pem(signer.public_pem()).key_id == signer.key_id
