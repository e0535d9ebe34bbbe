"""The checksums that some tokens carry, so that who searches for them need not guess."""

from __future__ import annotations

import string
import zlib
from typing import Final

_BASE62: Final = (
    string.digits + string.ascii_uppercase + string.ascii_lowercase,
    string.digits + string.ascii_lowercase + string.ascii_uppercase,
)
_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATORS: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECK: Final = 6


def crc32_base62(body: bytes) -> bool:
    """Whether the last six characters are the CRC-32 of those before, in base 62: tokens of GitHub and npm.

    Both orders of the alphabet are taken: one publisher has said which is his.
    """
    sum32 = zlib.crc32(body[:-_CHECK])
    return body[-_CHECK:].decode("ascii", "replace") in {_base62(sum32, alphabet) for alphabet in _BASE62}


def bech32(text: bytes) -> bool:
    """Whether a Bech32 string (BIP 173), all upper or all lower case, has its checksum: keys of age."""
    human, _, data = text.decode("ascii", "replace").lower().rpartition("1")
    if not human or len(data) < _CHECK or any(one not in _BECH32 for one in data):
        return False
    expanded = [ord(one) >> 5 for one in human] + [0] + [ord(one) & 31 for one in human]
    return _polymod(expanded + [_BECH32.index(one) for one in data]) == 1


def _polymod(values: list[int]) -> int:
    found = 1
    for value in values:
        top = found >> 25
        found = (found & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATORS):
            found ^= generator if top >> bit & 1 else 0
    return found


def _base62(number: int, alphabet: str) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = alphabet[rest] + digits
    return digits.rjust(_CHECK, alphabet[0])
