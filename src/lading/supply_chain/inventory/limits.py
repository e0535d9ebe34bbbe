"""The bounds that keep a hostile layer from costing more than its share. Reaching one ends the reading with a gap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one layer, and on how many of them an image may have (engines stop at 128).

    The ratio counts only beyond `ratio_grace` bytes: a small layer of zeros is dull, not dangerous. Ordinary layers
    compress to between a half and a tenth; 10 GB of zeros in 10 MB is 1,000 to 1. `database` bounds a single file that
    is kept in memory to be read, one at a time; `again` how often a later entry may replace a database that was read;
    `secrets` how many of one kind are kept.
    """

    layers: int = 512
    bytes: int = 8 << 30
    ratio: int = 200
    ratio_grace: int = 256 * MIB
    entries: int = 2_000_000
    path: int = 4_096
    names: int = 512 * MIB
    extended_header: int = MIB
    database: int = 256 * MIB
    databases: int = 100_000
    again: int = 100
    database_bytes: int = 2_048 * MIB
    packages: int = 200_000
    owned: int = 2_000_000
    notes: int = 1_000
    secrets: int = 200


DEFAULT: Final = Limits()
