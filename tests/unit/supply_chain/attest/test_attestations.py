import base64
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lading.facts import Ledger
from lading.facts.kinds.supply_chain import AttestationMade
from lading.kernel.canonical import canonical_json
from lading.kernel.clock import ManualClock
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput, NotFound
from lading.state import Database, metadata
from lading.supply_chain.attest import cosign, dsse, writing
from lading.supply_chain.attest.artifacts import MANIFEST, MemoryArtifacts, read_manifest
from lading.supply_chain.attest.attestations import Attestations
from lading.supply_chain.attest.errors import MalformedEnvelope, NotSigned, SignatureInvalid
from lading.supply_chain.attest.keys_local import PrivateKey
from lading.supply_chain.attest.keys_public import PublicKey
from lading.supply_chain.attest.statement import APPROVAL, CYCLONEDX, MEDIA_TYPE, PROVENANCE, SIGNATURE, Statement
from lading.supply_chain.registry import manifest as registry_manifest

REPOSITORY = "shop/web"


@pytest.fixture
def store() -> MemoryArtifacts:
    return MemoryArtifacts()


@pytest.fixture
def image(store: MemoryArtifacts) -> Digest:
    body = {"schemaVersion": 2, "mediaType": MANIFEST, "config": {}, "layers": []}
    return store.put_manifest(REPOSITORY, canonical_json(body), tag="1")


@pytest.fixture
def key() -> PrivateKey:
    return PrivateKey.generate()


@pytest.fixture
def attestations(
    store: MemoryArtifacts, key: PrivateKey, each_database: Database, ledger: Ledger, clock: ManualClock
) -> Attestations:
    return Attestations(store, key, each_database, ledger, clock)


def openssl_verifies(directory: Path, pem: str, message: bytes, signature: bytes) -> bool:
    (directory / "key.pub").write_text(pem)
    (directory / "signature").write_bytes(signature)
    command = [
        "openssl",
        "dgst",
        "-sha256",
        "-verify",
        str(directory / "key.pub"),
        "-signature",
        str(directory / "signature"),
    ]
    return subprocess.run(command, input=message, capture_output=True, check=False).returncode == 0


def test_an_image_has_what_was_attested(
    attestations: Attestations, image: Digest, each_database: Database, ledger: Ledger, key: PrivateKey
) -> None:
    attestations.attest(image, REPOSITORY, PROVENANCE, {"buildDefinition": {}}, actor="system:test")
    attestations.attest(image, REPOSITORY, CYCLONEDX, {"components": []}, actor="system:test")
    attestations.sign(image, REPOSITORY, actor="system:test")

    assert attestations.predicate_types(image) == sorted([PROVENANCE, CYCLONEDX, SIGNATURE])
    verified = attestations.verify(image, REPOSITORY, [PublicKey.from_pem(attestations.public_pem())])
    assert [(one.predicate_type, one.problem, one.key_id) for one in verified] == [
        (PROVENANCE, "", key.key_id),
        (CYCLONEDX, "", key.key_id),
    ]
    assert attestations.verify_signature(image, REPOSITORY) == key.key_id
    with each_database.read() as tx:
        facts = [entry.fact for entry in ledger.read(tx)]
    assert [fact.predicate_type for fact in facts if isinstance(fact, AttestationMade)] == [
        PROVENANCE,
        CYCLONEDX,
        SIGNATURE,
    ]


def test_the_same_statement_is_made_once(attestations: Attestations, store: MemoryArtifacts, image: Digest) -> None:
    first = attestations.attest(image, REPOSITORY, PROVENANCE, {"a": 1}, actor="system:test")
    again = attestations.attest(image, REPOSITORY, PROVENANCE, {"a": 1}, actor="system:test")
    other = attestations.attest(image, REPOSITORY, PROVENANCE, {"a": 2}, actor="system:test")
    assert first == again != other
    assert attestations.sign(image, REPOSITORY, actor="a:b") == attestations.sign(image, REPOSITORY, actor="a:b")
    assert len(store.referrers(REPOSITORY, image)) == 5
    assert len(attestations.about(image)) == 3


