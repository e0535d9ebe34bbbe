"""The centre of posture: inspect, ask the kernel, compare, and state it when it changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from lading.facts import Ledger
from lading.facts.kinds.runtime_security import PostureAssessed
from lading.kernel.canonical import canonical_json
from lading.kernel.digest import Digest
from lading.runtime_security.containers import RunningContainer
from lading.runtime_security.posture.allowance import Allowance
from lading.runtime_security.posture.compare import deviations, privileges
from lading.runtime_security.posture.found import ContainerInspector, KernelReader
from lading.runtime_security.posture.sql import PostureStore
from lading.state import Database

ACTOR: Final = "system:runtime-security"


class Assessment(NamedTuple):
    """What was found; `changed` when it differs from what was stated before."""

    privileges: dict[str, str]
    deviations: tuple[str, ...]
    changed: bool


class PostureAssessor:
    """Assesses containers; the last stated posture survives a restart, so nothing is stated twice."""

    def __init__(self, inspector: ContainerInspector, kernel: KernelReader, database: Database, ledger: Ledger) -> None:
        self._inspector = inspector
        self._kernel = kernel
        self._database = database
        self._ledger = ledger
        self._store = PostureStore()
        self._stated: dict[str, str] = {}

    def assess(self, container: RunningContainer, workload: Mapping[str, Any] | None) -> Assessment:
        """Compare what `container` has with what the `workload` document allowed; states a change as a fact.

        Raises:
            ContainerGone: it ended meanwhile.
            EngineSilent: nothing can be said.
        """
        found = self._inspector.inspect(container.id)
        kernel = self._kernel.view(found.pid, container.id)
        has = privileges(found, kernel)
        beyond = deviations(Allowance.of_workload(workload), found, kernel)
        digest = str(Digest.of(canonical_json([has, beyond])))
        changed = self._stated.get(container.id) != digest and self._state(container, has, beyond, digest)
        return Assessment(has, beyond, changed)

    def forget(self, container: str) -> None:
        """The container is gone."""
        self._stated.pop(container, None)
        with self._database.write() as tx:
            self._store.forget(tx, container)

    def _state(self, container: RunningContainer, has: dict[str, str], beyond: tuple[str, ...], digest: str) -> bool:
        with self._database.write() as tx:
            changed = self._store.digest(tx, container.id) != digest
            if changed:
                self._store.put(tx, container.id, digest)
                fact = PostureAssessed(
                    container=container.id,
                    workload=container.workload,
                    image=container.image,
                    privileges=has,
                    deviations=beyond,
                )
                self._ledger.append(tx, [fact], actor=ACTOR)
        self._stated[container.id] = digest
        return changed
