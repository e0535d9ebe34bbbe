"""The order of versions of every ecosystem, for rooms that ask which of some versions is the newest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from lading.supply_chain.match.versions import VersionInvalid, key_for

# Types of package URLs -> ecosystems of advisories.
_ECOSYSTEMS: Final = {
    "apk": "Alpine",
    "cargo": "crates.io",
    "composer": "Packagist",
    "deb": "Debian",
    "debian": "Debian",
    "gem": "RubyGems",
    "go": "Go",
    "golang": "Go",
    "hex": "Hex",
    "maven": "Maven",
    "npm": "npm",
    "nuget": "NuGet",
    "packagist": "Packagist",
    "pub": "Pub",
    "pypi": "PyPI",
    "rpm": "RPM",
    "rubygems": "RubyGems",
    "ubuntu": "Ubuntu",
}


class EcosystemOrder:
    """Exact where the ecosystem is known (by its OSV name or purl type); the first version counts where it is not."""

    def newest(self, ecosystem: str, versions: Sequence[str]) -> str:
        """The newest of `versions` (at least one); one that cannot be read sorts below all that can."""
        name, colon, release = ecosystem.partition(":")
        known = _ECOSYSTEMS.get(name.lower(), name) + colon + release
        best, best_key = versions[0], _key(known, versions[0])
        for version in versions[1:]:
            key = _key(known, version)
            if key is not None and (best_key is None or key > best_key):
                best, best_key = version, key
        return best


def _key(ecosystem: str, version: str) -> Any:
    try:
        return key_for(ecosystem)(version)
    except VersionInvalid:
        return None
