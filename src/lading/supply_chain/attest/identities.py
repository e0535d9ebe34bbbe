"""Signatures by an identity instead of a key, as a port: a certificate says who signed, a log or a timestamp says when.

The key behind such a signature lived for minutes. What is left is that an authority we trust gave it a certificate,
that this is known to a public record of certificates, and that the signature was seen while the certificate was valid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from lading.kernel.digest import Digest
from lading.supply_chain.attest.bundle import Bundle
from lading.supply_chain.attest.dsse import verify
from lading.supply_chain.attest.errors import KeylessUnavailable, SignatureInvalid
from lading.supply_chain.attest.keys import Verifier


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signed: `subject` (an address or URI) as `issuer` knows it, and `at` which proven moment.

    `claims` are what the certificate says beyond that: the repository, commit and workflow of a pipeline.
    """

    subject: str
    issuer: str
    at: datetime
    claims: Mapping[str, str] = field(default_factory=dict)


class IdentityVerifier(Protocol):
    """A root of trust for signatures by identities."""

    def verify(self, bundle: Bundle, image: Digest) -> Identity:
        """Who signed the envelope of a bundle, or the manifest `image` where the bundle has no envelope.

        Any identity is returned: whether it may sign is decided by others. Needs no network.

        Raises:
            SignatureInvalid: the signature, the certificate, the log entry or the time does not hold.
            KeylessUnavailable: nothing is known that could verify it.
        """
        ...


class IdentitySigner(Protocol):
    """Signs as an identity, for minutes."""

    @property
    def identity(self) -> str:
        """Who signs, as the issuer of its token says."""
        ...

    def sign(self, statement: bytes) -> bytes:
        """A bundle that holds an in-toto statement, signed, with certificate and log entry.

        Raises:
            KeylessUnavailable: authority or log refuse, do not answer, or are none that the root of trust knows.
        """
        ...


class NoIdentities:
    """Where no root of trust was given."""

    def verify(self, bundle: Bundle, image: Digest) -> Identity:
        del bundle, image
        raise KeylessUnavailable(
            "It is signed by an identity, and no root of trust is set up that could verify that.",
            remedy="Name a trusted_root.json with LADING_TRUSTED_ROOT.",
        )


class MemoryIdentities:
    """Identities by their certificates, each with the key that the certificate would hold."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[Identity, Verifier]] = {}

    def add(self, certificate: bytes, identity: Identity, key: Verifier) -> None:
        """Trust a certificate."""
        self._known[certificate] = identity, key

    def verify(self, bundle: Bundle, image: Digest) -> Identity:
        del image
        known = self._known.get(bundle.certificate)
        if known is None or bundle.envelope is None:
            raise SignatureInvalid("The certificate is not known.")
        identity, key = known
        verify(bundle.envelope, [key])
        return identity
