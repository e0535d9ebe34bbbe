"""Which licences an inventory carries: its packages by the expression that their declared texts come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from lading.supply_chain.inventory.values import ImageInventory, Package
from lading.supply_chain.licences import Licence, licence_of

_MOST_NAMED: Final = 100


@dataclass(frozen=True, slots=True)
class Carried:
    """One licence with the packages that are under it, in the order of the inventory."""

    licence: Licence
    packages: tuple[Package, ...]

    @property
    def names(self) -> list[str]:
        """The names of the packages, each once."""
        return sorted({package.name for package in self.packages})

    def document(self) -> dict[str, Any]:
        """It as policies see it (docs/policy.md); 100 packages are named at most."""
        names = self.names
        return {
            "expression": self.licence.expression,
            "declared": self.licence.declared,
            "packages": names[:_MOST_NAMED],
            "count": len(names),
            "known": self.licence.known,
            "ids": list(self.licence.ids),
            "category": str(self.licence.category),
        }


def carried(inventory: ImageInventory) -> list[Carried]:
    """Every licence by its expression; packages that declare none come first, under an empty one."""
    found: dict[str, tuple[Licence, list[Package]]] = {}
    for package in inventory.packages:
        licence = licence_of(package.licenses, package.ecosystem)
        found.setdefault(licence.expression, (licence, []))[1].append(package)
    return [Carried(licence, tuple(some)) for _, (licence, some) in sorted(found.items())]


def licence_documents(inventory: ImageInventory) -> list[dict[str, Any]]:
    """What rules see of the licences of an inventory."""
    return [one.document() for one in carried(inventory)]
