"""What every upstream must do: one in memory, one over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from contracts.test_image_places import InProcess
from lading.entrypoints.registry.push import push_app
from lading.facts import Ledger
from lading.kernel.clock import ManualClock
from lading.kernel.digest import Digest
from lading.state import Database, metadata
from lading.supply_chain.registry.access import FixedAuthenticator, Visitor
from lading.supply_chain.registry.blobs import MemoryBlobs
from lading.supply_chain.registry.errors import BlobUnknown, ManifestUnknown
from lading.supply_chain.registry.manifest import OCI_MANIFEST
from lading.supply_chain.registry.mirroring.upstream_http import HttpUpstream
from lading.supply_chain.registry.mirroring.upstream_memory import MemoryUpstream
from lading.supply_chain.registry.mirroring.upstream_registry import UpstreamRegistry
from lading.supply_chain.registry.registry import Registry
from lading.supply_chain.registry.replication.pace import Pace
from lading.supply_chain.registry.states import ImageStates

VISITOR = Visitor("robot:shop/ci", "shop")
LAYER = b"x" * 2_500_000


class Filled(Protocol):
    """A place to put what the upstream then has."""

    def put_blob(self, repository: str, content: bytes) -> Digest: ...

    def put_manifest(self, repository: str, media_type: str, body: bytes, *, tag: str = "") -> Digest: ...


class _Filler:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def put_blob(self, repository: str, content: bytes) -> Digest:
        return self._registry.put_blob(repository, content, VISITOR)

    def put_manifest(self, repository: str, media_type: str, body: bytes, *, tag: str = "") -> Digest:
        reference = tag or str(Digest.of(body))
        return self._registry.put_manifest(repository, reference, media_type, body, VISITOR).digest


Subject = tuple[UpstreamRegistry, Filled]


@pytest.fixture(params=["memory", "http"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    if request.param == "memory":
        memory = MemoryUpstream()
        yield memory, memory
        return
    database, ledger = Database(f"sqlite:///{tmp_path / 'state.db'}"), Ledger()
    metadata.create_all(database.engine)
    registry = Registry(database, ledger, MemoryBlobs(), ImageStates(database, ledger))
    transport = InProcess(push_app(registry, FixedAuthenticator({"shop": ("secret", "shop")})))
    clock = ManualClock()
    found = HttpUpstream(
        "http://registry.test", "shop", "secret", clock=clock, pace=Pace(0, clock), transport=transport
    )
    yield found, _Filler(registry)
    found.close()
    database.close()


def image(into: Filled, tag: str, text: str = "one", subject: Digest | None = None) -> Digest:
    config = json.dumps({"architecture": "amd64", "n": text}).encode()
    parts = [{"mediaType": kind, "digest": str(into.put_blob("shop/web", content)), "size": len(content)}
             for kind, content in (("application/vnd.oci.image.config.v1+json", config),
                                   ("application/vnd.oci.image.layer.v1.tar", LAYER))]  # fmt: skip
    body = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": parts[0], "layers": parts[1:]}
    if subject is not None:
        body["subject"] = {"mediaType": OCI_MANIFEST, "digest": str(subject), "size": 1}
    return into.put_manifest("shop/web", OCI_MANIFEST, json.dumps(body).encode(), tag=tag)


def test_a_look_says_what_a_tag_names_and_whether_that_changed(subject: Subject) -> None:
    upstream, into = subject
    first = image(into, "1")
    looked = upstream.look("shop/web", "1")
    assert (looked.digest, looked.unchanged) == (str(first), False)
    again = upstream.look("shop/web", "1", looked.etag)
    assert looked.etag and again.unchanged
    second = image(into, "1", "two")
    moved = upstream.look("shop/web", "1", looked.etag)
    assert (moved.digest, moved.unchanged) == (str(second), False)


def test_what_it_does_not_have_is_unknown(subject: Subject) -> None:
    upstream, into = subject
    image(into, "1")
    with pytest.raises(ManifestUnknown):
        upstream.look("shop/web", "2")
    with pytest.raises(ManifestUnknown):
        upstream.manifest("shop/web", "2")
    with pytest.raises(ManifestUnknown):
        list(upstream.tags("shop/other"))
    with pytest.raises(BlobUnknown), upstream.open_blob("shop/web", Digest.of(b"nothing")):
        pass


def test_it_serves_manifests_and_blobs_in_chunks(subject: Subject) -> None:
    upstream, into = subject
    digest = image(into, "1")
    assert Digest.of(upstream.manifest("shop/web", "1").body) == digest
    assert Digest.of(upstream.manifest("shop/web", str(digest)).body) == digest
    with upstream.open_blob("shop/web", Digest.of(LAYER)) as chunks:
        found = list(chunks)
    assert b"".join(found) == LAYER and len(found) > 1


def test_it_lists_tags_repositories_and_referrers(subject: Subject) -> None:
    upstream, into = subject
    digest = image(into, "1")
    image(into, "2")
    referrer = image(into, "", "three", digest)
    assert list(upstream.tags("shop/web")) == ["1", "2"]
    assert list(upstream.repositories()) == ["shop/web"]
    assert upstream.referrers("shop/web", digest) == [referrer]
    assert upstream.referrers("shop/web", referrer) == []
    assert upstream.quota() is None
