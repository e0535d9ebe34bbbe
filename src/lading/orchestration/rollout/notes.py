"""What is kept and told of each container: its row and its facts, in one transaction, exactly once.

The one who carries out plans and the one who watches the engine both write here, in either order; a container moves
from `running` over `stopping`, when we mean to end it, to `stopped` and `gone`.
"""

from __future__ import annotations

from typing import Final

from lading.facts import Ledger
from lading.facts.kinds.orchestration import ContainerHealthChanged, ContainerStarted, ContainerStopped
from lading.kernel.clock import Clock, timestamp
from lading.orchestration import sql
from lading.orchestration.plan.model import Observed
from lading.state import Database, Transaction

_ACTOR: Final = "system:orchestration"


class ContainerNotes:
    """Keeps containers and states facts about them. Every method may be repeated: it changes and states nothing new."""

    def __init__(self, database: Database, ledger: Ledger, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock

    def started(self, found: Observed, node: str) -> None:
        """A container runs that was not known, or that was stopped and was started again."""
        with self._database.write() as tx:
            row = sql.find_container(tx, found.id)
            if row is not None and (row.state in sql.RUNNING or found.state != "running"):
                return
            values = _values(found, node) | {"started": timestamp(self._clock.now()), "stopped": ""}
            sql.keep_container(tx, values | {"state": "running", "exit_code": None})
            self._state(tx, found, node)

    def stopping(self, found: Observed) -> None:
        """A container will be ended because we want it so."""
        with self._database.write() as tx:
            sql.change_container(tx, found.id, ["running"], state="stopping")

    def stopped(self, container: str, *, exit_code: int, out_of_memory: bool = False) -> None:
        """A container runs no more; whether that was wanted is known from `stopping`."""
        with self._database.write() as tx:
            row = sql.find_container(tx, container)
            if row is None or row.state not in sql.RUNNING:
                return
            values = {"health": "", "exit_code": exit_code, "stopped": timestamp(self._clock.now())}
            sql.change_container(tx, container, sql.RUNNING, state="stopped", **values)
            fact = ContainerStopped(
                container=container,
                workload=row.workload,
                image=row.image,
                exit_code=exit_code,
                out_of_memory=out_of_memory,
                expected=row.state == "stopping",
            )
            self._ledger.append(tx, [fact], actor=_ACTOR)

    def gone(self, container: str) -> None:
        """The engine has the container no more."""
        with self._database.write() as tx:
            sql.change_container(tx, container, ["stopped"], state="gone")

    def health(self, container: str, health: str) -> None:
        """The health check of a running container says something new."""
        with self._database.write() as tx:
            row = sql.find_container(tx, container)
            if row is not None and sql.change_container(tx, container, sql.RUNNING, health=health):
                fact = ContainerHealthChanged(container=container, workload=row.workload, health=health)
                self._ledger.append(tx, [fact], actor=_ACTOR)

    def _state(self, tx: Transaction, found: Observed, node: str) -> None:
        fact = ContainerStarted(
            container=found.id,
            workload=found.workload,
            name=found.name,
            image=image_digest(found.image),
            node=node,
            team=found.team,
            deployment=found.deployment,
            spec_digest=found.spec_digest,
            restarts=found.restarts,
        )
        self._ledger.append(tx, [fact], actor=_ACTOR)


def image_digest(image: str) -> str:
    """The digest at the end of a pinned image, or the image itself when it is one of the engine's own."""
    return image.rpartition("@")[2]


def _values(found: Observed, node: str) -> dict[str, str | int]:
    return {
        "id": found.id,
        "name": found.name,
        "workload": found.workload,
        "application": found.workload.partition("/")[0],
        "team": found.team,
        "image": image_digest(found.image),
        "node": node,
        "deployment": found.deployment,
        "spec_digest": found.spec_digest,
        "health": found.health,
        "restarts": found.restarts,
    }
