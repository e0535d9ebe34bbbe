"""An image out of any place that serves manifests and blobs: the manifest is checked, the platform chosen.

Used for registries, OCI layouts in directories and OCI layouts in archives alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Final

from lading.supply_chain.inventory.source import LayerRef
from lading.supply_chain.registry.copying import ImageSource, fetch_manifest
from lading.supply_chain.registry.manifest import IMAGES, INDEXES, Manifest, Part
from lading.supply_chain.registry.reading import read_config
from lading.supply_chain.scan.errors import TargetInvalid
from lading.supply_chain.scan.image import OpenedImage, checked

_MOST_CONFIG: Final = 4 << 20
_MOST_NESTING: Final = 4
_USUAL: Final = "linux/amd64"


def open_image(
    source: ImageSource, repository: str, reference: str, *, name: str, kind: str, platform: str = ""
) -> OpenedImage:
    """Open the image that `reference` (a tag or digest) names; of an index, its image for `platform`.

    Without a platform an index gives its image for linux/amd64, or the only one it has.

    Raises:
        TargetInvalid: the index has no image for the platform, or what is named is no image.
        RegistryError: the place does not have it, does not answer, or serves something else.
    """
    manifest, _ = fetch_manifest(source, repository, reference)
    chosen = platform
    for _ in range(_MOST_NESTING):
        if not manifest.is_index:
            break
        part = _member(manifest, platform)
        chosen = part.platform
        manifest, _ = fetch_manifest(source, repository, str(part.digest))
    layers = manifest.of_role("layer")
    if manifest.is_index or not manifest.is_runnable:
        raise TargetInvalid(f"{name} is no image: it is {manifest.artifact_type or manifest.media_type}.")
    foreign = [part for part in layers if part.foreign]
    configuration = _configuration(source, repository, manifest, name)

    @contextmanager
    def opened(layer: LayerRef) -> Iterator[IO[bytes]]:
        with source.open_blob(repository, layer.digest) as chunks, checked(chunks, layer.digest, layer.size) as stream:
            yield stream

    return OpenedImage(
        name=name,
        kind=kind,
        digest=manifest.digest,
        layers=tuple(LayerRef(part.digest, part.media_type, part.size) for part in layers if not part.foreign),
        open=opened,
        platform=chosen or _platform_of(configuration),
        configuration=configuration,
        notes=tuple(f"layer-foreign: {part.digest} lies elsewhere and was not read" for part in foreign),
    )


def _member(index: Manifest, platform: str) -> Part:
    # Attestations that build tools put into an index call themselves unknown/unknown.
    offered = [
        part for part in index.parts if part.media_type in IMAGES | INDEXES and part.platform != "unknown/unknown"
    ]
    for wanted in (platform,) if platform else (_USUAL,):
        for part in offered:
            if part.platform == wanted:
                return part
    if not platform and len(offered) == 1:
        return offered[0]
    shown = ", ".join(sorted({part.platform or "no platform" for part in offered})) or "nothing"
    raise TargetInvalid(
        f"The index {index.digest} has no image for {platform or _USUAL}.",
        remedy=f"Choose one with --platform; it has: {shown}.",
    )


def _configuration(source: ImageSource, repository: str, manifest: Manifest, name: str) -> dict[str, Any]:
    part = next(iter(manifest.of_role("config")), None)
    if part is None or part.foreign:
        return {}
    if part.size > _MOST_CONFIG:
        raise TargetInvalid(f"The configuration of {name} has {part.size} bytes; at most {_MOST_CONFIG} are read.")
    with source.open_blob(repository, part.digest) as chunks, checked(chunks, part.digest, part.size) as stream:
        return read_config(stream.read(_MOST_CONFIG + 1), name)


def _platform_of(configuration: dict[str, Any]) -> str:
    parts = [configuration.get("os"), configuration.get("architecture")]
    return "/".join(str(part)[:64] for part in parts) if all(parts) else ""
