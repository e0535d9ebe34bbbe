"""What every store of signatures and attestations must do. Wiring's adapter over the registry joins the list there."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from lading.kernel.canonical import canonical_json
from lading.kernel.digest import Digest
from lading.kernel.errors import LadingError, NotFound
from lading.supply_chain.attest.artifacts import (
    EMPTY,
    EMPTY_CONTENT,
    MANIFEST,
    ArtifactStore,
    MemoryArtifacts,
    descriptor,
)

STORES: dict[str, Callable[[], ArtifactStore]] = {"memory": MemoryArtifacts}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> ArtifactStore:
    return STORES[request.param]()


def manifest(store: ArtifactStore, blob: bytes = b"blob", subject: bytes | None = None) -> bytes:
    store.put_blob("shop/web", EMPTY_CONTENT)
    store.put_blob("shop/web", blob)
    body = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": "application/x-test",
        "config": descriptor(EMPTY, EMPTY_CONTENT),
        "layers": [descriptor("application/octet-stream", blob)],
    }
    return canonical_json(body | ({"subject": descriptor(MANIFEST, subject)} if subject else {}))


def test_what_was_put_is_read_by_digest_and_tag(store: ArtifactStore) -> None:
    content = manifest(store)
    digest = store.put_manifest("shop/web", content, tag="one")
    assert digest == Digest.of(content)
    assert store.manifest("shop/web", digest) == content
    assert json.loads(store.manifest("shop/web", "one")) == json.loads(content)
    assert store.blob("shop/web", Digest.of(b"blob"), most=4) == b"blob"


def test_putting_again_changes_nothing_and_a_tag_moves(store: ArtifactStore) -> None:
    first, second = manifest(store), manifest(store, b"other")
    store.put_manifest("shop/web", first, tag="one")
    store.put_manifest("shop/web", first, tag="one")
    store.put_manifest("shop/web", second, tag="one")
    assert store.manifest("shop/web", "one") == second
    assert store.manifest("shop/web", Digest.of(first)) == first


def test_referrers_are_those_of_the_subject_and_the_repository(store: ArtifactStore) -> None:
    image = manifest(store)
    subject = store.put_manifest("shop/web", image)
    assert store.referrers("shop/web", subject) == []
    referring = store.put_manifest("shop/web", manifest(store, b"other", image))
    found = store.referrers("shop/web", subject)
    assert [(one.digest, one.artifact_type) for one in found] == [(referring, "application/x-test")]
    assert store.referrers("shop/other", subject) == []


def test_what_is_not_there_or_too_large_is_an_error(store: ArtifactStore) -> None:
    store.put_blob("shop/web", b"blob")
    for missing in (Digest.of(b"nothing"), "nothing"):
        with pytest.raises(NotFound):
            store.manifest("shop/web", missing)
    with pytest.raises(NotFound):
        store.blob("shop/web", Digest.of(b"nothing"), most=10)
    with pytest.raises(LadingError):
        store.blob("shop/web", Digest.of(b"blob"), most=3)
