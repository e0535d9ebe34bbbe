"""Take an image out of use: refused on every pull path from the next request on, and everybody who runs it named."""

from __future__ import annotations

import msgspec

from lading.facts import Ledger
from lading.facts.kinds.lifecycle import ImageRevocationCarriedOut
from lading.kernel.clock import Clock
from lading.kernel.digest import Digest
from lading.orchestration.rollout.deployments import Deployments
from lading.orchestration.sql import ContainerRow
from lading.state import Database
from lading.supply_chain.registry.reading import Reading
from lading.supply_chain.registry.states import ImageState, ImageStates, State


class Revoked(msgspec.Struct, frozen=True, kw_only=True):
    """The state the image is in now, and the containers that still run it."""

    state: ImageState
    running: tuple[ContainerRow, ...]


class Revocation:
    """Revokes images."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        states: ImageStates,
        registry: Reading,
        deployments: Deployments,
        clock: Clock,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._states = states
        self._registry = registry
        self._deployments = deployments
        self._clock = clock

    def revoke(self, image: Digest, *, who: str, why: str, replaced_by: str = "") -> Revoked:
        """Revoke an image. Its content stays, for forensics; what runs goes on until somebody replaces it.

        Raises:
            IllegalMove: it was never pushed here.
        """
        started = self._clock.monotonic()
        running = self.running(image)
        with self._database.write() as tx:
            state = self._states.move(tx, image, State.REVOKED, who=who, why=why, replaced_by=replaced_by)
            fact = ImageRevocationCarriedOut(
                digest=str(image),
                running=tuple(row.id for row in running),
                seconds=self._clock.monotonic() - started,
            )
            self._ledger.append(tx, [fact], actor=who)
        return Revoked(state=state, running=running)

    def running(self, image: Digest) -> tuple[ContainerRow, ...]:
        """The containers that run an image, one of those that it lists, or an index that lists it."""
        listed = [Digest.parse(member.digest) for member in self._registry.members(image)]
        family = dict.fromkeys((image, *listed, *self._registry.indexes_with(image)))
        return tuple(row for one in family for row in self._deployments.containers(image=str(one)))