def test_openssl_verifies_the_attestation_over_its_pae(
    attestations: Attestations, store: MemoryArtifacts, image: Digest, tmp_path: Path
) -> None:
    made = attestations.attest(image, REPOSITORY, PROVENANCE, {"a": 1}, actor="system:test")
    manifest = json.loads(store.manifest(REPOSITORY, made.digest))
    assert manifest["subject"]["digest"] == str(image)
    assert manifest["artifactType"] == MEDIA_TYPE
    layer = Digest.parse(manifest["layers"][0]["digest"])
    envelope = json.loads(store.blob(REPOSITORY, layer, most=10_000))
    payload = base64.b64decode(envelope["payload"])
    statement = json.loads(payload)
    assert statement["subject"] == [{"name": REPOSITORY, "digest": {"sha256": image.hex}}]

    kind = envelope["payloadType"]
    message = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
    signature = base64.b64decode(envelope["signatures"][0]["sig"])
    assert openssl_verifies(tmp_path, attestations.public_pem(), message, signature)
    assert not openssl_verifies(tmp_path, attestations.public_pem(), message + b" ", signature)
    assert not openssl_verifies(tmp_path, attestations.public_pem(), payload, signature)


def test_openssl_verifies_the_signature_in_the_layout_of_cosign(
    attestations: Attestations, store: MemoryArtifacts, image: Digest, tmp_path: Path
) -> None:
    attestations.sign(image, REPOSITORY, actor="system:test")
    manifest = json.loads(store.manifest(REPOSITORY, f"sha256-{image.hex}.sig"))
    (layer,) = manifest["layers"]
    payload = store.blob(REPOSITORY, Digest.parse(layer["digest"]), most=10_000)
    config = json.loads(store.blob(REPOSITORY, Digest.parse(manifest["config"]["digest"]), most=10_000))

    assert layer["mediaType"] == "application/vnd.dev.cosign.simplesigning.v1+json"
    assert json.loads(payload)["critical"]["image"] == {"docker-manifest-digest": str(image)}
    assert config["rootfs"]["diff_ids"] == [layer["digest"]]
    signature = base64.b64decode(layer["annotations"]["dev.cosignproject.cosign/signature"])
    assert openssl_verifies(tmp_path, attestations.public_pem(), payload, signature)


def test_signatures_of_others_stay_beside_ours(
    attestations: Attestations,
    store: MemoryArtifacts,
    image: Digest,
    each_database: Database,
    ledger: Ledger,
    key: PrivateKey,
) -> None:
    other = PrivateKey.generate()
    Attestations(store, other, each_database, ledger).sign(image, REPOSITORY, actor="system:test")
    assert not attestations.is_signed(image, REPOSITORY)
    attestations.sign(image, REPOSITORY, actor="system:test")

    assert attestations.verify_signature(image, REPOSITORY, [other]) == other.key_id
    assert attestations.verify_signature(image, REPOSITORY, [key]) == key.key_id


def test_an_approval_ends_and_a_clock_set_back_does_not_bring_it_back(
    attestations: Attestations, image: Digest, clock: ManualClock, each_database: Database, ledger: Ledger
) -> None:
    until = clock.now() + timedelta(days=30)
    attestations.attest(image, REPOSITORY, APPROVAL, {"decision": "d"}, until=until, actor="system:test")
    (verified,) = attestations.verify(image, REPOSITORY)
    assert (verified.problem, verified.predicate["decision"]) == ("", "d")

    clock.set(until)
    (ended,) = attestations.verify(image, REPOSITORY)
    assert ended.problem == "It has ended."
    assert attestations.predicate_types(image) == []
    attestations.sign(image, REPOSITORY, actor="system:test")
    clock.set(datetime(2026, 1, 1, tzinfo=UTC))
    assert attestations.verify(image, REPOSITORY)[0].problem == "It has ended."

    with pytest.raises(InvalidInput):
        attestations.attest(image, REPOSITORY, PROVENANCE, {}, until=until, actor="system:test")


def test_an_image_that_is_not_there_is_not_signed(attestations: Attestations) -> None:
    nothing = Digest.of(b"nothing")
    with pytest.raises(NotFound):
        attestations.sign(nothing, REPOSITORY, actor="system:test")
    with pytest.raises(NotFound):
        attestations.attest(nothing, REPOSITORY, PROVENANCE, {}, actor="system:test")
    assert attestations.about(nothing) == []
    with pytest.raises(NotSigned):
        attestations.verify_signature(nothing, REPOSITORY)


def test_what_is_lost_from_the_registry_is_made_again(
    key: PrivateKey, each_database: Database, ledger: Ledger, clock: ManualClock, store: MemoryArtifacts, image: Digest
) -> None:
    first = Attestations(store, key, each_database, ledger, clock)
    first.attest(image, REPOSITORY, PROVENANCE, {}, actor="system:test")
    first.sign(image, REPOSITORY, actor="system:test")
    emptied = MemoryArtifacts()
    emptied.put_manifest(REPOSITORY, store.manifest(REPOSITORY, image))
    second = Attestations(emptied, key, each_database, ledger, clock)
    second.attest(image, REPOSITORY, PROVENANCE, {}, actor="system:test")
    second.sign(image, REPOSITORY, actor="system:test")

    assert [one.problem for one in second.verify(image, REPOSITORY)] == [""]
    assert second.is_signed(image, REPOSITORY)


