"""Files in which tools keep what they log in with: Docker, npm, pip, databases, kubectl; and password hashes."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from lading.kernel.severity import Severity
from lading.supply_chain.secrets.form import Candidate, Form
from lading.supply_chain.secrets.forms.writing import kind
from lading.supply_chain.secrets.plausibility import monotonous, placeholder, weak

_USE_MOUNT: Final = (
    "Change it, and use a secret mount of the build (`RUN --mount=type=secret`) in the place of a file in a layer."
)
_NEAR_AUTHS: Final = 2_048


def _real(candidate: Candidate) -> bool:
    return not placeholder(candidate.value) and not weak(candidate.value)


def _login(candidate: Candidate) -> bool:
    """A user and a password in base64, in a file of Docker's: `auths` stands before it."""
    before = candidate.near(_NEAR_AUTHS, 0)[: -len(candidate.match[0])]
    if b'"auths"' not in before and not _DOCKER.search(candidate.path):
        return False
    try:
        user, colon, password = base64.b64decode(candidate.value, validate=True).partition(b":")
    except binascii.Error:
        return False
    return bool(user and colon and password.isascii()) and not placeholder(password) and not weak(password)


def _pem_in_base64(candidate: Candidate) -> bool:
    try:
        return b"PRIVATE KEY-----" in base64.b64decode(candidate.value[: len(candidate.value) // 4 * 4])[:64]
    except binascii.Error:
        return False


def _named(*names: str) -> re.Pattern[str]:
    return re.compile("|".join(rf"(?:^|/){name}" for name in names))


_DOCKER: Final = _named(r"\.docker(?:cfg|configjson)$", r"\.docker/config\.json$")
_NPMRC: Final = _named(r"\.?npmrc$", r"\.yarnrc(?:\.yml)?$")
_KUBECONFIG: Final = _named(r"\.kube/[^/]+$", r"[^/]*kubeconfig[^/]*$", r"admin\.conf$", r"kubelet\.conf$")
_PASSWORDS: Final = _named(r"\.pypirc$", r"\.pgpass$", r"\.my\.cnf$", r"\.s3cfg$", r"\.boto$")
_SHADOW: Final = _named(r"etc/g?shadow-?$", r"\.htpasswd$")

_NPM: Final = rb"(?:_authToken|_auth|_password|npmAuthToken|npmAuthIdent)[ \t]{0,8}[=:]"
_ASSIGNED: Final = rb"(?:pass(?:word)?|(?:gs_)?secret(?:_access)?_key)[ \t]{0,8}[=:]"
_PGPASS: Final = rb":[0-9*]{1,5}:[^\s:]{1,80}:[^\s:]{1,80}:"

FORMS: Final = (
    Form(
        kind=kind("docker-login", "Login of a registry", Severity.HIGH, _USE_MOUNT),
        trigger=rb'"auth"\s{0,8}:\s{0,8}"[A-Za-z0-9+/=]{8}',
        pattern=re.compile(rb'"auth"\s{0,8}:\s{0,8}"(?P<value>[A-Za-z0-9+/]{8,1000}={0,2})"'),
        genuine=_login,
        reach=4_096,
    ),
    Form(
        kind=kind("docker-identity-token", "Identity token of a registry", Severity.HIGH, _USE_MOUNT),
        trigger=rb'"(?:identity|registry)token"\s{0,8}:\s{0,8}"[A-Za-z0-9+/=._-]{20}',
        pattern=re.compile(rb'"(?:identity|registry)token"\s{0,8}:\s{0,8}"(?P<value>[A-Za-z0-9+/=._-]{20,8000})"'),
        genuine=_real,
        reach=10_000,
    ),
    Form(
        kind=kind("npm-login", "Login of npm", Severity.HIGH, _USE_MOUNT),
        trigger=_NPM,
        pattern=re.compile(_NPM + rb"[ \t]{0,8}[\"']?(?P<value>[^\s\"']{6,2000})"),
        genuine=_real,
        reach=4_096,
        wants=lambda path: bool(_NPMRC.search(path)),
    ),
    Form(
        kind=kind(
            "kubernetes-key",
            "Client key of Kubernetes",
            Severity.CRITICAL,
            "Revoke the certificate or its rights, and hand a configuration over when the container starts.",
        ),
        trigger=rb"client-key-data:[ \t]{0,8}[\"']?[A-Za-z0-9+/]{40}",
        pattern=re.compile(rb"client-key-data:[ \t]{0,8}[\"']?(?P<value>[A-Za-z0-9+/]{40,12000}={0,2})"),
        genuine=_pem_in_base64,
        reach=16_384,
    ),
    Form(
        kind=kind(
            "kubernetes-token",
            "Token of Kubernetes",
            Severity.HIGH,
            "Revoke it, and hand a configuration over when the container starts.",
        ),
        trigger=rb"token:[ \t]{0,8}[\"']?[0-9A-Za-z._~+/=-]{16}",
        pattern=re.compile(
            rb"(?m)^[ \t]{0,16}(?:- {1,4})?token:[ \t]{0,8}[\"']?(?P<value>[0-9A-Za-z._~+/=-]{16,4000})"
            rb"[\"']?[ \t]{0,8}\r?$"
        ),
        genuine=_real,
        reach=8_192,
        wants=lambda path: bool(_KUBECONFIG.search(path)),
    ),
    Form(
        kind=kind("password-file", "Password in a file for logging in", Severity.HIGH, _USE_MOUNT),
        trigger=rb"(?i)" + _ASSIGNED + rb"|" + _PGPASS,
        pattern=re.compile(
            rb"(?im)^[ \t]{0,8}(?:" + _ASSIGNED + rb"[ \t]{0,8}|[^\s:#]{1,200}" + _PGPASS + rb")(?P<value>[^\s]{4,400})"
        ),
        genuine=_real,
        wants=lambda path: bool(_PASSWORDS.search(path)),
    ),
    Form(
        kind=kind(
            "password-hash",
            "Password hash of an account",
            Severity.MEDIUM,
            "Leave accounts of an image without a password, and change it where it is used elsewhere.",
        ),
        trigger=rb":\$(?:1|2[abxy]|5|6|7|y|gy|argon2id|apr1)\$",
        pattern=re.compile(
            rb"(?m)^[0-9A-Za-z_.@-]{1,80}:(?P<value>\$(?:1|2[abxy]|5|6|7|y|gy|argon2id|apr1)\$[^\s:]{16,300})"
        ),
        genuine=lambda candidate: not monotonous(candidate.value),
        wants=lambda path: bool(_SHADOW.search(path)),
    ),
)
