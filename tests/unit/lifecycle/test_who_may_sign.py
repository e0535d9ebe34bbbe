"""Stage `verify`: whose signature counts for which image."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lading.facts import Ledger
from lading.kernel.clock import ManualClock
from lading.kernel.digest import Digest
from lading.lifecycle.permit import SignerRules
from lading.policy.decide import Policy
from lading.policy.pack import default_pack, parse_pack
from lading.state import Database
from lading.supply_chain.attest.checking import Checked
from lading.supply_chain.attest.keyring.keyring import Keyring
from lading.supply_chain.attest.keys_local import PrivateKey
from lading.supply_chain.attest.statement import APPROVAL, PROVENANCE, SIGNATURE

IMAGE = Digest.of(b"image")
SHOP_BY_ITS_PIPELINE = """
id: shop-by-its-pipeline
title: The shop is signed by its pipeline
stages: [verify]
severity: high
owner: shop
when: input.image.repository.startsWith('shop/') && input.signature.by != 'lading'
deny: |
  !(input.signature.issuer == 'https://ci.example' && input.signature.identity.startsWith('https://ci.example/shop/')
    && input.signature.claims['ref'] == 'refs/heads/main')
message: "{input.signature.by} may not sign {input.image.repository}"
examples:
  - input:
      image: {repository: shop/web}
      signature: {by: key, key_name: x, issuer: "", identity: "", claims: {}}
    denied: true
"""


class Rows:
    """A registry with one image."""

    def images(self, digest: Digest) -> list[Any]:
        return [SimpleNamespace(repository="shop/web", tags=["1"], team="shop")]


@pytest.fixture
def keys(database: Database, ledger: Ledger) -> Keyring:
    own, theirs = PrivateKey.generate(), PrivateKey.generate()
    ring = Keyring(database, ledger, lambda: own.key_id, ManualClock())
    ring.use(own)
    ring.trust(theirs.public_pem(), name="ci", actor="system:test")
    return ring


def rules(database: Database, ledger: Ledger, keys: Keyring, text: str = "") -> SignerRules:
    pack = parse_pack({"a.yaml": text}) if text else default_pack()
    return SignerRules(Policy(database, ledger, pack), keys, Rows(), ManualClock())  # type: ignore[arg-type]


def signed(key_id: str = "", what: str = SIGNATURE, **said: Any) -> Checked:
    return Checked(what="signature", form="bundle", digest="sha256:1", predicate_type=what, key_id=key_id, **said)


def test_a_trusted_key_signs_and_states_but_does_not_approve(database: Database, ledger: Ledger, keys: Keyring) -> None:
    asked = rules(database, ledger, keys)
    own, ci = (next(key.key_id for key in keys.all() if key.ours is ours) for ours in (True, False))

    assert asked.about(IMAGE, "shop/web")(signed(ci)) == ""
    assert asked.about(IMAGE, "shop/web")(signed(ci, PROVENANCE)) == ""
    assert "an approval by key does not count" in asked.about(IMAGE, "shop/web")(signed(ci, APPROVAL))
    assert asked.about(IMAGE, "shop/web")(signed(own, APPROVAL)) == ""
    # A key that is believed and not in the keyring is that of a region.
    assert asked.about(IMAGE, "shop/web")(signed("sha256:other", APPROVAL)) == ""


def test_an_identity_counts_only_where_a_rule_names_it(database: Database, ledger: Ledger, keys: Keyring) -> None:
    one = signed(identity="https://ci.example/shop/web", issuer="https://ci.example", claims={"ref": "refs/heads/main"})
    assert "whom no rule names" in rules(database, ledger, keys).about(IMAGE, "shop/web")(one)

    asked = rules(database, ledger, keys, SHOP_BY_ITS_PIPELINE)
    assert asked.about(IMAGE, "shop/web")(one) == ""
    other = signed(identity="https://ci.example/mail", issuer="https://ci.example", claims={"ref": "refs/heads/main"})
    assert "may not sign shop/web" in asked.about(IMAGE, "shop/web")(other)
    branch = signed(identity=one.identity, issuer=one.issuer, claims={"ref": "refs/heads/x"})
    assert "may not sign" in asked.about(IMAGE, "shop/web")(branch)
    ci = next(key.key_id for key in keys.all() if not key.ours)
    assert asked.about(IMAGE, "shop/web")(signed(ci)) == "key may not sign shop/web"
    assert asked.about(IMAGE, "mail/api")(signed(ci)) == ""


def test_a_rule_that_fails_refuses(database: Database, ledger: Ledger, keys: Keyring) -> None:
    text = (
        "{id: bad, title: t, stages: [verify], severity: low, owner: o, message: m, deny: 'input.nothing.at.all == 1'}"
    )
    ci = next(key.key_id for key in keys.all() if not key.ours)

    assert rules(database, ledger, keys, text).about(IMAGE, "shop/web")(signed(ci))


def test_without_rules_believed_keys_sign_and_identities_do_not(
    database: Database, ledger: Ledger, keys: Keyring
) -> None:
    text = "{id: other, title: t, stages: [push], severity: low, owner: o, message: m, deny: 'false'}"
    asked = rules(database, ledger, keys, text)
    ci = next(key.key_id for key in keys.all() if not key.ours)

    assert asked.about(IMAGE, "shop/web")(signed(ci)) == ""
    assert "whom no rule names" in asked.about(IMAGE, "shop/web")(signed(identity="x", issuer="y"))
