"""Keys whose signatures count, and what becomes of what a revoked one signed."""

from __future__ import annotations

from pathlib import Path

import pytest

from lading.facts import Ledger
from lading.facts.kinds.keys import KeyRevoked, KeyTrusted
from lading.kernel.canonical import canonical_json
from lading.kernel.clock import ManualClock
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.lifecycle.resign import Resigning
from lading.state import Database
from lading.supply_chain.attest.artifacts import MANIFEST, MemoryArtifacts
from lading.supply_chain.attest.attestations import Attestations
from lading.supply_chain.attest.errors import KeyInUse, KeyUnknown, KeyUnusable
from lading.supply_chain.attest.keyring.keyring import Keyring
from lading.supply_chain.attest.keys_local import PrivateKey, generate_key
from lading.supply_chain.attest.statement import APPROVAL, CYCLONEDX, PROVENANCE

REPOSITORY = "shop/web"
ACTOR = "system:test"


class Lading:
    """What signs with a key, over one database and one registry."""

    def __init__(self, key: PrivateKey, database: Database, ledger: Ledger, clock: ManualClock) -> None:
        self.database, self.ledger, self.clock = database, ledger, clock
        self.store = MemoryArtifacts()
        self.start_with(key)

    def start_with(self, key: PrivateKey) -> None:
        self.key = key
        self.keyring = Keyring(self.database, self.ledger, lambda: self.key.key_id, self.clock)
        self.keyring.use(key)
        ring = self.keyring
        self.attestations = Attestations(
            self.store, key, self.database, self.ledger, self.clock, ring.believed, revoked=ring.revoked
        )

    def facts(self) -> list[object]:
        with self.database.read() as tx:
            kinds = [KeyTrusted.kind(), KeyRevoked.kind()]
            return [entry.fact for entry in self.ledger.read(tx, kinds=kinds)]

    def image(self, number: int = 1) -> Digest:
        body = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {},
            "layers": [],
            "annotations": {"n": str(number)},
        }
        return self.store.put_manifest(REPOSITORY, canonical_json(body), tag=str(number))


class Judge:
    def __init__(self) -> None:
        self.asked: list[Digest] = []

    def reconsider(self, image: Digest, repository: str) -> None:
        self.asked.append(image)


@pytest.fixture
def lading(each_database: Database, ledger: Ledger, clock: ManualClock) -> Lading:
    return Lading(PrivateKey.generate(), each_database, ledger, clock)


def test_the_key_that_signs_is_known_once_and_stays_known(lading: Lading) -> None:
    first = lading.key
    lading.start_with(first)
    lading.start_with(PrivateKey.generate())

    assert {(key.key_id, key.ours) for key in lading.keyring.all()} == {(first.key_id, True), (lading.key.key_id, True)}
    assert {key.key_id for key in lading.keyring.own()} == {first.key_id, lading.key.key_id}
    assert len(lading.facts()) == 2


def test_what_another_signs_counts_when_somebody_trusts_the_key_and_not_after_it_was_revoked(lading: Lading) -> None:
    other, image = PrivateKey.generate(), lading.image()
    theirs = Attestations(lading.store, other, lading.database, lading.ledger, lading.clock)
    theirs.sign(image, REPOSITORY, actor=ACTOR)
    assert not lading.attestations.is_signed(image, REPOSITORY)

    lading.keyring.trust(other.public_pem(), name="ci", actor="person:maria")
    assert lading.attestations.verify_signature(image, REPOSITORY) == other.key_id

    revoked = lading.keyring.revoke("ci", why="the laptop was stolen", actor="person:maria")
    assert (revoked.counts, revoked.why) == (False, "the laptop was stolen")
    assert not lading.attestations.is_signed(image, REPOSITORY)
    assert lading.keyring.revoke(other.key_id, why="again", actor="person:maria") == revoked
    assert [type(fact) for fact in lading.facts()] == [KeyTrusted, KeyTrusted, KeyRevoked]


def test_a_key_is_found_by_its_name_its_id_or_a_beginning_of_it(lading: Lading) -> None:
    known = lading.keyring.all()[0]

    for name in (known.name, known.key_id, known.key_id[7:], known.key_id[:20], known.key_id[7:17]):
        assert lading.keyring.find(name) == known
    for name in ("", "nobody", known.key_id[7:12], "sha256:"):
        with pytest.raises(KeyUnknown):
            lading.keyring.find(name)


def test_the_key_that_signs_now_cannot_be_revoked(lading: Lading) -> None:
    with pytest.raises(KeyInUse, match="signs with"):
        lading.keyring.revoke(lading.key.key_id, why="stolen", actor=ACTOR)


@pytest.mark.parametrize("name", ["", "A", "a b", "-a", "a" * 65, "a/b"])
def test_a_name_that_is_none_is_refused(lading: Lading, name: str) -> None:
    with pytest.raises(InvalidInput):
        lading.keyring.trust(PrivateKey.generate().public_pem(), name=name, actor=ACTOR)


