"""Whatever comes as a token of the token flow is one of ours, unchanged and in time, or none."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jws, jwt
from joserfc.jwk import ECKey

from lading.kernel.clock import ManualClock
from lading.supply_chain.registry.access import Access, Scopes, Visitor
from lading.supply_chain.registry.scopes import read_scopes, write_scopes
from lading.supply_chain.registry.token_keys_made import MadeTokenKeys
from lading.supply_chain.registry.tokens import MOST_TEXT, AccessTokens

SERVICE = "lading-main"
VISITOR = Visitor("robot:shop/ci", "shop", "token-1")
SCOPES = Scopes({"shop/web": frozenset({Access.PULL})})
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
ACCESS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["repository", "registry"]) | ANYTHING,
            "name": st.sampled_from(["shop/web", "catalog", "../x"]) | ANYTHING,
            "actions": st.lists(st.sampled_from(["pull", "push", "*"]) | ANYTHING, max_size=3) | ANYTHING,
        },
    )
    | ANYTHING,
    max_size=3,
)


class Issuer:
    """One service with its keys, at one moment."""

    def __init__(self, directory: Path) -> None:
        self.clock = ManualClock()
        self.now = int(self.clock.now().timestamp())
        self.keys = MadeTokenKeys(directory, self.clock)
        self.tokens = AccessTokens(self.keys, SERVICE, self.clock)
        self.genuine = self.tokens.issue(VISITOR, SCOPES).text
        self.claims = json.loads(decoded(self.genuine.split(".")[1]))

    def signed(self, claims: dict[str, Any]) -> str:
        key = self.keys.signing()
        return jws.serialize_compact({"alg": "ES256", "kid": key.id}, json.dumps(claims), key.key)


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    yield Issuer(tmp_path_factory.mktemp("keys"))


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


@given(text=st.text(max_size=200) | st.from_regex(r"[A-Za-z0-9_=-]{0,40}\.[A-Za-z0-9_=-]{0,40}\.[A-Za-z0-9_=-]{0,90}"))
def test_any_text_is_no_token(issuer: Issuer, text: str) -> None:
    assert issuer.tokens.read(text) is None


@given(data=st.data())
def test_one_changed_character_makes_it_none(issuer: Issuer, data: st.DataObject) -> None:
    text = issuer.genuine
    # The last character of a part may hold bits that are not read: only what decodes to something else is a change.
    at = data.draw(st.integers(0, len(text) - 1))
    changed = text[:at] + data.draw(st.sampled_from("ABCxyz019_-.")) + text[at + 1 :]
    if changed.count(".") == 2 and [*map(decoded_or_none, changed.split("."))] == [
        *map(decoded_or_none, text.split("."))
    ]:
        return
    assert issuer.tokens.read(changed) is None


def decoded_or_none(part: str) -> bytes | None:
    try:
        return decoded(part)
    except ValueError:
        return None


@given(header=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "jwk", "crit", "b64", "jku", "zip"]), ANYTHING))
def test_any_header_over_a_genuine_payload_makes_it_none(issuer: Issuer, header: dict[str, Any]) -> None:
    _, payload, signature = issuer.genuine.split(".")
    try:
        first = encoded(json.dumps(header).encode())
    except ValueError:
        return
    assert issuer.tokens.read(f"{first}.{payload}.{signature}") is None


def test_other_algorithms_and_other_keys_make_it_none(issuer: Issuer) -> None:
    key = issuer.keys.signing()
    payload = issuer.genuine.split(".")[1]
    for header in ({"alg": "none"}, {"alg": "none", "kid": key.id}, {"alg": "None", "kid": key.id}):
        assert issuer.tokens.read(f"{encoded(json.dumps(header).encode())}.{payload}.") is None
    # The public key as the secret of a symmetric signature: what libraries fell for.
    signed = f"{encoded(json.dumps({'alg': 'HS256', 'kid': key.id}).encode())}.{payload}"
    for secret in (key.key.as_pem(private=False), key.key.as_der(private=False)):
        confused = encoded(hmac.digest(secret, signed.encode(), "sha256"))
        assert issuer.tokens.read(f"{signed}.{confused}") is None
    foreign = ECKey.generate_key("P-256", {"kid": key.id})
    assert issuer.tokens.read(jwt.encode({"alg": "ES256", "kid": key.id}, issuer.claims, foreign)) is None
    carried = {"alg": "ES256", "kid": key.id, "jwk": foreign.as_dict(private=False)}
    text = jws.serialize_compact(carried, json.dumps(issuer.claims), foreign)
    assert issuer.tokens.read(text) is None


@given(
    changes=st.dictionaries(
        st.sampled_from(["iss", "aud", "sub", "proof", "exp", "nbf", "iat", "access"]), ANYTHING, min_size=1, max_size=3
    )
)
def test_claims_of_other_kinds_are_refused_or_allow_nothing_more(issuer: Issuer, changes: dict[str, Any]) -> None:
    try:
        text = issuer.signed(issuer.claims | changes)
    except ValueError:
        return
    found = issuer.tokens.read(text)
    if found is None:
        return
    assert issuer.now < found.until <= issuer.now + 310
    assert found.principal and isinstance(found.proof, str)
    assert all(Access.PUSH not in actions for actions in found.scopes.repositories.values())


@given(access=ACCESS)
def test_what_is_not_understood_allows_nothing(issuer: Issuer, access: list[Any]) -> None:
    found = issuer.tokens.read(issuer.signed(issuer.claims | {"access": access}))
    assert found is not None
    assert set(found.scopes.repositories) <= {"shop/web", "catalog"} | {
        one.get("name") for one in access if isinstance(one, dict) and isinstance(one.get("name"), str)
    }
    assert read_scopes([write_scopes(found.scopes)]).catalogue == found.scopes.catalogue


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": -1}, {"exp": 0}, {"exp": 301}, {"exp": 10**30}, {"iat": 11}, {"nbf": 11}, {"iat": -10**30, "exp": 300},
        {"exp": 300.0}, {"exp": True},
    ],
)  # fmt: skip
def test_moments_are_held_to(issuer: Issuer, changes: dict[str, Any]) -> None:
    moments = {name: value if type(value) is not int else issuer.now + value for name, value in changes.items()}
    assert issuer.tokens.read(issuer.signed(issuer.claims | moments)) is None


@settings(max_examples=10)
@given(st.integers(MOST_TEXT, 5 * MOST_TEXT))
def test_giant_tokens_are_not_even_looked_at(issuer: Issuer, size: int) -> None:
    head, _, tail = issuer.genuine.split(".")
    assert issuer.tokens.read(f"{head}.{'A' * size}.{tail}") is None


@given(texts=st.lists(st.text(max_size=300), max_size=5))
def test_any_scope_is_read_within_bounds(texts: list[str]) -> None:
    found = read_scopes(texts)
    assert len(found.repositories) <= 30
    assert read_scopes([write_scopes(found)]).catalogue == found.catalogue
