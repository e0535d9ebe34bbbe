"""ECDSA P-256 keys with the cryptography library: from a file in the data directory, or in memory.

P-256 because cosign, openssl and every verifier in use read it. The private key file is made once, readable by its
owner alone, and never overwritten.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lading.kernel.digest import Digest
from lading.state.secret_files import create_once
from lading.supply_chain.attest.errors import KeyUnusable

PRIVATE_NAME: Final = "signing-key.pem"
PUBLIC_NAME: Final = "signing-key.pub"
_MOST_PEM: Final = 16_384
_ALGORITHM: Final = ec.ECDSA(hashes.SHA256())


class PublicKey:
    """A public key that verifies."""

    def __init__(self, key: ec.EllipticCurvePublicKey) -> None:
        if not isinstance(key.curve, ec.SECP256R1):
            raise KeyUnusable(f"The key is on the curve {key.curve.name}.", remedy="Use an ECDSA P-256 key.")
        self._key = key
        self.key_id = str(Digest.of(_spki(key)))

    @classmethod
    def from_pem(cls, pem: str | bytes) -> PublicKey:
        """Read a public key; raises KeyUnusable."""
        content = pem.encode() if isinstance(pem, str) else pem
        try:
            key = serialization.load_pem_public_key(content[:_MOST_PEM])
        except (ValueError, UnsupportedAlgorithm) as error:
            raise KeyUnusable("The public key cannot be read.", remedy="Give it as PEM, ECDSA P-256.") from error
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise KeyUnusable("The public key is not an ECDSA key.", remedy="Use an ECDSA P-256 key.")
        return cls(key)

    def verify(self, message: bytes, signature: bytes) -> bool:
        try:
            self._key.verify(signature, message, _ALGORITHM)
        except (InvalidSignature, ValueError):
            return False
        return True

    def public_pem(self) -> str:
        """The key as PEM."""
        encoding, kind = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        return self._key.public_bytes(encoding, kind).decode()


class PrivateKey(PublicKey):
    """A key pair in memory."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        super().__init__(key.public_key())
        self._private = key

    @classmethod
    def generate(cls) -> PrivateKey:
        """A fresh key pair."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message, _ALGORITHM)


def open_local_key(directory: Path) -> PrivateKey:
    """The key pair of this installation in `directory`, made at the first call; two processes get the same one.

    Raises:
        KeyUnusable: the file cannot be read, is readable by others, or holds no P-256 key.
    """
    path = directory / PRIVATE_NAME
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            create_once(path, _generated())
        mode = path.stat().st_mode & 0o077
        if mode:
            raise KeyUnusable(f"The signing key {path} can be read by others.", remedy=f"Run: chmod 600 {path}")
        key = _read(path)
        public = directory / PUBLIC_NAME
        if not public.exists() or public.read_text(encoding="ascii", errors="replace") != key.public_pem():
            public.write_text(key.public_pem(), encoding="ascii")
    except OSError as error:
        raise KeyUnusable(
            f"The signing key {path} cannot be read or made: {error.strerror}.", remedy="Check the data directory."
        ) from error
    return key


def _generated() -> bytes:
    private = ec.generate_private_key(ec.SECP256R1())
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _read(path: Path) -> PrivateKey:
    with path.open("rb") as file:
        pem = file.read(_MOST_PEM)
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyUnusable(
            f"The signing key {path} is damaged.", remedy="Restore it from a backup; a new one would not be trusted."
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise KeyUnusable(f"The signing key {path} is not an ECDSA key.", remedy="Use an ECDSA P-256 key.")
    return PrivateKey(key)


def _spki(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
