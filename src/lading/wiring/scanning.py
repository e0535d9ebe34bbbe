"""A scan put together without a server: no data directory, no database but the one of advisories in the cache."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from lading.kernel.clock import SystemClock
from lading.lifecycle.scan import Scans
from lading.supply_chain.checks.gathering import CHECKS, Check
from lading.supply_chain.scan.knowledge import open_knowledge
from lading.supply_chain.scan.layer_cache import DirectoryLayerCache, LayerCache, MemoryLayerCache


def usual_cache() -> Path:
    """Where scans keep what they learned, unless told otherwise: below XDG_CACHE_HOME, or `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lading"


@contextmanager
def open_scans(
    cache: Path | None, advisories: Sequence[Path] = (), checks: Sequence[Check] = CHECKS
) -> Iterator[Scans]:
    """Everything that a scan needs.

    Args:
        cache: a directory for layers and advisories; None to keep nothing.
        advisories: files or directories of feeds instead of the bundled snapshot.
        checks: what looks for weaknesses.
    """
    layers: LayerCache = MemoryLayerCache() if cache is None else DirectoryLayerCache(cache)
    with open_knowledge(cache, advisories) as knowledge:
        yield Scans(
            judges=knowledge, cache=layers, clock=SystemClock(), version=version("lading"), checks=checks
        )  # fmt: skip
