"""Whose files are: which of a few paths belong to a package, and whether to one of the distribution."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lading.supply_chain.inventory.values import PackageDatabase

MERGED_DIRECTORIES: Final = ("bin/", "sbin/", "lib/", "lib32/", "lib64/", "libx32/")


def owned_among(wanted: set[str], databases: Iterable[PackageDatabase]) -> dict[str, bool]:
    """Those of `wanted` that a package owns; true where it is a distribution's.

    Lists written before directories moved name a file without `usr`. A directory that is owned stands for all below it.
    """
    names = {path: path for path in wanted}
    names |= {path[4:]: path for path in wanted if path.startswith("usr/") and path[4:].startswith(MERGED_DIRECTORIES)}
    above: dict[str, list[str]] = {}
    for path in wanted:
        at = path.find("/")
        while at >= 0:
            above.setdefault(path[: at + 1], []).append(path)
            at = path.find("/", at + 1)
    found: dict[str, bool] = {}
    for database in databases:
        for owned, owner in database.owned():
            paths = [names[owned]] if owned in names else above.get(owned, ())
            for path in paths:
                found[path] = found.get(path, False) or bool(owner)
    return found
