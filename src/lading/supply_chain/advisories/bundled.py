"""The snapshot of advisories that comes with Lading, so that the first image is matched before any feed was fetched.

Facts only (ids, packages, ranges, severities, dates), from sources whose licences allow it: see
`snapshot/ATTRIBUTION.md`. Made by `scripts/make_advisory_snapshot.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from typing import Final

from lading.supply_chain.advisories.errors import AdvisoryInvalid
from lading.supply_chain.advisories.feeds import EPSS, KEV, Advisories, Imported

_PACKAGE: Final = "lading.supply_chain.advisories"
_SUFFIX: Final = ".zst"
_OSV: Final = ".jsonl.zst"


def load_snapshot(advisories: Advisories, *, actor: str = "system:advisories") -> list[Imported]:
    """Take every bundled feed in, advisories first; loading it again changes nothing, and
    neither does what is older than what was fetched since.

    Raises:
        AdvisoryInvalid: the snapshot is missing or damaged: the installation is not whole.
    """
    imported = [
        advisories.import_content(source, content, actor=actor, only_newer=True) for source, content in _feeds()
    ]
    if not imported:
        raise AdvisoryInvalid("The bundled advisories are missing.", remedy="Install Lading again.")
    return imported


def _feeds() -> Iterator[tuple[str, bytes]]:
    directory = resources.files(_PACKAGE) / "snapshot"
    files = {entry.name: entry for entry in directory.iterdir() if entry.name.endswith(_SUFFIX)}
    catalogues = {f"{KEV}.json.zst": KEV, f"{EPSS}.csv.zst": EPSS}
    for name in sorted(files, key=lambda name: (name in catalogues, name)):
        yield catalogues.get(name) or name.removesuffix(_OSV), files[name].read_bytes()
