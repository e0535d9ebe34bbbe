"""What matching needs to know from others: what is known of flaws, whose layers are, and where images are at home."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lading.state import Transaction
from lading.supply_chain.advisories.advisory import Advisory


class AdvisorySource(Protocol):
    """What is known of flaws. Every method reads in the caller's transaction, so that all of a match sees one state."""

    def lock(self, tx: Transaction) -> None:
        """Keep importers out until `tx` ends."""
        ...

    def affecting(self, tx: Transaction, ecosystem: str, names: Sequence[str]) -> dict[str, list[Advisory]]:
        """Package name -> advisories about it, none of them withdrawn, in the order of their ids."""
        ...

    def packages_of(self, tx: Transaction, names: Sequence[str]) -> set[tuple[str, str]]:
        """Ecosystem and name of the packages that the advisories with these ids or aliases are about."""
        ...

    def aliases(self, tx: Transaction, names: Sequence[str]) -> dict[str, frozenset[str]]:
        """Id or alias -> every name of the same flaw, through any number of records."""
        ...

    def severities(self, tx: Transaction, names: Sequence[str]) -> dict[str, tuple[float, int]]:
        """Id or alias -> highest score and severity."""
        ...

    def exploited(self, tx: Transaction, cves: Sequence[str]) -> set[str]:
        """Those that are known to be exploited."""
        ...

    def likelihoods(self, tx: Transaction, cves: Sequence[str]) -> dict[str, float]:
        """CVE -> EPSS probability."""
        ...

    def last_change(self, tx: Transaction) -> int:
        """The number of the last change."""
        ...

    def changes_after(self, tx: Transaction, seq: int) -> tuple[int, set[str]]:
        """Ids and aliases of which something changed after `seq`, and the number of the last of these changes; ask
        again after it, until nothing is left."""
        ...


class LayerOwners(Protocol):
    """Whose a layer is."""

    def owner(self, layer: str) -> str:
        """The team that brought the layer with this digest; empty when nobody knows."""
        ...


class ImageHomes(Protocol):
    """Where images are kept."""

    def homes(self, image: str) -> Sequence[tuple[str, str]]:
        """Repository and team of every place that has the image with this digest; none for an image not kept."""
        ...


class NoHomes:
    """Images without repositories: nothing that is said of a repository or a team is about them."""

    def homes(self, image: str) -> Sequence[tuple[str, str]]:
        del image
        return ()
