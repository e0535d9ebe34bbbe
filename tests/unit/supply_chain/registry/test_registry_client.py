"""The client of other registries against upstreams that challenge, redirect and lie."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from lading.kernel.digest import Digest
from lading.kernel.reference import Reference
from lading.supply_chain.registry.access import Visitor
from lading.supply_chain.registry.client import RemoteRegistry
from lading.supply_chain.registry.copying import Copied, ImageSink, ImageSource, copy_image
from lading.supply_chain.registry.errors import (
    BlobUnknown,
    ContentMismatch,
    DigestInvalid,
    ManifestInvalid,
    ManifestUnknown,
    RegistryError,
    RemoteDenied,
    RemoteFailed,
)
from lading.supply_chain.registry.local import RegistrySink
from lading.supply_chain.registry.manifest import OCI_INDEX, OCI_MANIFEST

SINK = Visitor("system:mirror", "library")


def mirror(wanted: Reference, upstream: ImageSource, into: ImageSink, *, platform: str = "") -> Copied:
    """Copy one image under its own path and tag."""
    reference = str(wanted.digest) if wanted.digest else wanted.tag
    return copy_image(upstream, wanted.path, reference, into, tag=wanted.tag, platform=platform)


class Upstream:
    """A public registry with the token flow, whose blobs lie elsewhere."""

    def __init__(self) -> None:
        self.content: dict[str, tuple[str, bytes]] = {}
        self.seen: list[httpx.Request] = []
        self.realm = "https://tokens.example/token"
        self.prefix = "t-"

    def add(self, media_type: str, content: bytes, tag: str = "") -> dict[str, Any]:
        digest = str(Digest.of(content))
        self.content[digest] = (media_type, content)
        if tag:
            self.content[tag] = (media_type, content)
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def image(self, text: str, tag: str = "") -> dict[str, Any]:
        config = self.add("application/vnd.oci.image.config.v1+json", json.dumps({"text": text}).encode())
        layer = self.add("application/vnd.oci.image.layer.v1.tar", text.encode())
        body = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [layer]}
        return self.add(OCI_MANIFEST, json.dumps(body).encode(), tag)

    def index(self, tag: str = "") -> dict[str, Any]:
        members = []
        for machine in ("arm64", "amd64"):
            platform = {"os": "linux", "architecture": machine}
            members.append(self.image(machine) | {"platform": platform})
        body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": members}
        return self.add(OCI_INDEX, json.dumps(body).encode(), tag)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        if request.url.host == "tokens.example":
            return httpx.Response(200, json={"token": self.prefix + request.url.params["scope"]})
        if request.url.host == "blobs.example":
            return httpx.Response(200, content=self.content[request.url.path[1:]][1])
        if request.headers.get("authorization", "") != "Bearer t-repository:library/os:pull":
            challenge = f'Bearer realm="{self.realm}",service="upstream",scope="repository:library/os:pull"'
            return httpx.Response(401, headers={"WWW-Authenticate": challenge})
        _, kind, name = request.url.path.rsplit("/", 2)
        if name not in self.content:
            return httpx.Response(404)
        media_type, content = self.content[name]
        if kind == "blobs":
            return httpx.Response(307, headers={"Location": f"https://blobs.example/{name}"})
        return httpx.Response(200, content=content, headers={"Content-Type": media_type})

    def client(self, url: str = "https://registry.example") -> RemoteRegistry:
        return RemoteRegistry(url, "me", "my-secret", transport=httpx.MockTransport(self))


def test_a_mirrored_tag_brings_our_platform_and_starts_in_quarantine(bench: Any) -> None:
    upstream = Upstream()
    upstream.index("1")
    sink = RegistrySink(bench.registry, SINK)
    found = mirror(Reference("library/os", tag="1"), upstream.client(), sink, platform="linux/amd64").digest
    assert bench.registry.resolve("library/os", "1").digest == found
    assert bench.registry.config(found) == {"text": "amd64"}
    assert bench.states.state(found).state == "quarantined"


def test_a_mirrored_digest_brings_exactly_that(bench: Any) -> None:
    upstream = Upstream()
    index = Digest.parse(upstream.index()["digest"])
    wanted = Reference("library/os", digest=index)
    assert mirror(wanted, upstream.client(), RegistrySink(bench.registry, SINK)).digest == index
    assert len(bench.registry.images_in(index)) == 2


def test_what_is_here_already_is_not_fetched_again(bench: Any) -> None:
    upstream = Upstream()
    upstream.image("one", "1")
    sink = RegistrySink(bench.registry, SINK)
    assert mirror(Reference("library/os", tag="1"), upstream.client(), sink).moved == 2
    upstream.seen.clear()
    assert mirror(Reference("library/os", tag="1"), upstream.client(), sink).moved == 0
    assert not [request for request in upstream.seen if request.url.host == "blobs.example"]


def test_credentials_go_to_the_registry_and_its_token_service_only(bench: Any) -> None:
    upstream = Upstream()
    upstream.image("one", "1")
    mirror(Reference("library/os", tag="1"), upstream.client(), RegistrySink(bench.registry, SINK))
    for request in upstream.seen:
        if request.url.host == "blobs.example":
            assert "authorization" not in request.headers
    assert any(request.url.host == "blobs.example" for request in upstream.seen)


@pytest.mark.parametrize("realm", ["http://tokens.example/token", "file:///etc/passwd", ""])
def test_credentials_go_nowhere_without_tls(realm: str) -> None:
    upstream = Upstream()
    upstream.realm = realm
    with pytest.raises((RemoteFailed, RemoteDenied)):
        upstream.client().manifest("library/os", "1")
    assert [request.url.host for request in upstream.seen] == ["registry.example"]


def test_a_token_that_ran_out_is_renewed() -> None:
    upstream = Upstream()
    upstream.image("one", "1")
    client = upstream.client()
    upstream.prefix = "other-"
    with pytest.raises(RemoteDenied):
        client.manifest("library/os", "1")
    upstream.prefix = "t-"
    assert client.manifest("library/os", "1").media_type == OCI_MANIFEST


def test_a_registry_that_refuses_the_token_is_asked_once() -> None:
    upstream = Upstream()
    upstream.prefix = "other-"
    with pytest.raises(RemoteDenied):
        upstream.client().manifest("library/os", "1")
    assert len(upstream.seen) == 3


def _swap(upstream: Upstream, digest: str) -> None:
    upstream.content[digest] = (upstream.content[digest][0], b"something else")


def _grow(upstream: Upstream, digest: str) -> None:
    upstream.content[digest] = (upstream.content[digest][0], b"x" * 10_000_000)


def _drop(upstream: Upstream, digest: str) -> None:
    del upstream.content[digest]


@pytest.mark.parametrize(
    ("harm", "expected"), [(_swap, ContentMismatch), (_grow, ContentMismatch), (_drop, BlobUnknown)]
)
def test_a_layer_that_is_not_what_it_says_is_not_taken(
    bench: Any, harm: Callable[[Upstream, str], None], expected: type[RegistryError]
) -> None:
    upstream = Upstream()
    digest = upstream.image("one", "1")["digest"]
    harm(upstream, json.loads(upstream.content[digest][1])["layers"][0]["digest"])
    with pytest.raises((expected, DigestInvalid)):
        mirror(Reference("library/os", tag="1"), upstream.client(), RegistrySink(bench.registry, SINK))
    assert bench.registry.repositories() == ["library/os"]
    assert bench.registry.tags("library/os") == []
    assert bench.blobs.expire(older_than=0) == 0


@pytest.mark.parametrize(
    ("harm", "expected"), [(_swap, ContentMismatch), (_grow, ContentMismatch), (_drop, ManifestUnknown)]
)
def test_a_manifest_that_is_not_what_was_asked_for_is_not_taken(
    bench: Any, harm: Callable[[Upstream, str], None], expected: type[RegistryError]
) -> None:
    upstream = Upstream()
    digest = upstream.image("one")["digest"]
    harm(upstream, digest)
    with pytest.raises(expected):
        mirror(
            Reference("library/os", digest=Digest.parse(digest)),
            upstream.client(),
            RegistrySink(bench.registry, SINK),
        )


def test_another_valid_manifest_under_a_digest_is_noticed(bench: Any) -> None:
    upstream = Upstream()
    wanted, other = upstream.image("one")["digest"], upstream.image("two")["digest"]
    upstream.content[wanted] = upstream.content[other]
    with pytest.raises(ContentMismatch, match="serves"):
        mirror(
            Reference("library/os", digest=Digest.parse(wanted)),
            upstream.client(),
            RegistrySink(bench.registry, SINK),
        )


def test_an_index_without_our_platform_says_what_it_has(bench: Any) -> None:
    upstream = Upstream()
    upstream.index("1")
    with pytest.raises(ManifestInvalid, match="linux/amd64, linux/arm64"):
        mirror(
            Reference("library/os", tag="1"),
            upstream.client(),
            RegistrySink(bench.registry, SINK),
            platform="linux/s390x",
        )


def test_an_upstream_that_does_not_answer_is_a_clear_error() -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route to host")

    remote = RemoteRegistry("https://registry.example", transport=httpx.MockTransport(broken))
    with pytest.raises(RemoteFailed, match="no route to host"):
        remote.manifest("library/os", "1")
    remote = RemoteRegistry(
        "https://registry.example",
        transport=httpx.MockTransport(lambda _request: httpx.Response(502, text="bad gateway")),
    )
    with pytest.raises(RemoteFailed, match="502: bad gateway"):
        remote.manifest("library/os", "1")