def test_a_key_has_one_name_and_a_revoked_one_none_ever_again(lading: Lading) -> None:
    other = PrivateKey.generate()
    made = lading.keyring.trust(other.public_pem(), name="ci", actor=ACTOR)

    assert lading.keyring.trust(other.public_pem(), name="second", actor=ACTOR) == made
    with pytest.raises(KeyInUse, match="called"):
        lading.keyring.trust(PrivateKey.generate().public_pem(), name="ci", actor=ACTOR)
    with pytest.raises(InvalidInput):
        lading.keyring.trust("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", name="x", actor=ACTOR)
    with pytest.raises(InvalidInput, match="reason"):
        lading.keyring.revoke("ci", why=" ", actor=ACTOR)
    lading.keyring.revoke("ci", why="stolen", actor=ACTOR)
    with pytest.raises(KeyInUse, match="revoked as ci"):
        lading.keyring.trust(other.public_pem(), name="again", actor=ACTOR)


def test_nothing_is_signed_with_a_key_that_was_revoked(lading: Lading) -> None:
    first, image = lading.key, lading.image()
    lading.start_with(PrivateKey.generate())
    lading.keyring.revoke(first.key_id, why="stolen", actor=ACTOR)

    with pytest.raises(KeyUnusable, match="stolen"):
        lading.keyring.use(first)
    old = Attestations(
        lading.store, first, lading.database, lading.ledger, lading.clock, revoked=lading.keyring.revoked
    )
    with pytest.raises(KeyUnusable):
        old.sign(image, REPOSITORY, actor=ACTOR)
    with pytest.raises(KeyUnusable):
        old.attest(image, REPOSITORY, PROVENANCE, {}, actor=ACTOR)


def test_what_was_stated_with_a_revoked_key_is_signed_anew(lading: Lading) -> None:
    first, images = lading.key, [lading.image(number) for number in range(7)]
    until = lading.clock.now().replace(year=2999)
    for image in images:
        lading.attestations.sign(image, REPOSITORY, actor=ACTOR)
        lading.attestations.attest(image, REPOSITORY, CYCLONEDX, {"components": []}, actor=ACTOR)
        lading.attestations.attest(image, REPOSITORY, APPROVAL, {"decision": "1"}, actor=ACTOR, until=until)
    lading.start_with(PrivateKey.generate())
    judge = Judge()
    resigning = Resigning(lading.keyring, lading.attestations, judge)
    assert resigning.step() == 0

    lading.keyring.revoke(first.key_id, why="stolen", actor=ACTOR)
    assert not lading.attestations.is_signed(images[0], REPOSITORY)
    assert lading.attestations.predicate_types(images[0]) == []
    assert [resigning.step(most=3) for _ in range(5)] == [3, 3, 1, 0, 0]

    for image in images:
        assert lading.attestations.verify_signature(image, REPOSITORY) == lading.key.key_id
        held = [one for one in lading.attestations.verify(image, REPOSITORY) if not one.problem]
        assert {(one.predicate_type, one.key_id) for one in held} >= {
            (CYCLONEDX, lading.key.key_id), (APPROVAL, lading.key.key_id),
        }  # fmt: skip
        assert APPROVAL in lading.attestations.predicate_types(image)
    assert judge.asked == []

    rows = len(lading.attestations.about(images[0]))
    Resigning(lading.keyring, lading.attestations, judge).step()
    assert len(lading.attestations.about(images[0])) == rows


def test_an_image_whose_statements_are_lost_is_judged_again(lading: Lading) -> None:
    first, image = lading.key, lading.image()
    made = lading.attestations.attest(image, REPOSITORY, PROVENANCE, {"buildDefinition": {}}, actor=ACTOR)
    lading.start_with(PrivateKey.generate())
    lading.keyring.revoke(first.key_id, why="stolen", actor=ACTOR)
    lading.store.forget(REPOSITORY, made.digest)
    judge = Judge()

    Resigning(lading.keyring, lading.attestations, judge).step()

    assert judge.asked == [image]
    assert PROVENANCE not in lading.attestations.predicate_types(image)


def test_a_generated_key_is_encrypted_when_a_password_is_given_and_never_overwritten(tmp_path: Path) -> None:
    made = generate_key(tmp_path / "key.pem", "correct horse")

    assert b"ENCRYPTED" in (tmp_path / "key.pem").read_bytes()
    assert (tmp_path / "key.pem").stat().st_mode & 0o077 == 0
    assert (tmp_path / "key.pem.pub").read_text() == made.public_pem()
    with pytest.raises(KeyUnusable, match="there already"):
        generate_key(tmp_path / "key.pem")
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyUnusable, match="cannot be used"):
        generate_key(tmp_path / "file" / "key.pem")
