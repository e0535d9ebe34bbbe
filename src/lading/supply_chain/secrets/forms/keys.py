"""Private keys: PEM (RFC 7468 and the older form of OpenSSL), OpenSSH, PuTTY, OpenPGP, age, WireGuard; signed JWTs.

A key behind a passphrase is told apart from one that whoever has the image can use.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any, Final

from lading.kernel.severity import Severity
from lading.supply_chain.secrets.checksums import bech32
from lading.supply_chain.secrets.form import MOST_REACH, Candidate, Form
from lading.supply_chain.secrets.forms.writing import kind, token
from lading.supply_chain.secrets.plausibility import entropy, monotonous

_RENEW: Final = "Make a new key pair, stop trusting the old one, and hand the key over when the container starts."
_NEWLINE: Final = rb"(?:\\[nr]|\s|\\\n)"
# The body may be quoted, with `\n` in the place of new lines, as in JSON and in code.
_PEM: Final = re.compile(
    rb"(?P<value>-----BEGIN (?P<kind>(?:(?:RSA|DSA|EC|OPENSSH|ENCRYPTED|ANY) )?PRIVATE KEY)-----)"
    + _NEWLINE
    + rb"{1,16}(?P<headers>(?:[A-Za-z-]{2,30}: ?[^\r\n\\]{1,200}"
    + _NEWLINE
    + rb"{1,16}){0,8})(?P<body>[A-Za-z0-9+/=\s\\\"',+]{60,16384})-----END"
)
_PGP: Final = re.compile(
    rb"(?P<value>-----BEGIN PGP PRIVATE KEY BLOCK-----)[^\0]{0,1000}?\r?\n\r?\n(?P<body>[A-Za-z0-9+/=\r\n]{200,16384})"
)
_PUTTY: Final = re.compile(
    rb"(?P<value>PuTTY-User-Key-File-[23]): ?[a-z0-9-]{3,40}\r?\nEncryption: (?P<cipher>[a-z0-9-]{3,40})\r?\n"
    rb"(?:[A-Za-z-]{2,30}: ?[^\r\n]{0,200}\r?\n){0,3}(?:[A-Za-z0-9+/=]{1,100}\r?\n){1,200}"
)
_WIREGUARD: Final = re.compile(
    rb"(?m)^[ \t]{0,8}PrivateKey[ \t]{0,8}=[ \t]{0,8}(?P<value>[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)"
)
_JWT: Final = rb"eyJ[0-9A-Za-z_-]{10,2000}\.eyJ[0-9A-Za-z_-]{8,4000}\.[0-9A-Za-z_-]{20,1400}"
_NO_CIPHER: Final = b"none"
_OPENSSH: Final = b"openssh-key-v1\0"
_SEQUENCE: Final = 0x30


def _body(candidate: Candidate) -> bytes:
    """The decoded body; nothing when it is no base64."""
    text = re.sub(rb"\\[nrt]|[^A-Za-z0-9+/=]", b"", candidate.match["body"]).partition(b"=")[0]
    try:
        return base64.b64decode(text[: len(text) // 4 * 4])
    except binascii.Error:
        return b""


def _locked(candidate: Candidate) -> bool:
    """Whether a key of PEM is behind a passphrase."""
    body = _body(candidate)
    if body.startswith(_OPENSSH):
        size = int.from_bytes(body[15:19])
        return body[19 : 19 + size] != _NO_CIPHER
    return candidate.match["kind"].startswith(b"ENCRYPTED") or b"ENCRYPTED" in candidate.match["headers"]


def _is_key(candidate: Candidate) -> bool:
    """Whether the body is what the header says: DER or OpenSSH's form, and not a drawing of it."""
    body = _body(candidate)
    if len(body) < 40 or monotonous(candidate.match["body"][:60].replace(b"A", b"")):
        return False
    if b"OPENSSH" in candidate.match["kind"]:
        return body.startswith(_OPENSSH)
    locked = b"ENCRYPTED" in candidate.match["headers"]
    return (locked or body[0] == _SEQUENCE) and entropy(body) > 4.0


