"""Private keys in files: PEM as openssl and cosign write it.

cosign encrypts with scrypt and XSalsa20-Poly1305 (sigstore's `encrypted` package): a PEM block with a JSON document,
whose parameters are the file's to choose and bounded here, because scrypt takes as much memory as it is told to.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from lading.supply_chain.attest.errors import KeyUnusable
from lading.supply_chain.attest.keys_local import PrivateKey
from lading.supply_chain.attest.keys_public import MOST_PEM

_COSIGN: Final = (b"ENCRYPTED SIGSTORE PRIVATE KEY", b"ENCRYPTED COSIGN PRIVATE KEY")
_MOST_MEMORY: Final = 256 << 20
_MOST_P: Final = 16


class _Parameters(msgspec.Struct):
    N: int
    r: int
    p: int


class _Kdf(msgspec.Struct):
    name: str
    params: _Parameters
    salt: bytes


class _Cipher(msgspec.Struct):
    name: str
    nonce: bytes


class _Encrypted(msgspec.Struct):
    kdf: _Kdf
    cipher: _Cipher
    ciphertext: bytes


def open_file(path: Path, password: str = "") -> PrivateKey:
    """The key pair in a file.

    Raises:
        KeyUnusable: it cannot be read, others can read it, the password is wrong or missing, or it is no key we use.
    """
    try:
        with path.open("rb") as file:
            pem = file.read(MOST_PEM + 1)
        readable = path.stat().st_mode & 0o077
    except OSError as error:
        raise KeyUnusable(
            f"The signing key {path} cannot be read: {error.strerror}.",
            remedy="Correct LADING_SIGNING_KEY; `lading key generate FILE` makes a key.",
        ) from error
    encrypted = b"ENCRYPTED" in pem
    if readable and not encrypted:
        raise KeyUnusable(f"The signing key {path} can be read by others.", remedy=f"Run: chmod 600 {path}")
    if encrypted and not password:
        raise KeyUnusable(
            f"The signing key {path} is encrypted.",
            remedy="Name a file with its password in LADING_SIGNING_PASSWORD_FILE.",
        )
    try:
        if any(kind in pem for kind in _COSIGN):
            return PrivateKey.of(serialization.load_der_private_key(_opened(pem, password), password=None))
        return PrivateKey.of(serialization.load_pem_private_key(pem, password=password.encode() if encrypted else None))
    except (ValueError, TypeError, UnsupportedAlgorithm, CryptoError, msgspec.MsgspecError) as error:
        wrong = "Is the password right?" if encrypted else "Is it a private key as PEM?"
        raise KeyUnusable(f"The signing key {path} cannot be opened.", remedy=wrong) from error


def _opened(pem: bytes, password: str) -> bytes:
    """The PKCS #8 document in a key file of cosign; raises ValueError and its like."""
    body = pem.partition(b"-----\n")[2].partition(b"-----END")[0]
    try:
        found = msgspec.json.decode(base64.b64decode(body), type=_Encrypted)
    except binascii.Error as error:
        raise ValueError("not base 64") from error
    cost = found.kdf.params
    memory = 128 * cost.N * cost.r
    fits = 0 < memory <= _MOST_MEMORY and 0 < cost.p <= _MOST_P
    if not fits or (found.kdf.name, found.cipher.name) != ("scrypt", "nacl/secretbox"):
        raise ValueError("encrypted in a way that is not used here")
    key = Scrypt(salt=found.kdf.salt, length=SecretBox.KEY_SIZE, n=cost.N, r=cost.r, p=cost.p).derive(password.encode())
    return bytes(SecretBox(key).decrypt(found.ciphertext, found.cipher.nonce))
