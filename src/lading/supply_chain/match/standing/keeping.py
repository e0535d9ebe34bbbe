"""Keeps how flaws stand: takes over whose images are and what runs, and works out anew what that changes.

Done by the worker a moment after the change, so that a push and a match wait for none of it; `waiting` says how much is
not done yet. Each step reads what is so now, whatever was noted: doing it again is harmless.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from lading.facts import Entry
from lading.facts.kinds.orchestration import ContainerStarted, ContainerStopped
from lading.facts.kinds.supply_chain import ImagePushed, ManifestDeleted, OwnerChanged
from lading.kernel.clock import Clock, SystemClock, timestamp
from lading.state import Database, Transaction
from lading.supply_chain.match.ports import ImageHomes, LayerOwners
from lading.supply_chain.match.standing import keeping_sql as sql
from lading.supply_chain.match.standing import stale_sql

_IMAGES_AT_ONCE: Final = 200
_GROUPS_AT_ONCE: Final = 200
_FLAWS_AT_ONCE: Final = 100
_MOST_WAITING: Final = 10_000


class Runs(Protocol):
    """What runs."""

    def teams_running(self, images: Sequence[str]) -> dict[str, set[str]]:
        """Image (digest) -> the teams that have a container of it; images that nobody runs are left out."""
        ...


class Standing:
    """Works out how flaws stand."""

    def __init__(
        self,
        database: Database,
        *,
        homes: ImageHomes,
        owners: LayerOwners,
        runs: Runs,
        clock: Clock | None = None,
    ) -> None:
        self._database = database
        self._homes = homes
        self._owners = owners
        self._runs = runs
        self._clock = clock or SystemClock()

    def work(self, *, most: int = 1_000_000) -> int:
        """Do what waits, images before flaws; how many steps were taken, at most `most`."""
        with self._database.read() as tx:
            idle = stale_sql.waiting(tx, 1) == 0
        if idle and not self._seeded():
            return 0
        steps = 0
        while steps < most and (self._images() or self._groups() or self._flaws()):
            steps += 1
        return steps

    def waiting(self) -> int:
        """How much is not worked out yet, up to 10,000."""
        with self._database.read() as tx:
            return stale_sql.waiting(tx, _MOST_WAITING)

    def _seeded(self) -> bool:
        with self._database.write() as tx:
            return stale_sql.seed(tx)

    def _images(self) -> bool:
        with self._database.read() as tx:
            numbers, some = stale_sql.taken(tx, "image", _IMAGES_AT_ONCE)
            layers = sql.layers_of(tx, some)
        if not numbers:
            return False
        owners = {layer: self._owners.owner(layer) for layer in sorted(layers)}
        running = self._runs.teams_running(some)
        # Whoever runs an image has its flaws, whoever it belongs to.
        teams = {
            image: dict.fromkeys((team for _repository, team in self._homes.homes(image)), image in running)
            | dict.fromkeys(running.get(image, ()), True)
            for image in some
        }
        with self._database.write() as tx:
            changed = {group for image in some for group in sql.settle_image(tx, image, teams[image], owners)}
            stale_sql.mark_flaws_of(tx, sorted(changed))
            stale_sql.drop(tx, numbers)
        return True

    def _groups(self) -> bool:
        with self._database.read() as tx:
            numbers, some = stale_sql.taken(tx, "group", _GROUPS_AT_ONCE)
        if not numbers:
            return False
        with self._database.write() as tx:
            changed = [int(name) for name in some if sql.settle_group(tx, int(name))]
            stale_sql.mark_flaws_of(tx, changed)
            stale_sql.drop(tx, numbers)
        return True

    def _flaws(self) -> bool:
        with self._database.read() as tx:
            numbers, some = stale_sql.taken(tx, "flaw", _FLAWS_AT_ONCE)
        if not numbers:
            return False
        with self._database.write() as tx:
            sql.settle_flaws(tx, some, timestamp(self._clock.now()))
            stale_sql.drop(tx, numbers)
        return True


class StandingFollower:
    """Notes images of which it is news whose they are or whether they run."""

    name = "match.standing"
    kinds: Sequence[str] | None = (
        ContainerStarted.kind(), ContainerStopped.kind(), ImagePushed.kind(), ManifestDeleted.kind(),
        OwnerChanged.kind(),
    )  # fmt: skip

    def apply(self, tx: Transaction, entries: Sequence[Entry]) -> None:
        """Note what `entries` are about."""
        stale_sql.mark(tx, "image", _images_of(entries))


def _images_of(entries: Iterable[Entry]) -> Iterable[str]:
    for entry in entries:
        match entry.fact:
            case ContainerStarted(image=image) | ContainerStopped(image=image):
                yield image
            case ImagePushed(digest=digest) | ManifestDeleted(digest=digest) | OwnerChanged(digest=digest):
                yield digest
