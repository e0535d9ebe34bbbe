"""Where one room's needs meet another room's offers: each class fits a port that the needing room owns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import IO, Any

from lading.kernel.digest import Digest
from lading.orchestration.rollout.deployments import Deployments
from lading.runtime_security.containers import RunningContainer
from lading.runtime_security.errors import ImageNotIndexed
from lading.runtime_security.sense.image_files import ImageFile
from lading.supply_chain.attest.artifacts import Artifact, annotations_of, read_manifest
from lading.supply_chain.attest.errors import MalformedEnvelope
from lading.supply_chain.inventory.cyclonedx import cyclonedx
from lading.supply_chain.inventory.errors import LayerMissing, NotInventoried
from lading.supply_chain.inventory.inventories import Inventories
from lading.supply_chain.inventory.source import LayerRef
from lading.supply_chain.registry.access import Visitor
from lading.supply_chain.registry.errors import BlobUnknown, ManifestUnknown
from lading.supply_chain.registry.manifest import OCI_MANIFEST
from lading.supply_chain.registry.reading import Reading
from lading.supply_chain.registry.registry import Registry

_SYSTEM = Visitor("system:attestations")


class RegistryLayers:
    """The registry as the inventory's LayerSource."""

    def __init__(self, registry: Reading) -> None:
        self._registry = registry

    def layers(self, image: Digest) -> Sequence[LayerRef]:
        try:
            return [LayerRef(item.digest, item.media_type, item.size) for item in self._registry.layers(image)]
        except ManifestUnknown as error:
            raise LayerMissing(error.what, remedy=error.remedy) from error

    def open(self, layer: Digest) -> IO[bytes]:
        try:
            return self._registry.open_blob(layer)
        except BlobUnknown as error:
            raise LayerMissing(error.what, remedy=error.remedy) from error


class RegistryArtifacts:
    """The registry as the ArtifactStore of signatures and attestations."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def put_blob(self, repository: str, content: bytes) -> Digest:
        return self._registry.put_blob(repository, content, _SYSTEM)

    def put_manifest(self, repository: str, content: bytes, *, tag: str = "") -> Digest:
        reference = tag or str(Digest.of(content))
        return self._registry.put_manifest(repository, reference, OCI_MANIFEST, content, _SYSTEM).digest

    def manifest(self, repository: str, reference: Digest | str) -> bytes:
        return self._registry.manifest(self._registry.resolve(repository, str(reference)).digest)

    def blob(self, repository: str, digest: Digest, *, most: int) -> bytes:
        if self._registry.blob_size(repository, digest) > most:
            raise MalformedEnvelope(f"Blob {digest} of {repository} is larger than {most} bytes.")
        with self._registry.open_blob(digest) as stream:
            return stream.read(most)

    def referrers(self, repository: str, subject: Digest) -> list[Artifact]:
        index = self._registry.referrers(repository, subject)
        return [
            Artifact(Digest.parse(item["digest"]), item.get("artifactType", ""), item.get("annotations") or {})
            for item in index["manifests"]
        ]


class RegistryBeginnings:
    """The registry as lineage's Images."""

    def __init__(self, registry: Reading) -> None:
        self._registry = registry

    def config(self, digest: Digest) -> dict[str, Any]:
        return self._registry.config(digest)

    def annotations(self, digest: Digest) -> dict[str, str]:
        return annotations_of(read_manifest(self._registry.manifest(digest)))

    def indexes_with(self, digest: Digest) -> list[Digest]:
        return self._registry.indexes_with(digest)


class RegistryOwners:
    """Whose a layer is: the team that owns the base it came with, or else the first image that was pushed with it."""

    def __init__(self, registry: Reading) -> None:
        self._registry = registry

    def owner(self, layer: str) -> str:
        origin = self._registry.origin(Digest.parse(layer)) if layer else None
        return origin.team if origin else ""

    def origin(self, layer: str) -> str:
        """The repository that a layer came with; empty when nobody knows."""
        found = self._registry.origin(Digest.parse(layer)) if layer else None
        return found.repository if found else ""


class RegistryHomes:
    """Where images are kept, for statements that count in some repositories or for some teams."""

    def __init__(self, registry: Reading) -> None:
        self._registry = registry

    def homes(self, image: str) -> Sequence[tuple[str, str]]:
        return [(row.repository, row.team) for row in self._registry.images(digest=Digest.parse(image))]


class InventoryBillOfMaterials:
    """The inventory of an image as CycloneDX."""

    def __init__(self, inventories: Inventories, registry: Reading) -> None:
        self._inventories = inventories
        self._registry = registry

    def of(self, image: Digest) -> dict[str, Any]:
        row = next(iter(self._registry.images(digest=image, limit=1)), None)
        name = f"{row.repository}@{image}" if row else str(image)
        # Dated by the push, so that the same image always has the same document.
        return cyclonedx(self._inventories.of(image), name=name, made=row.pushed if row else "")


class InventoryFiles:
    """The file indexes of images as runtime security's ImageFiles; the last few are kept in memory."""

    def __init__(self, inventories: Inventories) -> None:
        self._index = lru_cache(maxsize=16)(self._read)
        self._inventories = inventories

    def lookup(self, image: str, path: str) -> ImageFile | None:
        return self._index(image).get(path.strip("/"))

    def _read(self, image: str) -> dict[str, ImageFile]:
        try:
            files = self._inventories.files(Digest.parse(image))
        except NotInventoried as error:
            raise ImageNotIndexed(error.what, remedy=error.remedy) from error
        return {path: ImageFile(entry.sha256.hex(), entry.size) for path, entry in files.items() if entry.sha256}


class DeclaredWorkloads:
    """What was declared, as runtime security's Allowed."""

    def __init__(self, deployments: Deployments) -> None:
        self._deployments = deployments

    def allowed(self, container: RunningContainer) -> Mapping[str, Any] | None:
        for application in self._deployments.applications():
            for spec in application.workloads:
                if spec.name == container.workload and str(spec.digest()) == container.spec:
                    return spec.policy_input(container.image)
        return None
