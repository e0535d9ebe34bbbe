"""Secrets for tests, put together when they are needed: no file of this repository holds what looks like a live one."""

from __future__ import annotations

import base64
import json
import random
import re
import string
import zlib
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
PEM = serialization.Encoding.PEM


def chance(size: int, letters: str = BASE62, seed: int = 1) -> str:
    return "".join(random.Random(f"{seed}{size}{letters}").choices(letters, k=size))


def fitting(pattern: re.Pattern[bytes], seed: int = 1) -> bytes:
    """A text of chance that a pattern matches; what it looks for around itself is left out."""
    return _fitting(parser.parse(pattern.pattern.decode("latin-1"), pattern.flags & ~re.UNICODE), random.Random(seed))


def _fitting(tree: Any, dice: random.Random) -> bytes:
    out = b""
    for kind, value in tree:
        if kind is op.LITERAL:
            out += bytes([value])
        elif kind is op.NOT_LITERAL:
            out += dice.choice("abcdef").encode()
        elif kind is op.IN:
            out += _member(value, dice)
        elif kind is op.BRANCH:
            out += _fitting(dice.choice(value[1]), dice)
        elif kind is op.SUBPATTERN:
            out += _fitting(value[3], dice)
        elif kind in (op.MAX_REPEAT, op.MIN_REPEAT):
            low, high, inner = value
            times = low if low > 0 or high == 0 else 0
            out += b"".join(_fitting(inner, dice) for _ in range(times))
    return out


def _member(ranges: Any, dice: random.Random) -> bytes:
    if ranges[0][0] is op.NEGATE:
        return dice.choice(BASE62).encode()
    letters: list[int] = []
    for kind, value in ranges:
        if kind is op.LITERAL:
            letters.append(value)
        elif kind is op.RANGE:
            letters += range(value[0], value[1] + 1)
        elif kind is op.CATEGORY:
            letters.append(ord(" "))
    return bytes([dice.choice(letters)])


def github(prefix: str = "ghp", seed: int = 1) -> str:
    """With its checksum: tokens of GitHub and, behind `npm`, of npm."""
    body = chance(30, seed=seed)
    number, check = zlib.crc32(body.encode()), ""
    while number:
        number, rest = divmod(number, 62)
        check = BASE62[rest] + check
    return f"{prefix}_{body}{check.rjust(6, '0')}"


def jwt(**claims: Any) -> str:
    parts = [{"alg": "HS256", "typ": "JWT"}, claims]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join((*encoded, chance(43)))


def pem(passphrase: bytes = b"", form: str = "PKCS8") -> str:
    """A private key that was made just now; `form` is one of cryptography's."""
    key = ed25519.Ed25519PrivateKey.generate() if form == "OpenSSH" else ec.generate_private_key(ec.SECP384R1())
    locked: Any = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(PEM, getattr(serialization.PrivateFormat, form), locked).decode()


def age() -> str:
    """A key of age, with the checksum of Bech32."""
    letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    human = "age-secret-key-"
    data = [letters.index(one) for one in chance(52, letters)]
    values = [ord(one) >> 5 for one in human] + [0] + [ord(one) & 31 for one in human] + data
    check = 1
    for value in [*values, 0, 0, 0, 0, 0, 0]:
        top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
        for bit, one in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= one if top >> bit & 1 else 0
    check ^= 1
    tail = [check >> 5 * (5 - place) & 31 for place in range(6)]
    return (human + "1" + "".join(letters[one] for one in [*data, *tail])).upper()


def docker_login() -> str:
    login = base64.b64encode(f"robot:{chance(20)}".encode()).decode()
    return json.dumps({"auths": {"registry.corp": {"auth": login}}})