def test_what_a_crash_left_unrecorded_is_recorded_and_not_made_twice(
    store: MemoryArtifacts, key: PrivateKey, image: Digest, ledger: Ledger, tmp_path: Path
) -> None:
    for attempt in ("before the crash", "after it"):
        database = Database(f"sqlite:///{tmp_path / attempt}.db")
        metadata.create_all(database.engine)
        made = Attestations(store, key, database, ledger)
        made.attest(image, REPOSITORY, PROVENANCE, {"a": 1}, actor="system:test")
        made.sign(image, REPOSITORY, actor="system:test")
        assert made.predicate_types(image) == [SIGNATURE, PROVENANCE]
        database.close()

    assert len(store.referrers(REPOSITORY, image)) == 3
    assert len(json.loads(store.manifest(REPOSITORY, cosign.signature_tag(image)))["layers"]) == 1


# --- hostile content in the registry


def referring(store: MemoryArtifacts, image: Digest, blob: bytes, media_type: str = dsse.MEDIA_TYPE) -> Digest:
    layer = {"mediaType": media_type, "digest": str(store.put_blob(REPOSITORY, blob)), "size": len(blob)}
    body = {"artifactType": MEDIA_TYPE, "subject": {"digest": str(image)}, "layers": [layer]}
    return store.put_manifest(REPOSITORY, canonical_json(body))


def envelope_about(subject: Digest, key: PrivateKey, kind: str = MEDIA_TYPE) -> bytes:
    return dsse.sign(kind, Statement((("x", subject),), PROVENANCE, {}).encode(), key).encode()


def test_what_does_not_hold_is_listed_with_its_problem(
    attestations: Attestations, store: MemoryArtifacts, image: Digest, key: PrivateKey
) -> None:
    other = Digest.of(b"another image")
    good = envelope_about(image, key)
    tampered = json.loads(good)
    tampered["payload"] = base64.b64encode(base64.b64decode(tampered["payload"]).replace(b'"x"', b'"y"')).decode()
    cases = {
        referring(store, image, envelope_about(image, PrivateKey.generate())): "No signature holds",
        referring(store, image, envelope_about(other, key)): "about another image",
        referring(store, image, json.dumps(tampered).encode()): "No signature holds",
        referring(store, image, envelope_about(image, key, "text/plain")): "not a statement",
        referring(store, image, b"{}"): "not a DSSE envelope",
        referring(store, image, b"[" * 100_000): "not plain JSON",
        referring(store, image, good, "text/plain"): "no envelope",
        referring(store, image, good): "",
    }
    found = {one.digest: one.problem for one in attestations.verify(image, REPOSITORY)}

    assert found.keys() == cases.keys()
    for digest, problem in cases.items():
        assert problem in found[digest]
        assert bool(problem) == bool(found[digest])


def test_a_signature_copied_from_another_image_does_not_hold(
    attestations: Attestations, store: MemoryArtifacts, image: Digest
) -> None:
    other = store.put_manifest(REPOSITORY, canonical_json({"schemaVersion": 2, "layers": [{}]}))
    attestations.sign(other, REPOSITORY, actor="system:test")
    copied = store.manifest(REPOSITORY, cosign.signature_tag(other))
    store.put_manifest(REPOSITORY, copied, tag=cosign.signature_tag(image))

    with pytest.raises(SignatureInvalid, match="copied from another image"):
        attestations.verify_signature(image, REPOSITORY)


@pytest.mark.parametrize(
    "manifest",
    [
        {},
        {"layers": None},
        {"layers": ["x", {}]},
        {
            "layers": [
                {"mediaType": cosign.PAYLOAD_TYPE, "digest": "sha256:x", "annotations": {cosign.ANNOTATION: "AA=="}}
            ]
        },
        {
            "layers": [
                {
                    "mediaType": cosign.PAYLOAD_TYPE,
                    "digest": "sha256:" + "0" * 64,
                    "annotations": {cosign.ANNOTATION: "!"},
                }
            ]
        },
        {
            "layers": [
                {
                    "mediaType": cosign.PAYLOAD_TYPE,
                    "digest": "sha256:" + "0" * 64,
                    "annotations": {cosign.ANNOTATION: "AA=="},
                }
            ]
        },
    ],
)
def test_a_malformed_signature_manifest_is_no_signature(
    attestations: Attestations, store: MemoryArtifacts, image: Digest, manifest: dict
) -> None:
    store.put_manifest(REPOSITORY, canonical_json(manifest), tag=cosign.signature_tag(image))
    with pytest.raises((NotSigned, SignatureInvalid)):
        attestations.verify_signature(image, REPOSITORY)
    attestations.sign(image, REPOSITORY, actor="system:test")
    assert attestations.is_signed(image, REPOSITORY)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"null",
        b'{"payloadType":"a","payload":"!","signatures":[{"sig":"AA=="}]}',
        b'{"payloadType":"a","payload":"","signatures":[]}',
        b"\xff",
    ],
)
def test_a_malformed_envelope_is_a_clear_error(content: bytes) -> None:
    with pytest.raises(MalformedEnvelope):
        dsse.Envelope.decode(content)


