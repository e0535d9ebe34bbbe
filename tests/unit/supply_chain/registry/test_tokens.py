"""Tokens of the token flow: who is given what, and what is believed of a token that comes back."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from pathlib import Path

import pytest

from lading.kernel.clock import ManualClock
from lading.supply_chain.registry.access import (
    ANONYMOUS,
    Access,
    FixedAuthenticator,
    Place,
    Scopes,
    Visibility,
    Visitor,
)
from lading.supply_chain.registry.errors import TokenKeysUnusable, TokenRequestInvalid
from lading.supply_chain.registry.scopes import granted, read_scopes, write_scopes
from lading.supply_chain.registry.token_keys import KEYS_NAME, TokenKeys
from lading.supply_chain.registry.token_keys_made import MadeTokenKeys
from lading.supply_chain.registry.tokens import LIFETIME_SECONDS, SKEW_SECONDS, AccessTokens

VISITOR = Visitor("robot:shop/ci", "shop", "token-1")
SCOPES = Scopes({"shop/web": frozenset({Access.PULL, Access.PUSH}), "mail/web": frozenset()}, catalogue=True)


@pytest.fixture
def keys(tmp_path: Path, clock: ManualClock) -> MadeTokenKeys:
    return MadeTokenKeys(tmp_path, clock)


@pytest.fixture
def tokens(keys: MadeTokenKeys, clock: ManualClock) -> AccessTokens:
    return AccessTokens(keys, "lading-main", clock)


def payload(text: str) -> dict[str, object]:
    part = text.split(".")[1]
    read: dict[str, object] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return read


def test_a_token_says_who_asked_what_proved_it_and_what_for(tokens: AccessTokens) -> None:
    issued = tokens.issue(VISITOR, SCOPES)
    claims = tokens.read(issued.text)
    assert claims is not None
    assert (claims.principal, claims.proof, claims.scopes) == ("robot:shop/ci", "token-1", SCOPES)
    assert payload(issued.text)["access"] == [
        {"type": "repository", "name": "mail/web", "actions": []},
        {"type": "repository", "name": "shop/web", "actions": ["pull", "push"]},
        {"type": "registry", "name": "catalog", "actions": ["*"]},
    ]


def test_another_host_with_the_same_keys_reads_it_without_asking(
    tokens: AccessTokens, tmp_path: Path, clock: ManualClock
) -> None:
    other = AccessTokens(MadeTokenKeys(tmp_path, clock), "lading-main", clock)
    assert other.read(tokens.issue(VISITOR, SCOPES).text) is not None


def test_a_token_ends_after_five_minutes_whether_it_was_read_before_or_not(
    tokens: AccessTokens, tmp_path: Path, clock: ManualClock
) -> None:
    text = tokens.issue(VISITOR, SCOPES).text
    clock.sleep(LIFETIME_SECONDS - 1)
    assert tokens.read(text) is not None
    clock.sleep(1)
    assert tokens.read(text) is None
    assert AccessTokens(MadeTokenKeys(tmp_path, clock), "lading-main", clock).read(text) is None


@pytest.mark.parametrize(("ahead", "is_read"), [(SKEW_SECONDS, True), (SKEW_SECONDS + 1, False)])
def test_a_token_of_a_host_whose_clock_is_ahead_is_believed_within_bounds(
    tmp_path: Path, ahead: int, is_read: bool
) -> None:
    here, there = ManualClock(), ManualClock()
    there.sleep(ahead)
    text = AccessTokens(MadeTokenKeys(tmp_path, here), "lading-main", there).issue(VISITOR, SCOPES).text
    assert (AccessTokens(MadeTokenKeys(tmp_path, here), "lading-main", here).read(text) is not None) is is_read


def test_a_token_of_another_service_or_other_keys_is_none(
    tokens: AccessTokens, keys: MadeTokenKeys, tmp_path: Path, clock: ManualClock
) -> None:
    text = tokens.issue(VISITOR, SCOPES).text
    assert AccessTokens(keys, "lading-east", clock).read(text) is None
    assert AccessTokens(MadeTokenKeys(tmp_path / "other", clock), "lading-main", clock).read(text) is None


def test_a_token_that_would_be_longer_than_is_read_is_not_made(tokens: AccessTokens) -> None:
    many = Scopes({f"{'n' * 200}/{number}": frozenset(Access) for number in range(60)})
    with pytest.raises(TokenRequestInvalid):
        tokens.issue(VISITOR, many)


def test_a_new_key_signs_from_its_moment_on_and_the_old_one_verifies_for_an_hour(
    tokens: AccessTokens, keys: MadeTokenKeys, tmp_path: Path, clock: ManualClock
) -> None:
    first = keys.signing()
    before = tokens.issue(VISITOR, SCOPES).text
    made = keys.rotate(after=timedelta(minutes=10))
    assert keys.signing().id == first.id
    clock.sleep(600)
    assert keys.signing().id == made.id
    clock.sleep(3_600)
    keys.rotate()
    assert keys.named(first.id) is None
    assert keys.named(made.id) is not None
    assert AccessTokens(MadeTokenKeys(tmp_path, clock), "lading-main", clock).read(before) is None


def test_another_process_notices_new_keys_within_a_second(tmp_path: Path, clock: ManualClock) -> None:
    here, there = MadeTokenKeys(tmp_path, clock), TokenKeys(tmp_path, clock)
    here.signing()
    assert there.signing().id == here.signing().id
    made = here.rotate()
    assert there.named(made.id) is None
    clock.sleep(1)
    assert there.signing().id == made.id


def test_the_keys_are_for_their_owner_alone(keys: MadeTokenKeys, tmp_path: Path, clock: ManualClock) -> None:
    keys.signing()
    path = tmp_path / KEYS_NAME
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with pytest.raises(TokenKeysUnusable, match="can be read by others"):
        MadeTokenKeys(tmp_path, clock).signing()


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b'{"keys": []}', b'{"keys": [1]}', b'{"keys": [{"kty": "oct", "k": "AA", "kid": "a", "from": 0}]}']
)  # fmt: skip
def test_a_file_without_keys_is_refused(tmp_path: Path, clock: ManualClock, content: bytes) -> None:
    path = tmp_path / KEYS_NAME
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(TokenKeysUnusable):
        MadeTokenKeys(tmp_path, clock).signing()


class OnePlace:
    """Places: everything exists, and belongs to the team that its name begins with."""

    def place(self, repository: str) -> Place:
        visibility = Visibility.PUBLIC if repository.endswith("public") else Visibility.PRIVATE
        return Place(repository, repository.partition("/")[0], visibility, exists=True)


def test_what_is_granted_is_what_was_asked_and_may_be_had() -> None:
    authenticator = FixedAuthenticator({"ci": ("secret", "shop")}, anonymous=True)
    robot = authenticator.identify("ci", "secret")
    assert robot is not None
    asked = read_scopes(
        ["repository:shop/web:pull,push repository:mail/web:pull,push,delete", "repository:shop/web:delete", "registry:catalog:*"]
    )  # fmt: skip
    found = granted(asked, robot, authenticator, OnePlace())
    assert found == Scopes({"shop/web": frozenset(Access), "mail/web": frozenset()}, catalogue=True)
    assert write_scopes(found) == "repository:shop/web:pull,push,delete registry:catalog:*"
    asked = read_scopes(["repository:shop/public:*", "repository:shop/web:*", "registry:catalog:*"])
    found = granted(asked, ANONYMOUS, authenticator, OnePlace())
    assert found == Scopes({"shop/public": frozenset({Access.PULL}), "shop/web": frozenset()})


@pytest.mark.parametrize(
    "nonsense", ["", ":::", "repository:UPPER:pull", "repository:a/../b:pull", "registry:catalog:x", "plugin:a:pull"]
)
def test_what_is_no_scope_asks_for_nothing(nonsense: str) -> None:
    assert read_scopes([nonsense]) == Scopes()


def test_the_half_that_reads_makes_no_keys(tmp_path: Path, clock: ManualClock) -> None:
    with pytest.raises(TokenKeysUnusable, match="is not there"):
        TokenKeys(tmp_path, clock).signing()
    assert list(tmp_path.iterdir()) == []
