"""Signatures by identities, against an instance of sigstore of the test's own."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lading.kernel.digest import Digest
from lading.supply_chain.attest.bundle import Bundle
from lading.supply_chain.attest.errors import KeylessUnavailable, SignatureInvalid
from lading.supply_chain.attest.identities_sigstore import SigstoreIdentities
from lading.supply_chain.attest.statement import PROVENANCE, Statement
from sigstore_instance import SigstoreInstance

NOW = datetime.now(UTC)
MANIFEST = b'{"schemaVersion": 2}'
IMAGE = Digest.of(MANIFEST)
STATEMENT = Statement((("shop/web", IMAGE),), PROVENANCE, {"buildDefinition": {}}).encode()
PIPELINE, ISSUER = "https://ci.example/shop/.ci/release.yml@refs/heads/main", "https://ci.example"


@pytest.fixture(scope="module")
def instance() -> SigstoreInstance:
    return SigstoreInstance(NOW)


@pytest.fixture
def identities(instance: SigstoreInstance, tmp_path: Path) -> SigstoreIdentities:
    return SigstoreIdentities(instance.trusted_root(tmp_path / "trusted_root.json"))


def test_a_statement_of_a_pipeline_names_it_its_moment_and_its_claims(
    instance: SigstoreInstance, identities: SigstoreIdentities
) -> None:
    long = "https://ci.example/" + "r" * 150
    signed = instance.state(STATEMENT, PIPELINE, ISSUER, _12="https://ci.example/shop", _14="refs/heads/main", _21=long)

    found = identities.verify(Bundle.decode(signed), IMAGE)

    assert (found.subject, found.issuer, found.at) == (PIPELINE, ISSUER, instance.now)
    assert found.claims == {
        "source_repository": "https://ci.example/shop",
        "source_ref": "refs/heads/main",
        "run": long,
    }


def test_a_signature_of_a_person_over_a_manifest(instance: SigstoreInstance, identities: SigstoreIdentities) -> None:
    signed = instance.sign(MANIFEST, "maria@example.org", "https://accounts.example")

    found = identities.verify(Bundle.decode(signed), IMAGE)
    assert (found.subject, found.issuer) == ("maria@example.org", "https://accounts.example")
    with pytest.raises(SignatureInvalid):
        identities.verify(Bundle.decode(signed), Digest.of(b"another"))


def flipped(text: str) -> str:
    content = bytearray(base64.b64decode(text))
    content[len(content) // 2] ^= 1
    return base64.b64encode(content).decode()


def entry(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["verificationMaterial"]["tlogEntries"][0]
    return found


def other_payload(document: dict[str, Any]) -> None:
    document["dsseEnvelope"]["payload"] = base64.b64encode(STATEMENT + b" ").decode()


def other_signature(document: dict[str, Any]) -> None:
    signature = document["dsseEnvelope"]["signatures"][0]
    signature["sig"] = flipped(signature["sig"])


def other_promise(document: dict[str, Any]) -> None:
    promise = entry(document)["inclusionPromise"]
    promise["signedEntryTimestamp"] = flipped(promise["signedEntryTimestamp"])


def other_root(document: dict[str, Any]) -> None:
    proof = entry(document)["inclusionProof"]
    proof["rootHash"] = flipped(proof["rootHash"])


def later(document: dict[str, Any]) -> None:
    """Signed, it says, when the certificate had ended."""
    entry(document)["integratedTime"] = str(int((NOW + timedelta(days=1)).timestamp()))


def other_certificate(document: dict[str, Any]) -> None:
    certificate = document["verificationMaterial"]["certificate"]
    certificate["rawBytes"] = flipped(certificate["rawBytes"])


def no_entry(document: dict[str, Any]) -> None:
    document["verificationMaterial"]["tlogEntries"] = []


def no_proof(document: dict[str, Any]) -> None:
    del entry(document)["inclusionProof"]


def odd_entry(document: dict[str, Any]) -> None:
    entry(document)["canonicalizedBody"] = base64.b64encode(b"[]").decode()


@pytest.mark.parametrize(
    "change",
    [
        other_payload,
        other_signature,
        other_promise,
        other_root,
        later,
        other_certificate,
        no_entry,
        no_proof,
        odd_entry,
    ],
)
def test_what_was_changed_holds_no_more(
    instance: SigstoreInstance, identities: SigstoreIdentities, change: Callable[[dict[str, Any]], None]
) -> None:
    document = json.loads(instance.state(STATEMENT, PIPELINE, ISSUER))
    change(document)

    with pytest.raises(SignatureInvalid):
        identities.verify(Bundle.decode(json.dumps(document).encode()), IMAGE)


def test_another_instance_is_not_trusted(identities: SigstoreIdentities) -> None:
    signed = SigstoreInstance(NOW).state(STATEMENT, PIPELINE, ISSUER)

    with pytest.raises(SignatureInvalid, match="does not hold"):
        identities.verify(Bundle.decode(signed), IMAGE)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"mediaType": "x"}', "\x00", '{"tlogs": 3}'])
def test_a_file_that_is_no_root_of_trust_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "root.json").write_text(content)

    with pytest.raises(KeylessUnavailable, match="root of trust"):
        SigstoreIdentities(tmp_path / "root.json")
    with pytest.raises(KeylessUnavailable, match="cannot be read"):
        SigstoreIdentities(tmp_path / "none.json")
