"""Key pairs with the cryptography library: from a file in the data directory, or in memory.

What is made here is ECDSA P-256, because cosign, openssl and every verifier in use read it. The private key file is
made once, readable by its owner alone, and never overwritten.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from lading.state.secret_files import create_once
from lading.supply_chain.attest.errors import KeyUnusable
from lading.supply_chain.attest.keys_public import MOST_PEM, PublicKey

PRIVATE_NAME: Final = "signing-key.pem"
PUBLIC_NAME: Final = "signing-key.pub"


AnyPrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


class PrivateKey(PublicKey):
    """A key pair in memory."""

    def __init__(self, key: AnyPrivateKey) -> None:
        """Raises KeyUnusable for a curve or a size that nobody should sign with."""
        super().__init__(key.public_key())
        self._private = key

    @classmethod
    def generate(cls) -> PrivateKey:
        """A fresh key pair, ECDSA P-256."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def of(cls, key: object) -> PrivateKey:
        """The key pair that the cryptography library read; raises KeyUnusable."""
        if not isinstance(key, AnyPrivateKey):
            raise KeyUnusable(f"The key is a {type(key).__name__.strip('_')}.", remedy="Use an ECDSA P-256 key.")
        return cls(key)

    def sign(self, message: bytes) -> bytes:
        key, hashed = self._private, self.algorithm.hash
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return key.sign(message)
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(message, padding.PKCS1v15(), hashed)
        return key.sign(message, ec.ECDSA(hashed))

    def private_pem(self, password: str = "") -> bytes:
        """The private key as PEM (PKCS #8), encrypted by a password if there is one."""
        hidden = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
        return self._private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden)


def open_local_key(directory: Path) -> PrivateKey:
    """The key pair of this installation in `directory`, made at the first call; two processes get the same one.

    Raises:
        KeyUnusable: the file cannot be read, is readable by others, or holds no key that is used here.
    """
    path = directory / PRIVATE_NAME
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            create_once(path, PrivateKey.generate().private_pem())
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


def generate_key(path: Path, password: str = "") -> PrivateKey:
    """Make a key pair at `path`, encrypted by a password if there is one; the public key beside it, as .pub.

    Raises:
        KeyUnusable: there is a file already, or a file cannot be written.
    """
    key = PrivateKey.generate()
    made = key.private_pem(password)
    try:
        create_once(path, made)
        if path.read_bytes() != made:
            raise KeyUnusable(f"{path} is there already.", remedy="Choose another name; no key is ever overwritten.")
        path.with_name(f"{path.name}.pub").write_text(key.public_pem(), encoding="ascii")
    except OSError as error:
        raise KeyUnusable(f"{error.filename or path} cannot be used: {error.strerror}.") from error
    return key


def _read(path: Path) -> PrivateKey:
    with path.open("rb") as file:
        pem = file.read(MOST_PEM)
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyUnusable(
            f"The signing key {path} is damaged.", remedy="Restore it from a backup; a new one would not be trusted."
        ) from error
    return PrivateKey.of(key)
