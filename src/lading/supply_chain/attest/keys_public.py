"""Public keys of every kind that cosign signs with, and what a signature by each looks like.

| key | signature over the message |
|---|---|
| ECDSA P-256, P-384, P-521 | ASN.1 DER (RFC 3279, 2.2.3), over SHA-256, SHA-384, SHA-512 |
| Ed25519 | 64 bytes, over the message itself (RFC 8032) |
| RSA, 2048 to 8192 bits | PKCS #1 v1.5 or PSS (RFC 8017), over SHA-256 |

Others' ECDSA signatures are believed over SHA-256 too, whatever the curve: cosign signs so unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from lading.kernel.digest import Digest
from lading.supply_chain.attest.errors import KeyUnusable

MOST_PEM: Final = 16_384
_MOST_SIGNATURE: Final = 1_024
_RSA_BITS: Final = range(2_048, 8_193)
_REMEDY: Final = "Use an ECDSA key (P-256, P-384 or P-521), an Ed25519 key, or an RSA key of 2048 to 8192 bits."

AnyPublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey


class Algorithm(StrEnum):
    """How a key signs here."""

    ECDSA_P256 = "ecdsa-p256-sha256"
    ECDSA_P384 = "ecdsa-p384-sha384"
    ECDSA_P521 = "ecdsa-p521-sha512"
    ED25519 = "ed25519"
    RSA = "rsa-pkcs1v15-sha256"

    @property
    def is_ecdsa(self) -> bool:
        """Whether its signatures are pairs of numbers."""
        return self in _CURVES

    @property
    def hash(self) -> hashes.HashAlgorithm:
        """The hash of the message that is signed; SHA-512 inside of Ed25519, which is handed the message."""
        return _HASHES[self]


_CURVES: Final[dict[Algorithm, str]] = {
    Algorithm.ECDSA_P256: "secp256r1",
    Algorithm.ECDSA_P384: "secp384r1",
    Algorithm.ECDSA_P521: "secp521r1",
}
_HASHES: Final[dict[Algorithm, hashes.HashAlgorithm]] = {
    Algorithm.ECDSA_P256: hashes.SHA256(),
    Algorithm.ECDSA_P384: hashes.SHA384(),
    Algorithm.ECDSA_P521: hashes.SHA512(),
    Algorithm.ED25519: hashes.SHA512(),
    Algorithm.RSA: hashes.SHA256(),
}


class PublicKey:
    """A public key that verifies."""

    def __init__(self, key: AnyPublicKey) -> None:
        """Raises KeyUnusable for a curve or a size that is not in the table."""
        self.algorithm = _algorithm(key)
        self._key = key
        der, info = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        self.key_id = str(Digest.of(key.public_bytes(der, info)))

    @classmethod
    def from_pem(cls, pem: str | bytes) -> PublicKey:
        """Read a public key; raises KeyUnusable."""
        content = pem.encode() if isinstance(pem, str) else pem
        try:
            return cls.of(serialization.load_pem_public_key(content[:MOST_PEM]))
        except (ValueError, UnsupportedAlgorithm) as error:
            raise KeyUnusable("The public key cannot be read.", remedy="Give it as PEM. " + _REMEDY) from error

    @classmethod
    def from_der(cls, der: bytes) -> PublicKey:
        """Read a SubjectPublicKeyInfo; raises KeyUnusable."""
        try:
            return cls.of(serialization.load_der_public_key(der[:MOST_PEM]))
        except (ValueError, UnsupportedAlgorithm) as error:
            raise KeyUnusable("The public key cannot be read.", remedy=_REMEDY) from error

    @classmethod
    def of(cls, key: object) -> PublicKey:
        """The key that the cryptography library read, such as that of a certificate; raises KeyUnusable."""
        if not isinstance(key, AnyPublicKey):
            raise KeyUnusable(f"The key is a {type(key).__name__.strip('_')}.", remedy=_REMEDY)
        return cls(key)

    def verify(self, message: bytes, signature: bytes) -> bool:
        if len(signature) > _MOST_SIGNATURE:
            return False
        return any(self._verified(message, signature))

    def _verified(self, message: bytes, signature: bytes) -> Iterator[bool]:
        """What each way of signing that this kind of key has makes of it, until one holds."""
        key, own = self._key, self.algorithm.hash
        if isinstance(key, ed25519.Ed25519PublicKey):
            yield _holds(lambda: key.verify(signature, message))
        elif isinstance(key, rsa.RSAPublicKey):
            pss = padding.PSS(padding.MGF1(own), padding.PSS.AUTO)
            yield _holds(lambda: key.verify(signature, message, padding.PKCS1v15(), own))
            yield _holds(lambda: key.verify(signature, message, pss, own))
        else:
            yield _holds(lambda: key.verify(signature, message, ec.ECDSA(own)))
            if own.name != "sha256":
                yield _holds(lambda: key.verify(signature, message, ec.ECDSA(hashes.SHA256())))

    def public_pem(self) -> str:
        """The key as PEM."""
        encoding, info = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        return self._key.public_bytes(encoding, info).decode()


def _holds(verify: Callable[[], None]) -> bool:
    try:
        verify()
    except (InvalidSignature, ValueError):
        return False
    return True


def _algorithm(key: AnyPublicKey) -> Algorithm:
    if isinstance(key, ed25519.Ed25519PublicKey):
        return Algorithm.ED25519
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size not in _RSA_BITS:
            raise KeyUnusable(f"The RSA key has {key.key_size} bits.", remedy=_REMEDY)
        return Algorithm.RSA
    for algorithm, curve in _CURVES.items():
        if key.curve.name == curve:
            return algorithm
    raise KeyUnusable(f"The key is on the curve {key.curve.name}.", remedy=_REMEDY)
