"""Tokens: `lad_` + 43 characters for 256 random bits + 6 characters of checksum, all in base 62.

The prefix lets secret scanners know them, the checksum lets them (and us) tell a token from a mistake without asking a
server. What is stored is the SHA-256 of the token: a slow hash protects what can be guessed, and 256 random bits
cannot be, so a fast one is right and keeps the verification of each request cheap.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from typing import Final

PREFIX: Final = "lad_"
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BODY: Final = 43
_CHECKSUM: Final = 6
_GRAMMAR: Final = re.compile(rf"lad_[0-9A-Za-z]{{{_BODY + _CHECKSUM}}}")


def new_token() -> str:
    """A fresh token."""
    body = _base62(secrets.randbits(256), _BODY)
    return f"{PREFIX}{body}{_checksum(body)}"


def is_token(text: str) -> bool:
    """Whether `text` has the form of a token and its checksum is right; says nothing about whether it was issued."""
    if _GRAMMAR.fullmatch(text) is None:
        return False
    body = text[len(PREFIX) : -_CHECKSUM]
    return secrets.compare_digest(text[-_CHECKSUM:], _checksum(body))


def token_hash(text: str) -> bytes:
    """What is stored of a token."""
    return hashlib.sha256(text.encode()).digest()


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(f"{PREFIX}{body}".encode()), _CHECKSUM)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
