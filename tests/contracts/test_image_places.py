"""What every source and every sink of images must do: a layout, a registry over HTTP, our own registry."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from lading.entrypoints.registry.push import push_app
from lading.facts import Ledger
from lading.kernel.digest import Digest
from lading.state import Database, metadata
from lading.supply_chain.registry.access import FixedAuthenticator, Visitor
from lading.supply_chain.registry.blobs import MemoryBlobs
from lading.supply_chain.registry.client import RemoteRegistry
from lading.supply_chain.registry.copying import ImageSink, ImageSource, copy_image
from lading.supply_chain.registry.errors import (
    BlobUnknown,
    DigestInvalid,
    ManifestBlobUnknown,
    ManifestUnknown,
    RegistryError,
)
from lading.supply_chain.registry.layout import LayoutSource
from lading.supply_chain.registry.local import RegistrySink
from lading.supply_chain.registry.manifest import OCI_INDEX, OCI_MANIFEST
from lading.supply_chain.registry.registry import Registry
from lading.supply_chain.registry.states import ImageStates

CONFIG, LAYER = b'{"architecture": "amd64"}', b"x" * 3_000_000


def part(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": str(Digest.of(content)), "size": len(content)}


BODY = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": part("application/vnd.oci.image.config.v1+json", CONFIG),
        "layers": [part("application/vnd.oci.image.layer.v1.tar", LAYER)],
    }
).encode()
INDEX = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [part(OCI_MANIFEST, BODY)]}).encode()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    database, ledger = Database(f"sqlite:///{tmp_path / 'state.db'}"), Ledger()
    metadata.create_all(database.engine)
    yield Registry(database, ledger, MemoryBlobs(), ImageStates(database, ledger))
    database.close()


@pytest.fixture
def remote(registry: Registry) -> Iterator[RemoteRegistry]:
    app = push_app(registry, FixedAuthenticator({"shop": ("secret", "shop")}))
    found = RemoteRegistry("http://registry.test", "shop", "secret", transport=InProcess(app))
    yield found
    found.close()


class InProcess(httpx.BaseTransport):
    """HTTP to an application in this process."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        content = request.read()

        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self._app)) as client:
                return await client.request(request.method, request.url, headers=request.headers, content=content)

        found = asyncio.run(ask())
        chunks = (found.content[at : at + 1_000_000] for at in range(0, len(found.content), 1_000_000))
        return httpx.Response(found.status_code, headers=found.headers, content=chunks)


@pytest.fixture(params=["local", "remote"])
def sink(request: pytest.FixtureRequest, registry: Registry) -> ImageSink:
    if request.param == "local":
        return RegistrySink(registry, Visitor("system:test", "shop"))
    found: ImageSink = request.getfixturevalue("remote")
    return found


@pytest.fixture(params=["layout", "remote"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> ImageSource:
    """A place that holds the index as `1`."""
    if request.param == "remote":
        remote: RemoteRegistry = request.getfixturevalue("remote")
        fill(remote)
        return remote
    blobs = tmp_path / "layout" / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for content in (CONFIG, LAYER, BODY, INDEX):
        (blobs / Digest.of(content).hex).write_bytes(content)
    entry = part(OCI_INDEX, INDEX) | {"annotations": {"org.opencontainers.image.ref.name": "1"}}
    (tmp_path / "layout" / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    return LayoutSource(tmp_path / "layout")


def fill(sink: ImageSink) -> None:
    for content in (CONFIG, LAYER):
        sink.put_blob("shop/web", Digest.of(content), [content])
    sink.put_manifest("shop/web", str(Digest.of(BODY)), OCI_MANIFEST, BODY)
    sink.put_manifest("shop/web", "1", OCI_INDEX, INDEX)


@pytest.mark.parametrize("reference", ["1", str(Digest.of(INDEX))])
def test_a_source_gives_manifests_by_tag_and_digest(source: ImageSource, reference: str) -> None:
    assert source.manifest("shop/web", reference) == (OCI_INDEX, INDEX)
    assert source.manifest("shop/web", str(Digest.of(BODY))).body == BODY


def test_a_source_gives_blobs_in_chunks(source: ImageSource) -> None:
    with source.open_blob("shop/web", Digest.of(LAYER)) as chunks:
        found = list(chunks)
    assert b"".join(found) == LAYER
    assert len(found) > 1


def test_what_a_source_does_not_have_is_unknown(source: ImageSource) -> None:
    for reference in ("2", str(Digest.of(b"nothing"))):
        with pytest.raises(ManifestUnknown):
            source.manifest("shop/web", reference)
    with pytest.raises(BlobUnknown), source.open_blob("shop/web", Digest.of(b"nothing")):
        pass


def test_a_sink_keeps_what_it_is_given(sink: ImageSink, registry: Registry) -> None:
    assert not sink.has_blob("shop/web", Digest.of(LAYER))
    fill(sink)
    assert sink.has_blob("shop/web", Digest.of(LAYER))
    assert registry.resolve("shop/web", "1").digest == Digest.of(INDEX)


def test_a_sink_keeps_nothing_that_has_another_digest(sink: ImageSink) -> None:
    with pytest.raises(DigestInvalid):
        sink.put_blob("shop/web", Digest.of(b"expected"), [b"some", b"thing else"])
    assert not sink.has_blob("shop/web", Digest.of(b"expected"))


def test_a_sink_takes_no_incomplete_image(sink: ImageSink) -> None:
    sink.put_blob("shop/web", Digest.of(CONFIG), [CONFIG])
    with pytest.raises(RegistryError) as caught:
        sink.put_manifest("shop/web", "1", OCI_MANIFEST, BODY)
    assert isinstance(caught.value, ManifestBlobUnknown) or "MANIFEST_BLOB_UNKNOWN" in str(caught.value)


def test_an_image_comes_through_every_pair_unchanged(source: ImageSource, sink: ImageSink, registry: Registry) -> None:
    copied = copy_image(source, "shop/web", "1", sink, to="shop/copy", tag="2")
    assert copied.digest == registry.resolve("shop/copy", "2").digest == Digest.of(INDEX)
    assert (copied.blobs, copied.moved, copied.bytes) == (2, 2, len(CONFIG) + len(LAYER))


def test_a_source_that_breaks_off_leaves_nothing(sink: ImageSink, registry: Registry) -> None:
    def breaking() -> Iterator[bytes]:
        yield LAYER[:100]
        raise BlobUnknown("The source broke off.")

    with pytest.raises(RegistryError):
        sink.put_blob("shop/web", Digest.of(LAYER), breaking())
    assert not sink.has_blob("shop/web", Digest.of(LAYER))
