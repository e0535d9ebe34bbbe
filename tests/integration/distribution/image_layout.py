"""An index for two platforms as an OCI image layout, and what a registry answers about it, byte for byte."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from integration.registry.conftest import MANIFEST, make_manifest, tar
from lading.kernel.digest import Digest

INDEX = "application/vnd.oci.image.index.v1+json"
TAG = "1.0"
NOTHING = Digest.of(b"")


@dataclass
class Layout:
    """A layout on disk: its directory, every blob, and the index that `TAG` names."""

    directory: Path
    blobs: dict[Digest, bytes] = field(default_factory=dict)
    images: list[Digest] = field(default_factory=list)
    index: Digest = NOTHING

    def add(self, content: bytes) -> Digest:
        digest = Digest.of(content)
        (self.directory / "blobs" / "sha256" / digest.hex).write_bytes(content)
        self.blobs[digest] = content
        return digest


def write_layout(directory: Path, text: str, size: int = 0) -> Layout:
    """Two images that share a layer of `size` bytes, in an index tagged `TAG`."""
    (directory / "blobs" / "sha256").mkdir(parents=True)
    made = Layout(directory)
    shared = tar("shared", (text.encode() * (size // len(text) + 1))[:size])
    entries: list[dict[str, Any]] = []
    for architecture in ("amd64", "arm64"):
        layer = tar("file", f"{text} for {architecture}".encode())
        platform = {"architecture": architecture, "os": "linux"}
        diffs = [str(Digest.of(one)) for one in (shared, layer)]
        config = json.dumps({**platform, "config": {}, "rootfs": {"type": "layers", "diff_ids": diffs}}).encode()
        packed = [gzip.compress(one, mtime=0) for one in (shared, layer)]
        body = make_manifest(config, *packed).replace(b'layer.v1.tar"', b'layer.v1.tar+gzip"')
        for content in (*packed, config):
            made.add(content)
        made.images.append(made.add(body))
        entries.append({"mediaType": MANIFEST, "digest": str(made.images[-1]), "size": len(body), "platform": platform})
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
    made.index = made.add(index)
    named = {"mediaType": INDEX, "digest": str(made.index), "size": len(index)}
    named["annotations"] = {"org.opencontainers.image.ref.name": TAG}
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return made


def assert_served(client: httpx.Client, repository: str, layout: Layout, tag: str = TAG) -> None:
    """The registry has the index under the tag, and everything below it, as it is in the layout."""
    answer = client.get(f"/v2/{repository}/manifests/{tag}")
    assert (answer.status_code, answer.headers["docker-content-digest"]) == (200, str(layout.index))
    manifests = {layout.index, *layout.images}
    for digest, content in layout.blobs.items():
        kind = "manifests" if digest in manifests else "blobs"
        answer = client.get(f"/v2/{repository}/{kind}/{digest}")
        assert (answer.status_code, answer.content) == (200, content), (kind, digest)


def push_layout(client: httpx.Client, repository: str, layout: Layout) -> None:
    """Push a layout without any client's help."""
    manifests = [*layout.images, layout.index]
    for digest, content in layout.blobs.items():
        if digest not in manifests:
            assert client.post(f"/v2/{repository}/blobs/uploads/?digest={digest}", content=content).status_code == 201
    for digest in manifests:
        kind = INDEX if digest == layout.index else MANIFEST
        reference = TAG if digest == layout.index else str(digest)
        path = f"/v2/{repository}/manifests/{reference}"
        answer = client.put(path, content=layout.blobs[digest], headers={"Content-Type": kind})
        assert answer.status_code == 201, answer.text
