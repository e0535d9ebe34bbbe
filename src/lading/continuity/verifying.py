"""Verify a repository without restoring the blobs: is everything there that the last point needs, and intact?"""

from __future__ import annotations

import shutil
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from lading.continuity.errors import BackupDamaged
from lading.continuity.items import read_lines
from lading.continuity.point import ITEMS, Manifest, Point, choose, points, read_manifest
from lading.continuity.ports import Telling
from lading.continuity.repository import Vault


@dataclass(frozen=True, slots=True)
class Verified:
    """What was verified: the point that was looked into, and how many items its sets have."""

    point: Point
    items: int
    points: int


def verify(vault: Vault, work: Path, telling: Telling, *, read_data: bool, backup: str = "") -> Verified:
    """Check the repository, and that the sets of one point (the last one) have everything its list names.

    Args:
        read_data: read every byte of the repository; without it only what must exist is looked for.

    Raises:
        BackupDamaged: says what is missing or changed.
        BackupUnknown: there is no such backup.
    """
    found = points(vault.snapshots())
    point = choose(found, backup=backup)
    telling.step("Check the repository")
    vault.check(read_data=read_data)
    telling.say("every byte was read" if read_data else "everything that snapshots need is there")
    telling.step(f"Look into backup {point.backup}")
    shutil.rmtree(work, ignore_errors=True)
    try:
        vault.restore(point.snapshot, work)
        manifest = read_manifest(work)
        items = _demand_sets(vault, manifest, work / ITEMS, telling)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if manifest.missing:
        raise BackupDamaged(
            f"Backup {point.backup} is complete but for {len(manifest.missing)} items that storage had lost before.",
            remedy="Push the images that name them again; `lading backup create` then has them.",
            details=manifest.missing[:10],
        )
    return Verified(point, items, len(found))


def _demand_sets(vault: Vault, manifest: Manifest, items: Path, telling: Telling) -> int:
    """Hold the list of items against what the sets say they have; returns how many there are."""
    has = {
        number: {item.path: item.size for item in vault.files(one.snapshot)}
        for number, one in enumerate(manifest.sets)
        if one.items
    }
    count = 0
    lost: dict[int, list[str]] = defaultdict(list)
    for kept in read_lines(items):
        count += 1
        if has.get(kept.set, {}).get(kept.item.path) != kept.item.size:
            lost[kept.set].append(kept.item.path)
    if lost:
        names = [path for paths in lost.values() for path in paths]
        raise BackupDamaged(
            f"{len(names)} items of backup {manifest.backup} are not in their sets.", details=tuple(names[:10])
        )
    telling.say(f"{count} items in {len(has)} sets")
    return count
