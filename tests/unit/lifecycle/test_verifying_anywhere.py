"""Verification without a server: whom was named counts, and nobody else."""

from __future__ import annotations

import pytest

from lading.kernel.canonical import canonical_json
from lading.kernel.clock import ManualClock
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.lifecycle.verify import Trust, Verifications
from lading.policy.pack import parse_pack
from lading.supply_chain.attest.artifacts import MANIFEST, MemoryArtifacts
from lading.supply_chain.attest.keys_local import PrivateKey
from lading.supply_chain.attest.keys_public import PublicKey
from lading.supply_chain.attest.statement import PROVENANCE, SIGNATURE, Statement
from lading.supply_chain.attest.writing import Writing

REPOSITORY = "shop/web"
ONLY_BY_CI = """
id: only-by-ci
title: t
stages: [verify]
severity: high
owner: o
deny: input.signature.key_name != 'ci' || !input.image.repository.startsWith('shop/')
message: "{input.signature.key_name} may not sign"
"""


@pytest.fixture
def registry() -> MemoryArtifacts:
    return MemoryArtifacts()


def pushed(registry: MemoryArtifacts) -> Digest:
    body = {"schemaVersion": 2, "mediaType": MANIFEST, "config": {}, "layers": []}
    return registry.put_manifest(REPOSITORY, canonical_json(body), tag="1")


def public(key: PrivateKey) -> PublicKey:
    return PublicKey.from_pem(key.public_pem())


def test_a_signature_counts_by_the_keys_that_are_given(registry: MemoryArtifacts) -> None:
    image, key = pushed(registry), PrivateKey.generate()
    writing = Writing(registry, key, ManualClock())
    mine = Verifications(registry, Trust(keys={"ci": public(key)}), ManualClock())
    assert not mine.of(image, REPOSITORY).passed

    writing.sign(image, REPOSITORY)
    assert mine.of(image, REPOSITORY).passed
    assert not mine.of(image, REPOSITORY, predicate_type=PROVENANCE).passed
    writing.state(image, REPOSITORY, Statement(((REPOSITORY, image),), PROVENANCE, {}))
    found = mine.of(image, REPOSITORY, predicate_type=PROVENANCE)
    assert (found.passed, {one.predicate_type for one in found.found}) == (True, {SIGNATURE, PROVENANCE})

    other = Verifications(registry, Trust(keys={"other": public(PrivateKey.generate())}), ManualClock())
    assert not other.of(image, REPOSITORY).passed


def test_rules_say_who_may_sign_what(registry: MemoryArtifacts) -> None:
    image, key = pushed(registry), PrivateKey.generate()
    Writing(registry, key, ManualClock()).sign(image, REPOSITORY)
    rules = parse_pack({"a.yaml": ONLY_BY_CI})

    def verified(name: str) -> tuple[bool, set[str]]:
        trust = Trust(keys={name: public(key)}, rules=rules)
        found = Verifications(registry, trust, ManualClock()).of(image, REPOSITORY)
        return found.passed, {one.problem for one in found.found}

    assert verified("ci") == (True, {""})
    assert verified("laptop") == (False, {"laptop may not sign"})


def test_nobody_to_believe_and_rules_about_something_else_are_refused(registry: MemoryArtifacts) -> None:
    with pytest.raises(InvalidInput, match="Nobody"):
        Verifications(registry, Trust(), ManualClock())
    rules = parse_pack({"a.yaml": ONLY_BY_CI.replace("[verify]", "[push]")})
    with pytest.raises(InvalidInput, match="stage verify"):
        Verifications(registry, Trust(keys={"ci": public(PrivateKey.generate())}, rules=rules), ManualClock())
