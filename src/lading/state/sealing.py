"""Secrets of others (passwords and tokens for upstreams and other regions) as they may stand in the database: sealed.

AES-256-GCM (NIST SP 800-38D) under a key in a file of the data directory, which the database and its dumps do not hold.
What a secret is for is authenticated with it: a sealed text that is copied to another row does not open there. Several
hosts on one database share the key file.

A sealed text is `v1.KEY.CONTENT`: KEY are the first 8 hexadecimal digits of the SHA-256 of the key, so that a text that
another key sealed is told from one that was changed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lading.kernel.errors import IntegrityFailure, InvalidInput, LadingError, Unavailable
from lading.state.secret_files import create_once

KEY_NAME: Final = "sealing-key"
MOST_SECRET: Final = 16 << 10
_VERSION: Final = "v1"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class SealingError(LadingError):
    """A secret cannot be sealed or opened."""

    code = "sealing"


class SealingKeyUnusable(SealingError, Unavailable):
    """The key file cannot be read or made, is readable by others, or holds no key."""


class SealBroken(SealingError, IntegrityFailure):
    """A sealed text was changed, belongs to something else, or was sealed with another key."""


class SecretTooLong(SealingError, InvalidInput):
    """A secret is longer than any credential is."""


class Sealer:
    """Seals and opens with one key. May be used from several threads."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)
        self.key_id = hashlib.sha256(key).hexdigest()[:8]

    @classmethod
    def generate(cls) -> Sealer:
        """A sealer with a fresh key that is kept nowhere."""
        return cls(AESGCM.generate_key(bit_length=8 * _KEY_BYTES))

    def seal(self, secret: str, purpose: str) -> str:
        """The secret as it may be kept; `purpose` names what it is for, such as `replication-target:east`.

        Raises:
            SecretTooLong: it has more than 16 KiB.
        """
        content = secret.encode()
        if len(content) > MOST_SECRET:
            raise SecretTooLong(f"A secret of {len(content)} bytes is too long.", remedy="Give the token alone.")
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, content, _bound(purpose))
        return f"{_VERSION}.{self.key_id}.{base64.urlsafe_b64encode(sealed).decode()}"

    def unseal(self, sealed: str, purpose: str) -> str:
        """What was sealed for `purpose`; raises SealBroken."""
        version, _, rest = sealed.partition(".")
        key_id, _, content = rest.partition(".")
        if version != _VERSION:
            raise SealBroken(f"The sealed secret of {purpose} has an unknown form.", remedy="Give the secret again.")
        if key_id != self.key_id:
            raise SealBroken(
                f"The secret of {purpose} was sealed with key {key_id[:8]}, and ours is {self.key_id}.",
                remedy="Restore keys/sealing-key of the data directory from a backup, or give the secret again.",
            )
        try:
            raw = base64.urlsafe_b64decode(content)
            return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _bound(purpose)).decode()
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise SealBroken(
                f"The sealed secret of {purpose} was changed, or belongs to something else.",
                remedy="Give the secret again, and find out who changed the database.",
            ) from error


def open_sealer(directory: Path) -> Sealer:
    """The sealer of this installation, with its key in `directory`; made at the first call, one for all processes.

    Raises:
        SealingKeyUnusable: the file cannot be read or made, can be read by others, or holds no key.
    """
    path = directory / KEY_NAME
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            create_once(path, base64.b64encode(os.urandom(_KEY_BYTES)) + b"\n")
        if path.stat().st_mode & 0o077:
            raise SealingKeyUnusable(f"The sealing key {path} can be read by others.", remedy=f"Run: chmod 600 {path}")
        with path.open("rb") as file:
            text = file.read(1_024)
    except OSError as error:
        raise SealingKeyUnusable(
            f"The sealing key {path} cannot be read or made: {error.strerror}.", remedy="Check the data directory."
        ) from error
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise SealingKeyUnusable(
            f"The sealing key {path} is damaged.", remedy="Restore it from a backup; a new one opens no kept secret."
        )
    return Sealer(key)


def _bound(purpose: str) -> bytes:
    return f"lading:{purpose}".encode()
