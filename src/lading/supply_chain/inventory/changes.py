"""What each layer of an image did to its packages: added, changed to another version, removed.

This is how anybody knows what a step of a build installed: a `RUN` says what it was told, its layer what it did.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lading.supply_chain.inventory.merge import growing
from lading.supply_chain.inventory.releases import settled, type_of
from lading.supply_chain.inventory.values import LayerInventory, Package

_State = dict[tuple[str, str], dict[str, str]]


@dataclass(frozen=True, slots=True)
class LayerChange:
    """What a layer did, as package URLs, sorted; `changed` are pairs of before and after."""

    layer: str
    added: tuple[str, ...] = ()
    changed: tuple[tuple[str, str], ...] = ()
    removed: tuple[str, ...] = ()


def changes(layers: Iterable[LayerInventory]) -> Iterator[LayerChange]:
    """What each of an image's layers did, lowest first. What is only declared by a lock file does not count."""
    before = _State()
    for layer, release, packages in growing(layers):
        after = _state(release, packages)
        yield _change(layer, before, after)
        before = after


def _state(release: dict[str, str], packages: Iterable[Package]) -> _State:
    """Packages by type and name: their versions, each with its package URL."""
    state = _State()
    for package in packages:
        if package.declared_only:
            continue
        kind = type_of(package)
        purl = settled(package, kind, release).purl if kind else package.purl
        name = f"{package.name} {package.architecture}"
        state.setdefault((kind or package.ecosystem, name), {})[package.version] = purl
    return state


def _change(layer: str, before: _State, after: _State) -> LayerChange:
    added: list[str] = []
    changed: list[tuple[str, str]] = []
    removed: list[str] = []
    for key in before.keys() | after.keys():
        old, new = before.get(key, {}), after.get(key, {})
        gone = sorted(old[version] for version in old.keys() - new.keys())
        came = sorted(new[version] for version in new.keys() - old.keys())
        pairs = list(zip(gone, came, strict=False))
        changed += pairs
        removed += gone[len(pairs) :]
        added += came[len(pairs) :]
    return LayerChange(layer, tuple(sorted(added)), tuple(sorted(changed)), tuple(sorted(removed)))
