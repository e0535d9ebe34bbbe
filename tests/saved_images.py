"""Images as archives, for tests: the older form of `docker save` and OCI image layouts, made by hand."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tar_layers import directory, symlink, tar

LAYER = "application/vnd.oci.image.layer.v1.tar"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def configuration(*layers: bytes, architecture: str = "amd64", **config: Any) -> bytes:
    return json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(layer)}" for layer in layers]},
        }
    ).encode()


def docker_archive(*layers: bytes, tag: str = "shop/web:1", linked: bool = False, **config: Any) -> bytes:
    """What `docker save` of older engines writes; `linked` makes the last layer a link to the first."""
    body = configuration(*layers, **config)
    paths = [f"{number:064x}/layer.tar" for number in range(len(layers))]
    members: list[Any] = [directory(path.partition("/")[0]) for path in paths]
    members += [(path, layer) for path, layer in zip(paths, layers, strict=True)]
    if linked:
        members[-1] = symlink(paths[-1], f"../{paths[0]}")
    listed = [{"Config": f"{sha256(body)}.json", "RepoTags": [tag], "Layers": paths}]
    members += [(f"{sha256(body)}.json", body), ("manifest.json", json.dumps(listed).encode())]
    return tar(*members)


class Layout:
    """An OCI image layout in the making."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.entries: list[dict[str, Any]] = []

    def blob(self, content: bytes, media_type: str) -> dict[str, Any]:
        self.blobs[f"blobs/sha256/{sha256(content)}"] = content
        return {"mediaType": media_type, "digest": f"sha256:{sha256(content)}", "size": len(content)}

    def image(self, *layers: bytes, architecture: str = "amd64", **config: Any) -> dict[str, Any]:
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.blob(configuration(*layers, architecture=architecture, **config), CONFIG),
            "layers": [self.blob(layer, LAYER) for layer in layers],
        }
        made = self.blob(json.dumps(manifest).encode(), MANIFEST)
        return made | {"platform": {"os": "linux", "architecture": architecture}}

    def index(self, *members: dict[str, Any]) -> dict[str, Any]:
        body = {"schemaVersion": 2, "mediaType": INDEX, "manifests": list(members)}
        return self.blob(json.dumps(body).encode(), INDEX)

    def name(self, entry: dict[str, Any], name: str = "1") -> None:
        self.entries.append(entry | {"annotations": {"org.opencontainers.image.ref.name": name}})

    def files(self) -> dict[str, bytes]:
        index = json.dumps({"schemaVersion": 2, "manifests": self.entries}).encode()
        return {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": index, **self.blobs}

    def archive(self) -> bytes:
        return tar(*self.files().items())

    def write(self, directory: Path) -> Path:
        for path, content in self.files().items():
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            (directory / path).write_bytes(content)
        return directory
