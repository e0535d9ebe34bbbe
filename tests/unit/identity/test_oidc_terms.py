"""What is believed of an identity provider: its ID tokens within narrow bounds, its groups by written rules."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, KeySet, RSAKey

from lading.identity.errors import LoginRefused
from lading.identity.oidc.id_token import SKEW_SECONDS, Unknown, verified
from lading.identity.oidc.terms import Rule, Terms, is_safe, read_rules
from lading.identity.principal import Grant
from lading.identity.roles import Role
from lading.kernel.errors import InvalidInput

ISSUER, CLIENT, NOW = "https://id.example.org", "lading", 1_800_000_000
KEY = RSAKey.generate_key(2048, {"kid": "one"})
KEYS = KeySet([RSAKey.import_key(KEY.as_dict(private=False))])
CLAIMS: dict[str, Any] = {"iss": ISSUER, "aud": CLIENT, "sub": "1", "iat": NOW, "exp": NOW + 300, "nonce": "n"}


def token(claims: dict[str, Any], header: dict[str, Any] | None = None, key: Any = KEY) -> str:
    return jws.serialize_compact(header or {"alg": "RS256", "kid": "one"}, json.dumps(claims), key)


def read(text: str, nonce: str | None = "n") -> dict[str, Any]:
    return verified(text, KEYS, ISSUER, CLIENT, nonce, NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {}, {"aud": [CLIENT]}, {"aud": [CLIENT, "other"], "azp": CLIENT}, {"exp": NOW - SKEW_SECONDS + 1},
        {"iat": NOW + SKEW_SECONDS}, {"iat": NOW + 0.5}, {"nbf": NOW},
    ],
)  # fmt: skip
def test_a_token_within_the_bounds_is_believed(changes: dict[str, Any]) -> None:
    assert read(token(CLAIMS | changes))["sub"] == "1"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://id.example.org/"}, {"iss": None}, {"aud": "other"}, {"aud": []}, {"aud": None}, {"aud": {CLIENT: 1}},
        {"aud": [CLIENT, "other"]}, {"aud": [CLIENT, "other"], "azp": "other"}, {"azp": "other"},
        {"exp": NOW - SKEW_SECONDS}, {"exp": None}, {"exp": "9999999999"}, {"exp": True}, {"exp": 10**400},
        {"iat": NOW + SKEW_SECONDS + 1}, {"iat": None}, {"nbf": NOW + SKEW_SECONDS + 1}, {"nbf": "x"},
        {"nonce": "m"}, {"nonce": None}, {"nonce": ["n"]}, {"sub": ""}, {"sub": None}, {"sub": 1}, {"sub": "x" * 256},
    ],
)  # fmt: skip
def test_anything_else_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(LoginRefused):
        read(token(CLAIMS | changes))


def test_other_algorithms_and_other_keys_are_refused() -> None:
    def encoded(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    payload = encoded(json.dumps(CLAIMS).encode())
    plain = encoded(json.dumps({"alg": "none", "kid": "one"}).encode())
    head = encoded(json.dumps({"alg": "HS256", "kid": "one"}).encode())
    confused = encoded(hmac.digest(KEY.as_pem(private=False), f"{head}.{payload}".encode(), "sha256"))
    foreign = RSAKey.generate_key(2048, {"kid": "one"})
    curve = ECKey.generate_key("P-256", {"kid": "one"})
    for text in (
        f"{plain}.{payload}.",
        f"{head}.{payload}.{confused}",
        token(CLAIMS, key=foreign),
        token(CLAIMS, {"alg": "ES256", "kid": "one"}, curve),
        token(CLAIMS)[:-8] + "AAAAAAAA",
        "a.b.c",
        "x" * 100_000,
    ):
        with pytest.raises(LoginRefused):
            read(text)
    with pytest.raises(Unknown):
        read(token(CLAIMS, {"alg": "RS256", "kid": "two"}))


def test_a_token_that_names_no_key_is_believed_of_a_single_one_only() -> None:
    text = token(CLAIMS, {"alg": "RS256"})
    assert read(text)["sub"] == "1"
    both = KeySet([*KEYS.keys, ECKey.generate_key("P-256", {"kid": "two"})])
    with pytest.raises(LoginRefused, match="which key"):
        verified(text, both, ISSUER, CLIENT, "n", NOW)


def test_groups_give_roles_by_the_rules() -> None:
    rules = read_rules("cn=devs,dc=x=shop:developer; admins=*:admin;ci=shop:developer:shop/ci-*; *=shop:viewer;")
    assert rules[0] == Rule("cn=devs,dc=x", Grant("shop", Role.DEVELOPER))
    terms = Terms(ISSUER, CLIENT, rules=rules)
    assert terms.grants(["cn=devs,dc=x"]) == {Grant("shop", Role.DEVELOPER), Grant("shop", Role.VIEWER)}
    assert terms.grants(["ci", "unknown"]) == {Grant("shop", Role.DEVELOPER, "shop/ci-*"), Grant("shop", Role.VIEWER)}
    assert Grant("*", Role.ADMIN) in terms.grants(["admins"])
    assert read_rules("") == ()


@pytest.mark.parametrize(
    "text", ["devs", "devs=shop", "devs=shop:boss", "=shop:admin", "devs=SHOP:admin", "devs=shop:admin:a b"]
)
def test_a_rule_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_rules(text)


@pytest.mark.parametrize(
    ("url", "issuer", "safe"),
    [
        ("https://id.example.org/x", ISSUER, True),
        ("http://id.example.org/x", ISSUER, False),
        ("http://127.0.0.1:1/x", "http://127.0.0.1:1", True),
        ("http://127.0.0.1:1/x", ISSUER, False),
        ("http://elsewhere/x", "http://127.0.0.1:1", False),
        ("file:///etc/passwd", ISSUER, False),
        ("https://", ISSUER, False),
    ],
)
def test_credentials_travel_under_tls_or_within_the_machine(url: str, issuer: str, safe: bool) -> None:
    assert is_safe(url, issuer) is safe


def test_terms_without_an_issuer_or_a_scope_are_refused() -> None:
    for issuer, client, scopes in (
        ("http://id.example.org", "x", "openid"),
        (ISSUER, "", "openid"),
        (ISSUER, "x", "profile"),
    ):
        with pytest.raises(InvalidInput):
            Terms(issuer, client, scopes=scopes)
