"""Python versions (PEP 440), as `packaging` reads and orders them."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from packaging.version import InvalidVersion, Version

from lading.supply_chain.match.versions.invalid import VersionInvalid

_MOST: Final = 300


@lru_cache(maxsize=1 << 16)
def key(version: str) -> Version:
    """The sortable form; raises VersionInvalid."""
    if len(version) > _MOST:
        raise VersionInvalid(f"{version[:100]!r} is not a Python version")
    try:
        return Version(version)
    except (InvalidVersion, ValueError) as error:
        raise VersionInvalid(f"{version[:100]!r} is not a Python version") from error
