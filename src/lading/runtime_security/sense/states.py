"""What each sensor can see, stated when it changes: one that cannot see must not look like one that sees nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lading.facts import Ledger
from lading.facts.kinds.runtime_security import SensorStateChanged
from lading.state import Database

ACTOR: Final = "system:runtime-security"
RUNNING: Final = "running"
DEGRADED: Final = "degraded"
BLIND: Final = "blind"
_SHOWN: Final = 5


class SensorStates:
    """The states of the sensors of one node."""

    def __init__(self, node: str, database: Database, ledger: Ledger) -> None:
        self._node = node
        self._database = database
        self._ledger = ledger
        self._stated: dict[str, tuple[str, str]] = {}

    def see(self, sensor: str, blind: Mapping[str, str], *, watched: int, lost: int = 0) -> None:
        """`blind` says by container name why it is not seen; with nothing watched nothing is missed."""
        state = RUNNING if not blind and not lost else BLIND if blind and len(blind) >= watched else DEGRADED
        reasons = [f"{name}: {why}" for name, why in sorted(blind.items())[:_SHOWN]]
        if len(blind) > _SHOWN:
            reasons.append(f"and {len(blind) - _SHOWN} more")
        self.put(sensor, state, " ".join(reasons), lost=lost)

    def put(self, sensor: str, state: str, detail: str, *, lost: int = 0) -> None:
        """State what a sensor can see, unless it was stated before."""
        if self._stated.get(sensor) == (state, detail) and not lost:
            return
        fact = SensorStateChanged(sensor=sensor, node=self._node, state=state, lost=lost, detail=detail[:1_000])
        with self._database.write() as tx:
            self._ledger.append(tx, [fact], actor=ACTOR)
        self._stated[sensor] = (state, detail)
