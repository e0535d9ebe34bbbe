"""One small module for each ecosystem, all with the same two methods: which files it wants, and what they say.

A new ecosystem is a new module here and a line in `CATALOGERS`. Raising `REVISION` makes every layer be read again.
"""

from __future__ import annotations

from typing import Final

from lading.supply_chain.inventory.catalogers import dpkg, npm, python, release
from lading.supply_chain.inventory.catalogers.cataloger import Cataloger

REVISION: Final = "1"
CATALOGERS: Final[tuple[Cataloger, ...]] = (
    dpkg.DpkgCataloger(),
    python.PythonCataloger(),
    npm.NpmCataloger(),
    release.ReleaseCataloger(),
)
VERSION: Final = f"{REVISION}+{'+'.join(cataloger.name for cataloger in CATALOGERS)}"


def cataloger_for(path: str) -> Cataloger | None:
    """The cataloger that wants the file at `path`, or None. Called for every file of every layer."""
    directory, _, name = path.rpartition("/")
    for cataloger in CATALOGERS:
        if (name in cataloger.names or directory in cataloger.directories) and cataloger.wants(path):
            return cataloger
    return None


__all__ = ["CATALOGERS", "REVISION", "VERSION", "Cataloger", "cataloger_for"]
