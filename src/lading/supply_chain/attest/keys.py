"""Who signs and how it is checked, as ports. The key itself stays behind them: in a file, in memory or in a service."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from lading.supply_chain.attest.errors import SignatureInvalid


class Verifier(Protocol):
    """A public key. `key_id` is `sha256:` and the hex SHA-256 of its SubjectPublicKeyInfo (RFC 5280, 4.1.2.7)."""

    @property
    def key_id(self) -> str:
        """The name of the key."""
        ...

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature`, in the form of this kind of key (keys_public), was made over `message`.

        Never raises, whatever the bytes are.
        """
        ...


class Signer(Verifier, Protocol):
    """A private key with its public one."""

    def sign(self, message: bytes) -> bytes:
        """A signature over `message` that `verify` accepts.

        One who calls it gets one signature or an error, and another call makes another one: nothing is half signed.

        Raises:
            KeyUnusable: the key is gone, disabled or of another kind, or what holds it does not answer in time.
        """
        ...

    def public_pem(self) -> str:
        """The public key as PEM, as `openssl` and `cosign` read it."""
        ...


def verified_by(message: bytes, signatures: Iterable[bytes], verifiers: Iterable[Verifier]) -> Verifier:
    """The first of `verifiers` that one of `signatures` holds for; raises SignatureInvalid.

    The key id in an envelope is only a hint by whoever wrote it, so every signature is tried with every key.
    """
    keys = list(verifiers)
    for signature in signatures:
        for key in keys:
            if key.verify(message, signature):
                return key
    known = ", ".join(key.key_id[:19] for key in keys) or "none"
    raise SignatureInvalid(
        f"No signature holds for the keys given ({known}).",
        remedy="Check the key, and that the content is the original.",
    )
