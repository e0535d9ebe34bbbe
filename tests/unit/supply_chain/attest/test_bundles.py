import base64
import hashlib
import json
from collections.abc import Collection
from datetime import UTC, datetime

import pytest

from lading.kernel.canonical import canonical_json
from lading.kernel.clock import ManualClock
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput, Unavailable
from lading.supply_chain.attest import bundle, cosign, dsse
from lading.supply_chain.attest.artifacts import MANIFEST, MOST_REFERRERS, MemoryArtifacts, descriptor, referrer
from lading.supply_chain.attest.bundle import Bundle
from lading.supply_chain.attest.checking import Checked
from lading.supply_chain.attest.errors import MalformedEnvelope
from lading.supply_chain.attest.identities import Identity, MemoryIdentities
from lading.supply_chain.attest.keys_local import PrivateKey
from lading.supply_chain.attest.signatures import Signatures
from lading.supply_chain.attest.statement import CYCLONEDX, MEDIA_TYPE, PROVENANCE, SIGNATURE, Statement
from lading.supply_chain.attest.writing import LAYOUTS, Layout, Writing, read_layouts

REPOSITORY = "shop/web"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def store() -> MemoryArtifacts:
    return MemoryArtifacts()


@pytest.fixture
def image(store: MemoryArtifacts) -> Digest:
    return store.put_manifest(REPOSITORY, canonical_json({"schemaVersion": 2, "mediaType": MANIFEST, "layers": []}))


@pytest.fixture
def key() -> PrivateKey:
    return PrivateKey.generate()


def writing(store: MemoryArtifacts, key: PrivateKey, layouts: Collection[Layout] = LAYOUTS) -> Writing:
    return Writing(store, key, ManualClock(NOW), layouts)


def checked(store: MemoryArtifacts, image: Digest, *keys: PrivateKey) -> list[Checked]:
    return Signatures(store, lambda: keys).of(image, REPOSITORY, NOW)


def said(found: list[Checked]) -> list[tuple[str, str, str, str]]:
    return [(one.what, one.form, one.predicate_type, one.problem) for one in found]


def provenance(image: Digest) -> Statement:
    return Statement(((REPOSITORY, image),), PROVENANCE, {"buildDefinition": {}})


def refer(store: MemoryArtifacts, image: Digest, blob: bytes, media_type: str, artifact_type: str = "") -> Digest:
    store.put_blob(REPOSITORY, blob)
    subject = descriptor(MANIFEST, store.manifest(REPOSITORY, image))
    return store.put_manifest(
        REPOSITORY, referrer(subject, artifact_type or media_type, descriptor(media_type, blob), {})
    )


# --- what is written


