"""One finished image as a directory in OCI image layout (image-spec 1.1, image-layout.md): blobs, index, version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from lading.kernel.canonical import canonical_json
from lading.kernel.digest import Digest

MANIFEST_TYPE: Final = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE: Final = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE: Final = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass(frozen=True, slots=True)
class LayerFile:
    """A compressed layer that lies in the layout's blobs already."""

    digest: Digest
    diff_id: Digest
    size: int
    created_by: str


@dataclass(frozen=True, slots=True)
class Layout:
    """What was written: digests of manifest and config, and the sum of all blobs in bytes."""

    manifest: Digest
    config: Digest
    size: int


def write_layout(
    directory: Path,
    layers: list[LayerFile],
    *,
    architecture: str,
    epoch: int,
    config: Mapping[str, Any],
    annotations: Mapping[str, str],
) -> Layout:
    """Write config, manifest and index around layers that are in `directory/blobs/sha256` already.

    Args:
        config: the `config` object of the image configuration (Env, Cmd, Labels, …).
        annotations: annotations of the manifest; also kept as labels, which engines show.
    """
    created = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    image = {
        "architecture": architecture,
        "os": "linux",
        "created": created,
        "config": {**config, "Labels": {**config.get("Labels", {}), **annotations}},
        "rootfs": {"type": "layers", "diff_ids": [str(layer.diff_id) for layer in layers]},
        "history": [{"created": created, "created_by": layer.created_by} for layer in layers],
    }
    config_digest, config_size = _blob(directory, canonical_json(image))
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": CONFIG_TYPE, "digest": str(config_digest), "size": config_size},
        "layers": [{"mediaType": LAYER_TYPE, "digest": str(item.digest), "size": item.size} for item in layers],
        "annotations": {"org.opencontainers.image.created": created, **annotations},
    }
    manifest_digest, manifest_size = _blob(directory, canonical_json(manifest))
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{"mediaType": MANIFEST_TYPE, "digest": str(manifest_digest), "size": manifest_size}],
    }
    (directory / "index.json").write_bytes(canonical_json(index))
    (directory / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}), encoding="ascii")
    total = config_size + manifest_size + sum(layer.size for layer in layers)
    return Layout(manifest_digest, config_digest, total)


def _blob(directory: Path, content: bytes) -> tuple[Digest, int]:
    digest = Digest.of(content)
    path = directory / "blobs" / "sha256" / digest.hex
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return digest, len(content)
