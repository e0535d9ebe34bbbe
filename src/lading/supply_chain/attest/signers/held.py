"""A key that is held elsewhere: its public half is read once, and each signature is checked before it is believed."""

from __future__ import annotations

from abc import ABC, abstractmethod

from cryptography.hazmat.primitives import hashes

from lading.supply_chain.attest.errors import KeyUnusable
from lading.supply_chain.attest.keys_public import AnyPublicKey, PublicKey


class HeldKey(PublicKey, ABC):
    """A key pair whose private half something else uses for us.

    Args:
        held_as: how it is told to people.
    """

    def __init__(self, key: AnyPublicKey, held_as: str) -> None:
        super().__init__(key)
        self.held_as = held_as

    def sign(self, message: bytes) -> bytes:
        """A signature over `message`; raises KeyUnusable."""
        signature = self._signed(message)
        if not self.verify(message, signature):
            raise KeyUnusable(
                f"What {self.held_as} signed does not hold for its public key {self.key_id[:19]}….",
                remedy="Was the key replaced? Name the new one in LADING_SIGNING_KEY and start again.",
            )
        return signature

    @abstractmethod
    def _signed(self, message: bytes) -> bytes:
        """A signature in the form of this kind of key, not checked; raises KeyUnusable."""

    def _hashed(self, message: bytes) -> bytes:
        digest = hashes.Hash(self.algorithm.hash)
        digest.update(message)
        return digest.finalize()
