"""CycloneDX 1.4 to 1.7 (ECMA-424), JSON: components, also nested ones, with their package URLs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from lading.supply_chain.inventory.sboms.packages import Collected

VERSIONS: Final = frozenset({"1.4", "1.5", "1.6", "1.7"})
_MOST_COMPONENTS: Final = 2_000_000
# What is not a package: a file, a device, the operating system itself (its release is in the package URLs).
_NO_PACKAGES: Final = frozenset({"file", "device", "device-driver", "data", "cryptographic-asset", "firmware"})
_SOURCES: Final = ("aquasecurity:trivy:SrcName", "syft:metadata:source")
_SOURCE_VERSIONS: Final = ("aquasecurity:trivy:SrcVersion", "syft:metadata:sourceVersion")
_PATHS: Final = ("lading:path", "aquasecurity:trivy:FilePath", "syft:location:0:path")
_LAYERS: Final = ("lading:layer", "aquasecurity:trivy:LayerDigest", "syft:location:0:layerID")


class _Property(msgspec.Struct):
    name: str = ""
    value: str = ""


class _License(msgspec.Struct, frozen=True):
    id: str = ""
    name: str = ""


class _Choice(msgspec.Struct):
    license: _License = _License()
    expression: str = ""


class Component(msgspec.Struct):
    """What is read of a component."""

    name: str
    type: str = "library"
    group: str = ""
    version: str = ""
    purl: str = ""
    licenses: list[_Choice] = []
    properties: list[_Property] = []
    components: list[Component] = []


class _Document(msgspec.Struct):
    components: list[Component] = []


def read(body: bytes) -> Collected:
    """The packages of a document; raises msgspec's errors."""
    collected = Collected()
    for component in _every(msgspec.json.decode(body, type=_Document).components):
        if component.type == "operating-system":
            collected.distribution, collected.release = component.name[:60].lower(), component.version[:60]
        elif component.type not in _NO_PACKAGES:
            _take(collected, component)
    return collected


def _take(collected: Collected, component: Component) -> None:
    if component.type in ("application", "container", "platform") and not component.purl:
        # What others are part of (a lock file, an image, a runtime): its parts are components of their own.
        return
    said = {one.name: one.value for one in component.properties}
    source, version = _first(said, _SOURCES), _first(said, _SOURCE_VERSIONS)
    if own := said.get("lading:source"):
        source, _, version = own.partition(" ")
    collected.add(
        component.purl,
        component.name,
        component.version,
        path=_first(said, _PATHS),
        layer=_first(said, _LAYERS),
        licences=tuple(
            filter(None, (one.expression or one.license.id or one.license.name for one in component.licenses))
        ),
        source=source,
        source_version=version,
    )


def _every(components: list[Component]) -> Iterator[Component]:
    waiting = components[::-1]
    seen = 0
    while waiting:
        component = waiting.pop()
        seen += 1
        if seen > _MOST_COMPONENTS:
            raise msgspec.ValidationError(f"it has more than {_MOST_COMPONENTS} components")
        yield component
        waiting += component.components[::-1]


def _first(said: dict[str, str], names: Sequence[str]) -> str:
    return next((said[name] for name in names if said.get(name)), "")
