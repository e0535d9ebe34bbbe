import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lading.kernel.canonical import canonical_json
from lading.kernel.clock import ManualClock
from lading.kernel.digest import Digest
from lading.kernel.errors import NotFound
from lading.supply_chain.attest.artifacts import MANIFEST, MemoryArtifacts
from lading.supply_chain.attest.errors import KeylessUnavailable
from lading.supply_chain.attest.identities_sigstore import SigstoreIdentities
from lading.supply_chain.attest.keyless import Keyless
from lading.supply_chain.attest.signatures import Signatures
from lading.supply_chain.attest.signing_sigstore import SigstoreSigner
from lading.supply_chain.attest.statement import PROVENANCE, SIGNATURE
from sigstore_instance import SigstoreInstance
from sigstore_server import SigstoreServer, serving

REPOSITORY = "shop/web"
WHO, ISSUER = "https://ci.example/shop/release", "https://ci.example"


@pytest.fixture
def server() -> Iterator[SigstoreServer]:
    with serving(SigstoreInstance(datetime.now(UTC))) as server:
        yield server


@pytest.fixture
def store() -> MemoryArtifacts:
    return MemoryArtifacts()


@pytest.fixture
def image(store: MemoryArtifacts) -> Digest:
    body = {"schemaVersion": 2, "mediaType": MANIFEST, "config": {}, "layers": []}
    return store.put_manifest(REPOSITORY, canonical_json(body), tag="1")


def test_what_an_identity_states_is_verified_as_its_own(
    server: SigstoreServer, store: MemoryArtifacts, image: Digest, tmp_path: Path, clock: ManualClock
) -> None:
    signer = SigstoreSigner(server.token(WHO, ISSUER), server.trust_config(tmp_path))
    assert signer.identity == WHO
    keyless = Keyless(store, signer, clock)
    keyless.state(image, REPOSITORY, SIGNATURE, {})
    keyless.state(image, REPOSITORY, PROVENANCE, {"buildDefinition": {"é": "ü"}})

    checked = Signatures(store, list, SigstoreIdentities(tmp_path / "root.json")).of(image, REPOSITORY, clock.now())
    assert {(one.what, one.predicate_type, one.identity, one.issuer, one.problem) for one in checked} == {
        ("signature", SIGNATURE, WHO, ISSUER, ""),
        ("attestation", PROVENANCE, WHO, ISSUER, ""),
    }
    assert [one.predicate for one in checked if one.what == "attestation"] == [{"buildDefinition": {"é": "ü"}}]


def test_nothing_is_put_beside_an_image_that_is_not_there(
    server: SigstoreServer, store: MemoryArtifacts, tmp_path: Path, clock: ManualClock
) -> None:
    signer = SigstoreSigner(server.token(WHO, ISSUER), server.trust_config(tmp_path))
    with pytest.raises(NotFound):
        Keyless(store, signer, clock).state(Digest.of(b"none"), REPOSITORY, SIGNATURE, {})


@pytest.mark.parametrize("refuses", ["signingCert", "log/entries"])
def test_an_authority_or_a_log_that_refuses_is_told(
    server: SigstoreServer, store: MemoryArtifacts, image: Digest, tmp_path: Path, clock: ManualClock, refuses: str
) -> None:
    token = server.token(WHO, ISSUER)
    signer = SigstoreSigner(token, server.trust_config(tmp_path))
    server.refuses = refuses
    with pytest.raises(KeylessUnavailable, match=f"{WHO} could not sign: .*400") as raised:
        Keyless(store, signer, clock).state(image, REPOSITORY, SIGNATURE, {})
    assert token not in str(raised.value)
    assert store.referrers(REPOSITORY, image) == []


def test_an_instance_that_the_root_of_trust_does_not_know_signs_nothing(
    server: SigstoreServer, store: MemoryArtifacts, image: Digest, tmp_path: Path, clock: ManualClock
) -> None:
    signer = SigstoreSigner(server.token(WHO, ISSUER), server.trust_config(tmp_path))
    server.instance = SigstoreInstance(datetime.now(UTC))
    with pytest.raises(KeylessUnavailable, match="could not sign"):
        Keyless(store, signer, clock).state(image, REPOSITORY, SIGNATURE, {})
    assert store.referrers(REPOSITORY, image) == []


def test_nobody_answers(server: SigstoreServer, tmp_path: Path) -> None:
    server.url = "http://127.0.0.1:9"
    signer = SigstoreSigner(server.token(WHO, ISSUER), server.trust_config(tmp_path))
    with pytest.raises(KeylessUnavailable, match="could not sign"):
        signer.sign(b"{}")


def test_a_token_that_does_not_hold_is_not_quoted(server: SigstoreServer, tmp_path: Path) -> None:
    config = server.trust_config(tmp_path)
    for token in ("secret", server.token(WHO, ISSUER, minutes=-1), server.token(WHO, ISSUER, audience="other")):
        with pytest.raises(KeylessUnavailable, match="identity token") as raised:
            SigstoreSigner(token, config)
        assert token not in str(raised.value)


def test_without_a_token_and_a_pipeline_nobody_signs(
    server: SigstoreServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "CIRCLECI", "GOOGLE_SERVICE_ACCOUNT_NAME"):
        monkeypatch.delenv(name, raising=False)
    config = server.trust_config(tmp_path)
    with pytest.raises(KeylessUnavailable, match="--identity-token-file"):
        SigstoreSigner("", config)
    monkeypatch.setenv("GITLAB_CI", "true")
    monkeypatch.setenv("SIGSTORE_ID_TOKEN", server.token(WHO, ISSUER))
    assert SigstoreSigner("", config).identity == WHO


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"mediaType": 1}', "\x00", json.dumps({"trustedRoot": {}})])
def test_a_file_that_is_no_trust_config_is_told(server: SigstoreServer, tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(content)
    with pytest.raises(KeylessUnavailable, match=r"trust.?config|ClientTrustConfig"):
        SigstoreSigner(server.token(WHO, ISSUER), path)
    with pytest.raises(KeylessUnavailable, match="cannot be read"):
        SigstoreSigner(server.token(WHO, ISSUER), tmp_path / "none.json")
