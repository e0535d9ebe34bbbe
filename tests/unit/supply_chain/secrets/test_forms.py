"""Every kind of secret: one that is real is found by its kind, one that stands for it is not."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import pytest

from lading.supply_chain.secrets.checksums import bech32, crc32_base62
from lading.supply_chain.secrets.form import Form
from lading.supply_chain.secrets.forms import FORMS, KINDS
from lading.supply_chain.secrets.forms.writing import ROTATE
from lading.supply_chain.secrets.plausibility import entropy, placeholder
from lading.supply_chain.secrets.searching import Search
from made_secrets import BASE62, age, chance, docker_login, fitting, github, jwt, pem

HEX = "0123456789abcdef"


def kinds(text: str | bytes, path: str = "app/settings.conf") -> set[str]:
    file = Search().file(path)
    file.feed(text.encode() if isinstance(text, str) else text)
    return {found.kind.removeprefix("secret-") for found in file.finish()}


SPECIAL = {
    "aws-secret-access-key": (f"aws_secret_access_key = {chance(40)}", ""),
    "github-token": (github("gho"), ""),
    "npm-token": (github("npm"), ""),
    "discord-bot-token": (
        base64.b64encode(b"813948592013949102").decode() + f".{chance(6)}.{chance(27)}", "",
    ),
    "grafana-key": (base64.b64encode(json.dumps({"k": chance(32), "n": "ci", "id": 1}, separators=(",", ":")).encode()).decode().rstrip("="), ""),
    "private-key": (pem(), "srv/tls.key"),
    "private-key-encrypted": (pem(b"words"), "srv/tls.key"),
    "gcp-service-account": (json.dumps({"type": "service_account", "private_key": pem()}), "app/key.json"),
    "pgp-private-key": (
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n" + "\n".join(chance(64, seed=n) for n in range(8)) + "\n", "",
    ),
    "putty-key": (
        "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: me\nPublic-Lines: 1\n" + chance(64) + "\n", "",
    ),
    "putty-key-encrypted": (
        "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: aes256-cbc\nComment: me\nPublic-Lines: 1\n" + chance(64) + "\n", "",
    ),
    "age-key": (age(), ""),
    "wireguard-key": (f"[Interface]\nPrivateKey = {chance(42)}E=\n", "etc/wireguard/wg0.conf"),
    "jwt": (jwt(sub="robot-7", iss="https://issuer.corp"), ""),
    "docker-login": (docker_login(), "root/.docker/config.json"),
    "docker-identity-token": (json.dumps({"identitytoken": chance(60)}), "root/.docker/config.json"),
    "npm-login": (f"//npm.corp/:_authToken={chance(40)}\n", "root/.npmrc"),
    "kubernetes-key": ("client-key-data: " + base64.b64encode(pem().encode()).decode(), "root/.kube/config"),
    "kubernetes-token": (f"users:\n- user:\n    token: {chance(40)}\n", "root/.kube/config"),
    "password-file": (f"[pypi]\nusername = me\npassword = {chance(14)}\n", "root/.pypirc"),
    "password-hash": (f"root:$6${chance(16)}${chance(86)}:19000:0:99999:7:::\n", "etc/shadow"),
    "database-url": (f"DATABASE=postgresql+asyncpg://app:{chance(14)}@db.corp:5432/app", ""),
    "url-password": (f"https://deploy:{chance(14)}@git.corp\n", "root/.git-credentials"),
    "netrc-login": (f"machine git.corp\n  login deploy\n  password {chance(14)}\n", "root/.netrc"),
    "assigned": (f'api_key = "{chance(32)}"', ""),
}  # fmt: skip


def of(form: Form) -> tuple[str, str]:
    name = form.kind.id.removeprefix("secret-")
    text, path = SPECIAL.get(name) or (fitting(form.pattern).decode(), "")
    return text, path or "app/settings.conf"


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.kind.id)
def test_a_secret_of_each_kind_is_found(form: Form) -> None:
    text, path = of(form)

    assert form.kind.id.removeprefix("secret-") in kinds(f"first\n{text}\nlast\n", path)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.kind.id)
def test_the_same_form_filled_with_one_letter_is_no_secret(form: Form) -> None:
    text, path = of(form)
    drawn = re.sub(r"[0-9A-Za-z_+/-]{14,}", lambda found: "x" * len(found[0]), text)
    if not found_prefix(form):
        assert form.kind.id.removeprefix("secret-") not in kinds(drawn, path)


def found_prefix(form: Form) -> bool:
    """Forms without a stretch of chance that could be drawn over."""
    return form.kind.id in (
        "secret-password-hash",
        "secret-pgp-private-key",
        "secret-putty-key",
        "secret-putty-key-encrypted",
    )


def test_ids_are_there_once() -> None:
    assert len({kind.id for kind in KINDS}) == len(KINDS)
    assert ROTATE.format(vendor="X").startswith("Revoke it at X")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("AKIA" + "IOSFODNN7EXAMPLE", ""),
        ("aws_secret_access_key = " + "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY", ""),
        ("ghp_" + chance(36), ""),
        ("npm_" + chance(36), ""),
        ("AGE-SECRET-KEY-1" + chance(58, "QPZRY9X8GF2TVDW0"), ""),
        (jwt(sub="1234567890", name="John Doe"), ""),
        ("-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----", ""),
        ("-----BEGIN RSA PRIVATE KEY-----\n" + "A" * 64 + "\n-----END RSA PRIVATE KEY-----", ""),
        ("password=changeme", ""),
        ("password: ${DB_PASSWORD}", "compose.yaml"),
        ("api_key: <your-api-key-goes-here>", ""),
        ("token = get_token_from_somewhere(1)", "app/x.py"),
        ("token_type = " + chance(24), ""),
        ("password_file: /run/secrets/db_password_1", ""),
        ("postgres://user:password@localhost/app", ""),
        ("https://user:Zx81kkQw@example.com/", ""),
        ("//registry.npmjs.org/:_authToken=${NPM_TOKEN}", "root/.npmrc"),
        (f"secret = '{chance(32)}'", "usr/share/doc/x/README"),
        (pem(), "usr/lib/python3/dist-packages/x/tests/key.pem"),
        (pem(), "etc/ssl/private/ssl-cert-snakeoil.key"),
        ("root:!:19000:0:99999:7:::\nmail:*:19000::::::", "etc/shadow"),
    ],
)
def test_what_stands_for_a_secret_is_none(text: str, path: str) -> None:
    assert kinds(text, path or "app/settings.conf") == set()


@pytest.mark.parametrize("form", ["PKCS8", "OpenSSH", "TraditionalOpenSSL"])
def test_keys_are_told_by_whether_a_passphrase_is_asked_for(form: str) -> None:
    # OpenSSH's own encryption needs bcrypt, which is not installed everywhere.
    assert kinds(pem(form=form)) == {"private-key"}
    if form != "OpenSSH":
        assert kinds(pem(b"words", form)) == {"private-key-encrypted"}


def test_of_forms_on_one_line_the_most_telling_is_told() -> None:
    assert kinds(f"GITHUB_TOKEN={github()}") == {"github-token"}


def test_checksums_are_those_of_their_publishers() -> None:
    # The example of the publisher's article about the format, in two parts.
    assert crc32_base62(b"zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ" + b"0mLq17")
    assert not crc32_base62(b"zQWBuTSOoRi4A9spHcVY5ncnsDkxkK" + b"0mLq17")
    # From BIP 173's list of valid and invalid strings.
    assert bech32(b"A12UEL5L")
    assert bech32(b"abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw")
    assert not bech32(b"A1G7SGD8")


def test_placeholders_and_chance() -> None:
    assert placeholder(b"my-secret-pw")
    assert placeholder(b"{{ vault.token }}")
    assert not placeholder(chance(24).encode())
    assert entropy(b"") == 0.0
    assert entropy(b"ab" * 8) == 1.0


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.kind.id)
def test_no_pattern_can_be_made_slow(form: Form) -> None:
    """Bounded repetitions only, and none of what already repeats without an end in sight."""
    for low, high, nested in repetitions(
        parser.parse(form.pattern.pattern.decode("latin-1"), form.pattern.flags & ~re.UNICODE)
    ):
        assert high is not op.MAXREPEAT
        assert low <= high <= 20_000
        assert not nested or high <= 1_000


def repetitions(tree: Any, inside: bool = False) -> Iterator[tuple[int, int, bool]]:
    for kind, value in tree:
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT):
            yield value[0], value[1], inside
            yield from repetitions(value[2], inside=True)
        elif kind is op.SUBPATTERN:
            yield from repetitions(value[3], inside)
        elif kind is op.BRANCH:
            for branch in value[1]:
                yield from repetitions(branch, inside)
        elif kind in (op.ASSERT, op.ASSERT_NOT):
            yield from repetitions(value[1], inside)


def test_the_alphabet_of_tests_is_whole() -> None:
    assert len(set(BASE62)) == 62