def test_a_signature_is_a_bundle_as_cosign_3_stores_it(store: MemoryArtifacts, image: Digest, key: PrivateKey) -> None:
    put = writing(store, key, ["bundle"]).sign(image, REPOSITORY)
    manifest = json.loads(store.manifest(REPOSITORY, put.digest))
    (layer,) = manifest["layers"]
    content = json.loads(store.blob(REPOSITORY, Digest.parse(layer["digest"]), most=100_000))

    assert manifest["artifactType"] == layer["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert manifest["config"]["mediaType"] == "application/vnd.oci.empty.v1+json"
    assert manifest["subject"]["digest"] == str(image)
    assert manifest["annotations"] == {
        "dev.sigstore.bundle.content": "dsse-envelope",
        "dev.sigstore.bundle.predicateType": "https://sigstore.dev/cosign/sign/v1",
        "org.opencontainers.image.created": "2026-03-01T00:00:00Z",
    }
    spki = base64.b64decode("".join(key.public_pem().splitlines()[1:-1]))
    hint = base64.b64encode(hashlib.sha256(spki).digest()).decode()
    assert content["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert content["verificationMaterial"] == {"publicKey": {"hint": hint}}
    statement = json.loads(base64.b64decode(content["dsseEnvelope"]["payload"]))
    assert statement["predicateType"] == SIGNATURE
    assert statement["subject"][0]["digest"] == {"sha256": image.hex}


def test_both_layouts_are_written_with_one_signature_of_a_statement_and_listed_once(
    store: MemoryArtifacts, image: Digest, key: PrivateKey
) -> None:
    both = writing(store, key)
    both.sign(image, REPOSITORY)
    both.state(image, REPOSITORY, provenance(image))

    types = sorted(one.artifact_type for one in store.referrers(REPOSITORY, image))
    assert types == [bundle.MEDIA_TYPE, bundle.MEDIA_TYPE, MEDIA_TYPE]
    assert store.manifest(REPOSITORY, cosign.signature_tag(image))
    found = checked(store, image, key)
    assert sorted((one.what, one.predicate_type, one.key_id) for one in found) == [
        ("attestation", PROVENANCE, key.key_id),
        ("signature", SIGNATURE, key.key_id),
    ]


class Dying(MemoryArtifacts):
    """Dies at the write of this number, and is whole again after that."""

    left = 1_000

    def _step(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Unavailable("killed")

    def put_blob(self, repository: str, content: bytes) -> Digest:
        self._step()
        return super().put_blob(repository, content)

    def put_manifest(self, repository: str, content: bytes, *, tag: str = "") -> Digest:
        self._step()
        return super().put_manifest(repository, content, tag=tag)


@pytest.mark.parametrize("writes", range(1, 15))
def test_what_is_interrupted_anywhere_is_completed_and_nothing_is_there_twice(key: PrivateKey, writes: int) -> None:
    store = Dying()
    image = store.put_manifest(REPOSITORY, canonical_json({"mediaType": MANIFEST, "layers": []}))
    store.left = writes
    for _ in range(3):
        try:
            both = writing(store, key)
            both.sign(image, REPOSITORY)
            both.state(image, REPOSITORY, provenance(image))
        except Unavailable:
            continue
    assert len(store.referrers(REPOSITORY, image)) == 3
    assert len(json.loads(store.manifest(REPOSITORY, cosign.signature_tag(image)))["layers"]) == 1
    assert [one.problem for one in checked(store, image, key)] == ["", ""]


@pytest.mark.parametrize(
    ("text", "layouts"), [("older,bundle", LAYOUTS), (" bundle", ("bundle",)), ("bundle,older", LAYOUTS)]
)
def test_a_setting_names_layouts(text: str, layouts: tuple[str, ...]) -> None:
    assert read_layouts(text) == layouts


@pytest.mark.parametrize("text", ["", ",", "newer", "older,newer"])
def test_a_setting_that_names_none_or_another_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_layouts(text)


# --- what others put there


def test_attestations_under_the_tag_of_cosign_are_read(store: MemoryArtifacts, image: Digest, key: PrivateKey) -> None:
    layers = []
    for kind in (PROVENANCE, CYCLONEDX):
        blob = dsse.sign(MEDIA_TYPE, Statement((("", image),), kind, {}).encode(), key).encode()
        store.put_blob(REPOSITORY, blob)
        layers.append(descriptor(dsse.MEDIA_TYPE, blob, {"predicateType": kind}))
    store.put_manifest(REPOSITORY, canonical_json({"layers": layers}), tag=f"sha256-{image.hex}.att")

    assert said(checked(store, image, key)) == [
        ("attestation", "dsse", PROVENANCE, ""),
        ("attestation", "dsse", CYCLONEDX, ""),
    ]


def test_a_signature_of_notation_is_named_as_not_verified(store: MemoryArtifacts, image: Digest) -> None:
    refer(store, image, b"{}", "application/jose+json", "application/vnd.cncf.notary.signature")
    (one,) = checked(store, image)
    assert (one.form, one.problem) == ("notation", "It is a signature of notation, which is not verified here.")


def test_a_certificate_in_the_older_layout_is_named_as_not_verified(
    store: MemoryArtifacts, image: Digest, key: PrivateKey
) -> None:
    content = cosign.payload(image, REPOSITORY)
    layer = cosign.signed_layer(content, key)
    layer["annotations"][cosign.CERTIFICATE] = "-----BEGIN CERTIFICATE-----"
    store.put_blob(REPOSITORY, content)
    store.put_manifest(REPOSITORY, canonical_json({"layers": [layer]}), tag=cosign.signature_tag(image))
    (one,) = checked(store, image, key)
    assert "cosign bundle upgrade" in one.problem


def test_statements_that_a_builder_put_into_an_index_are_claims(store: MemoryArtifacts, image: Digest) -> None:
    statement = Statement((("pkg:docker/x", image),), "https://slsa.dev/provenance/v0.2", {"builder": {"id": "x"}})
    store.put_blob(REPOSITORY, statement.encode())
    beside = {"layers": [descriptor(MEDIA_TYPE, statement.encode())]}
    attestation = store.put_manifest(REPOSITORY, canonical_json(beside))
    said_of = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": str(image)}
    entries = [{"digest": str(image)}, {"digest": str(attestation), "annotations": said_of}]
    index = store.put_manifest(REPOSITORY, canonical_json({"manifests": entries}))

    (one,) = checked(store, index)
    assert (one.what, one.predicate_type, one.valid) == ("claim", "https://slsa.dev/provenance/v0.2", False)
    assert one.problem == f"It is a statement of the builder that nobody signed. It is about {image}."


def test_a_bundle_over_the_manifest_as_a_file_is_a_signature(
    store: MemoryArtifacts, image: Digest, key: PrivateKey
) -> None:
    def signed(content: bytes) -> bytes:
        return canonical_json(
            {
                "mediaType": bundle.MEDIA_TYPE,
                "verificationMaterial": {"publicKey": {"hint": "x"}},
                "messageSignature": {"signature": base64.b64encode(key.sign(content)).decode()},
            }
        )

    refer(store, image, signed(store.manifest(REPOSITORY, image)), bundle.MEDIA_TYPE)
    refer(store, image, signed(b"something else"), bundle.MEDIA_TYPE)
    assert sorted(one.problem[:18] for one in checked(store, image, key)) == ["", "No signature holds"]


def test_who_signed_a_bundle_by_an_identity_is_told(store: MemoryArtifacts, image: Digest, key: PrivateKey) -> None:
    envelope = dsse.sign(MEDIA_TYPE, provenance(image).encode(), key)
    content = json.loads(bundle.by_key(envelope, key.key_id))
    content["verificationMaterial"] = {"certificate": {"rawBytes": base64.b64encode(b"certificate").decode()}}
    refer(store, image, canonical_json(content), bundle.MEDIA_TYPE)
    identities = MemoryIdentities()

    (none,) = checked(store, image, key)
    assert none.problem == "It is signed by an identity, and no root of trust is set up that could verify that."
    (unknown,) = Signatures(store, tuple, identities).of(image, REPOSITORY, NOW)
    assert unknown.problem == "The certificate is not known."
    identities.add(b"certificate", Identity("release@shop", "https://login", NOW, {"commit": "1a"}), key)
    (one,) = Signatures(store, tuple, identities).of(image, REPOSITORY, NOW)
    assert (one.identity, one.issuer, one.key_id, one.at[:10], one.claims, one.problem) == (
        "release@shop", "https://login", "", "2026-03-01", {"commit": "1a"}, "",
    )  # fmt: skip


# --- hostile content


def test_each_bundle_that_does_not_hold_says_why(store: MemoryArtifacts, image: Digest, key: PrivateKey) -> None:
    other = Digest.of(b"another image")
    good = bundle.by_key(dsse.sign(MEDIA_TYPE, provenance(image).encode(), key), key.key_id)

    def changed(**values: object) -> bytes:
        return canonical_json(json.loads(good) | values)

    def stating(statement: bytes, kind: str = MEDIA_TYPE) -> bytes:
        return bundle.by_key(dsse.sign(kind, statement, key), key.key_id)

    body = provenance(image).encode()
    certificate = {"rawBytes": "AA=="}
    envelope = json.loads(good)["dsseEnvelope"]
    cases = {
        good: "",
        stating(Statement((("a", other), ("b", image)), PROVENANCE, {}).encode()): "",
        stating(Statement((("a", other),), PROVENANCE, {}).encode()): "about another image",
        stating(body.replace(b'"subject"', b'"subject":[],"subject"')): "the key 'subject' stands twice",
        stating(body, "text/plain"): "not a statement",
        stating(b"[]"): "no JSON object",
        stating(b'{"a":' * 5_000 + b"1" + b"}" * 5_000): "not plain JSON",
        bundle.by_key(dsse.sign(MEDIA_TYPE, body, PrivateKey.generate()), key.key_id): "No signature holds",
        changed(dsseEnvelope=envelope | {"payload": base64.b64encode(body + b" ").decode()}): "No signature holds",
        changed(dsseEnvelope=envelope | {"signatures": envelope["signatures"] * 17}): "17 signatures",
        good.replace(b'"mediaType"', b'"mediaType":"x","mediaType"'): "stands twice",
        changed(mediaType="application/vnd.dev.sigstore.bundle.v0.4+json"): "are not read",
        changed(mediaType=3): "not a sigstore bundle",
        changed(dsseEnvelope=None): "exactly one of an envelope and a signature",
        changed(messageSignature={"signature": "AA=="}): "exactly one of an envelope and a signature",
        changed(verificationMaterial={}): "exactly one of key, certificate and chain",
        changed(verificationMaterial={"publicKey": {}, "certificate": certificate}): "exactly one of key",
        changed(verificationMaterial={"certificate": {"rawBytes": "!"}}): "not base 64",
        changed(verificationMaterial={"certificate": {"rawBytes": ""}}): "empty certificate",
        changed(verificationMaterial={"certificate": {"rawBytes": "A" * (2 << 20)}}): "more than 1048576 bytes",
        changed(verificationMaterial={"x509CertificateChain": {"certificates": [certificate] * 11}}): "11 certificates",
        changed(verificationMaterial={"publicKey": {}, "tlogEntries": [{}] * 33}): "33 entries of logs",
        b"\xff": "not plain JSON",
        b'{"a":"\\ud800"}': "not plain JSON",
        b"[" * 100_000: "not plain JSON",
    }
    wanted = {str(refer(store, image, content, bundle.MEDIA_TYPE)): problem for content, problem in cases.items()}
    found = {one.digest: one.problem for one in checked(store, image, key)}

    assert found.keys() == wanted.keys() - {str(refer(store, image, b"", "text/plain"))}
    for digest, problem in wanted.items():
        assert problem in found[digest]
        assert bool(problem) == bool(found[digest])


def test_a_giant_bundle_is_not_read() -> None:
    with pytest.raises(MalformedEnvelope, match="is not read"):
        Bundle.decode(b" " * (bundle.MOST_BYTES + 1))


def test_content_that_is_not_what_its_digest_says_does_not_hold(
    store: MemoryArtifacts, image: Digest, key: PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing(store, key).sign(image, REPOSITORY)
    read = store.blob
    monkeypatch.setattr(store, "blob", lambda *args, **kwargs: read(*args, **kwargs) + b" ")
    problems = [one.problem for one in checked(store, image, key)]
    assert len(problems) == 2
    assert all("other content than its digest says" in problem for problem in problems)


def test_more_referrers_than_are_read_is_a_problem(store: MemoryArtifacts, image: Digest, key: PrivateKey) -> None:
    for number in range(MOST_REFERRERS + 1):
        body = {"artifactType": "text/plain", "subject": {"digest": str(image)}, "annotations": {"n": str(number)}}
        store.put_manifest(REPOSITORY, canonical_json(body))
    (one,) = checked(store, image, key)
    assert one.problem == "There are 1000 referrers or more; the others were not looked at."