def test_the_pae_is_that_of_the_specification() -> None:
    assert (
        dsse.pae("http://example.com/HelloWorld", b"hello world")
        == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_a_statement_is_under_the_tag_of_cosign_too_once(
    attestations: Attestations, image: Digest, store: MemoryArtifacts
) -> None:
    for number in (1, 2, 1):
        attestations.attest(image, REPOSITORY, PROVENANCE, {"buildDefinition": {"n": number}}, actor="system:test")

    layers = read_manifest(store.manifest(REPOSITORY, cosign.attestation_tag(image)))["layers"]
    assert [layer["annotations"]["predicateType"] for layer in layers] == [PROVENANCE, PROVENANCE]
    assert [layer["annotations"][cosign.ANNOTATION] for layer in layers] == ["", ""]
    held = [
        dsse.Envelope.decode(store.blob(REPOSITORY, Digest.parse(layer["digest"]), most=10_000)) for layer in layers
    ]
    assert {key for one in held for key, _ in one.signatures} == {""}
    assert len([one for one in attestations.check(image, REPOSITORY) if one.what == "attestation"]) == 2


def test_the_newest_statements_that_fit_are_under_the_tag(
    attestations: Attestations, image: Digest, store: MemoryArtifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = cosign.attestation_tag(image)

    def numbers() -> list[int]:
        layers = read_manifest(store.manifest(REPOSITORY, tag))["layers"]
        held = [store.blob(REPOSITORY, Digest.parse(layer["digest"]), most=10_000) for layer in layers]
        return [json.loads(dsse.Envelope.decode(one).payload)["predicate"]["n"] for one in held]

    def state(number: int, filler: str = "") -> None:
        attestations.attest(image, REPOSITORY, PROVENANCE, {"n": number, "filler": filler}, actor="system:test")

    monkeypatch.setattr(writing, "_MOST_TAGGED", 2)
    for number in range(3):
        state(number)
    assert numbers() == [1, 2]
    monkeypatch.setattr(writing, "_MOST_TAGGED_BYTES", 4_000)
    state(3, "x" * 2_000)
    assert numbers() == [2, 3]
    state(4, "x" * 2_000)
    assert numbers() == [4]
    state(5, "x" * 4_000)
    assert numbers() == [4]
    theirs = dsse.sign(MEDIA_TYPE, b'{"predicate": {"n": 100}}', PrivateKey.generate()).encode()
    store.put_blob(REPOSITORY, theirs)
    store.put_manifest(REPOSITORY, cosign.manifest([cosign.descriptor(dsse.MEDIA_TYPE, theirs)] * 2)[0], tag=tag)
    state(6)
    assert numbers() == [100, 100], "others' statements stay"
    store.put_manifest(REPOSITORY, cosign.manifest([cosign.descriptor(dsse.MEDIA_TYPE, theirs)])[0], tag=tag)
    state(7)
    state(8)
    assert numbers() == [100, 8]
    assert (
        len([one for one in attestations.check(image, REPOSITORY) if one.what == "attestation" and not one.problem])
        == 9
    )


def test_what_is_under_the_tag_is_what_the_registry_takes_for_statements() -> None:
    assert dsse.MEDIA_TYPE == registry_manifest.DSSE_ENVELOPE
    assert (
        min(registry_manifest._SIGNATURES[dsse.MEDIA_TYPE], registry_manifest._MOST_SIGNATURES)
        >= writing._MOST_TAGGED_BYTES
    )


def test_two_that_state_the_same_at_once_keep_it_once(
    attestations: Attestations,
    image: Digest,
    each_database: Database,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As if each had looked before the other wrote.
    monkeypatch.setattr(attestations, "_known", lambda *_: None)

    first, second = (attestations.attest(image, REPOSITORY, CYCLONEDX, {"n": 1}, actor="system:test") for _ in range(2))
    signed, again = (attestations.sign(image, REPOSITORY, actor="system:test") for _ in range(2))

    assert (first, signed) == (second, again)
    with each_database.read() as tx:
        assert len(list(ledger.read(tx, kinds=[AttestationMade.kind()]))) == 2
