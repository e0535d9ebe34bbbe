"""What was found in layers as secrets of an image: whose files they are, and which of them a later layer hides.

Packages bring keys and tokens that everybody has: of tests, of examples. So what lies in a package's file is left out,
unless a later layer replaced the file. Whether something changed it in the layer that brought it is not to be known.
Tokens whose form alone proves them (a checksum, a vendor's prefix) count in packages of languages too: those are often
the application itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from lading.supply_chain.inventory.ownership import owned_among
from lading.supply_chain.inventory.values import FileEntry, LayerInventory, PackageDatabase, Secret
from lading.supply_chain.secrets.forms import SURE

Databases = Mapping[str, PackageDatabase]


@dataclass(slots=True)
class _Shipped:
    """A secret with the content of its file; `replaced` says that its layer put it over a file of other content."""

    secret: Secret
    content: bytes
    replaced: bool


class Secrets:
    """Gathers the secrets of an image while its layers are put one upon the other."""

    def __init__(self) -> None:
        self._shipped: list[_Shipped] = []

    def bring(
        self,
        layer: LayerInventory,
        moved: Mapping[str, str],
        entries: Mapping[str, FileEntry],
        lower: Mapping[str, FileEntry],
        databases: Databases,
        all_databases: Databases,
    ) -> None:
        """Take in what a layer brings.

        Args:
            moved: where its files come to lie, when that is not where the layer says.
            entries: its files, where they come to lie.
            lower: the files below it.
            databases: its own databases.
            all_databases: those that there are when it is in place.
        """
        brought = []
        for secret in layer.secrets:
            path = moved.get(secret.path, secret.path)
            entry, below = entries.get(path), lower.get(path)
            content = entry.sha256 if entry is not None else b""
            # The same content again, when only its mode or its owner was changed: told of the lower layer.
            if below is not None and below.sha256 == content:
                continue
            placed = msgspec.structs.replace(secret, path=path, layer=layer.layer)
            brought.append(_Shipped(placed, content, below is not None))
        if not brought:
            return
        paths = {one.secret.path for one in brought}
        own = owned_among({one.secret.path for one in brought if one.replaced}, databases.values())
        owned = owned_among(paths, all_databases.values())
        for one in brought:
            one.replaced = one.replaced and one.secret.path not in own
        self._shipped += _unowned(brought, owned)

    def told(self, files: Mapping[str, FileEntry], databases: Databases) -> tuple[Secret, ...]:
        """The secrets of the image, once all its layers are in place: they may say later whose a file is."""
        owned = owned_among({one.secret.path for one in self._shipped}, databases.values())
        left = _unowned(self._shipped, owned)
        return tuple(sorted({_seen(one, files) for one in left}))


def _unowned(shipped: Iterable[_Shipped], owned: Mapping[str, bool]) -> list[_Shipped]:
    return [one for one in shipped if one.replaced or not _expected(one.secret, owned)]


def _expected(secret: Secret, owned: Mapping[str, bool]) -> bool:
    by_distribution = owned.get(secret.path)
    return by_distribution is not None and (by_distribution or secret.rule not in SURE)


def _seen(one: _Shipped, files: Mapping[str, FileEntry]) -> Secret:
    top = files.get(one.secret.path)
    return msgspec.structs.replace(one.secret, hidden=top is None or top.sha256 != one.content)