def _of_service_account(candidate: Candidate) -> bool:
    return b"service_account" in candidate.near() and b"private_key" in candidate.near(200, 0)


def _open(candidate: Candidate) -> bool:
    return _is_key(candidate) and not _locked(candidate) and not _of_service_account(candidate)


def _closed(candidate: Candidate) -> bool:
    return _is_key(candidate) and _locked(candidate)


def _account(candidate: Candidate) -> bool:
    return _is_key(candidate) and _of_service_account(candidate)


def _part(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _signed(candidate: Candidate) -> bool:
    """Whether it is a signed token about somebody, and not the one that every introduction shows."""
    head, payload, signature = candidate.value.split(b".")
    algorithm, claims = _part(head).get("alg"), _part(payload)
    if not isinstance(algorithm, str) or algorithm.lower() in ("", "none") or not claims:
        return False
    shown = str(claims.get("sub")) in ("1234567890", "1234", "1") or claims.get("name") in ("John Doe", "Jane Doe")
    hosts = str(claims.get("iss", "")) + str(claims.get("aud", ""))
    return not shown and "example." not in hosts and not monotonous(signature) and entropy(signature) > 3.5


def _pem(identity: str, title: str, severity: Severity, remedy: str, genuine: Any) -> Form:
    return Form(
        kind=kind(identity, title, severity, remedy),
        trigger=rb"-----BEGIN [A-Z ]{0,12}PRIVATE KEY-----",
        pattern=_PEM,
        genuine=genuine,
        reach=MOST_REACH,
    )


FORMS: Final = (
    _pem("private-key", "Private key without a passphrase", Severity.HIGH, _RENEW, _open),
    _pem("private-key-encrypted", "Private key behind a passphrase", Severity.LOW, _RENEW, _closed),
    _pem(
        "gcp-service-account",
        "Key of a service account of Google Cloud",
        Severity.CRITICAL,
        "Delete the key in Google Cloud, and use workload identity or hand a new one over when the container starts.",
        _account,
    ),
    Form(
        kind=kind("pgp-private-key", "Private key of OpenPGP", Severity.HIGH, _RENEW),
        trigger=rb"-----BEGIN PGP PRIVATE KEY BLOCK-----",
        pattern=_PGP,
        reach=MOST_REACH,
    ),
    Form(
        kind=kind("putty-key", "Private key of PuTTY without a passphrase", Severity.HIGH, _RENEW),
        trigger=rb"PuTTY-User-Key-File-[23]:",
        pattern=_PUTTY,
        reach=MOST_REACH,
        genuine=lambda candidate: candidate.match["cipher"] == _NO_CIPHER,
    ),
    Form(
        kind=kind("putty-key-encrypted", "Private key of PuTTY behind a passphrase", Severity.LOW, _RENEW),
        trigger=rb"PuTTY-User-Key-File-[23]:",
        pattern=_PUTTY,
        reach=MOST_REACH,
        genuine=lambda candidate: candidate.match["cipher"] != _NO_CIPHER,
    ),
    token(
        "age-key",
        "Private key of age",
        "whoever encrypts to it",
        rb"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}",
        genuine=lambda candidate: bech32(candidate.value),
    ),
    Form(
        kind=kind("wireguard-key", "Private key of WireGuard", Severity.HIGH, _RENEW),
        trigger=rb"PrivateKey[ \t]{0,8}=[ \t]{0,8}[A-Za-z0-9+/]{43}=",
        pattern=_WIREGUARD,
        genuine=lambda candidate: not monotonous(candidate.value),
    ),
    Form(
        kind=kind(
            "jwt",
            "Signed JSON Web Token",
            Severity.MEDIUM,
            "Let it run out or revoke it, and hand tokens over when the container starts.",
        ),
        trigger=rb"\.eyJ[0-9A-Za-z_-]{8}",
        back=2_100,
        general=1,
        reach=8_192,
        pattern=re.compile(rb"(?<![0-9A-Za-z_.-])(?P<value>" + _JWT + rb")(?![0-9A-Za-z_-])"),
        genuine=_signed,
    ),
)
