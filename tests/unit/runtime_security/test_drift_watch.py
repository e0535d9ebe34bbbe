"""One look after the other, on containers in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lading.facts import Ledger
from lading.facts.kinds.runtime_security import SensorStateChanged
from lading.kernel.clock import ManualClock
from lading.runtime_security.containers import MemoryContainers, RunningContainer
from lading.runtime_security.errors import EngineSilent
from lading.runtime_security.judge import Incidents, RuntimeJudge
from lading.runtime_security.judge.verdict import StrictJudge
from lading.runtime_security.posture import Found, PostureAssessor
from lading.runtime_security.posture.found import MemoryInspector
from lading.runtime_security.posture.kernel import MemoryKernelReader
from lading.runtime_security.sense import DriftWatch
from lading.runtime_security.sense.files import Change, FileSense, MemoryChanges
from lading.runtime_security.sense.image_files import MemoryImageFiles
from lading.runtime_security.sense.processes import ProcessSense
from lading.runtime_security.sense.states import SensorStates
from lading.runtime_security.sense.watch import MemoryAllowed
from lading.state import Database


class Engine(MemoryContainers):
    """Containers of an engine that can fall silent."""

    silent = False

    def running(self) -> Any:
        if self.silent:
            raise EngineSilent("Docker Engine does not answer.")
        return super().running()


class Stage:
    def __init__(
        self, web: RunningContainer, proc: Path, database: Database, ledger: Ledger, clock: ManualClock
    ) -> None:
        self.web, self.clock, self.database, self.ledger = web, clock, database, ledger
        found = Found(
            web.id, web.pid, "", False, True, True, frozenset(), "default", "", False, False, False, (), (), 0, 0
        )
        self.engine = Engine(web)
        self.inspector = MemoryInspector(found)
        self.changes = MemoryChanges({web.id: []})
        self.allowed = MemoryAllowed({"shop/web": {"name": "shop/web"}})
        self.incidents = Incidents(database, ledger, clock)
        self.files = MemoryImageFiles({web.image: {}})
        self.watch = DriftWatch(
            containers=self.engine,
            allowed=self.allowed,
            posture=PostureAssessor(self.inspector, MemoryKernelReader(), database, ledger),
            processes=ProcessSense(self.files, proc=proc),
            files=FileSense(self.changes, self.files),
            states=SensorStates("node-1", database, ledger),
            sink=RuntimeJudge(judge=StrictJudge(), incidents=self.incidents, allowed=self.allowed, clock=clock),
            clock=clock,
        )

    def look(self) -> None:
        self.watch.look()
        self.clock.sleep(1)

    def rules(self) -> list[str]:
        return sorted(one.rule for one in self.incidents.list())

    def states(self) -> Mapping[str, str]:
        with self.database.read() as tx:
            facts = [entry.fact for entry in self.ledger.read(tx)]
        return {one.sensor: one.state for one in facts if isinstance(one, SensorStateChanged)}


@pytest.fixture
def stage(web: RunningContainer, tmp_path: Path, database: Database, ledger: Ledger, clock: ManualClock) -> Stage:
    namespaces = tmp_path / str(web.pid) / "ns"
    namespaces.mkdir(parents=True)
    (namespaces / "pid").symlink_to("pid:[9]")
    return Stage(web, tmp_path, database, ledger, clock)


def test_a_quiet_container_raises_nothing_and_every_sensor_sees(stage: Stage) -> None:
    for _ in range(10):
        stage.look()
    assert stage.rules() == []
    assert stage.states() == {"posture": "running", "processes": "running", "files": "running"}


def test_what_changes_between_two_looks_is_found(stage: Stage) -> None:
    stage.look()
    stage.changes.of[stage.web.id] = [Change("/evil", "added")]
    stage.inspector.found[stage.web.id] = stage.inspector.found[stage.web.id]._replace(privileged=True)
    stage.watch.changed(stage.web.id)
    stage.look()
    assert stage.rules() == ["no-file-written", "no-posture"]


def test_a_silent_engine_blinds_every_sensor_and_is_stated_once(stage: Stage) -> None:
    stage.look()
    stage.engine.silent = True
    for _ in range(5):
        stage.look()
    assert set(stage.states().values()) == {"blind"}
    stage.engine.silent = False
    stage.look()
    assert set(stage.states().values()) == {"running"}
    with stage.database.read() as tx:
        assert len(stage.ledger.read(tx, kinds=["sensor.state-changed"])) == 9


def test_a_container_whose_files_are_not_known_is_an_incident_only_when_that_lasts(stage: Stage) -> None:
    stage.changes.of[stage.web.id] = [Change("/x", "added")]
    stage.files.images.clear()
    stage.engine.present[stage.web.id] = stage.web._replace(pid=0)
    stage.look()
    assert stage.rules() == []
    for _ in range(3):
        stage.look()
    assert stage.rules() == ["no-sensor"]
    assert stage.states()["processes"] == "blind"


def test_a_specification_declared_later_does_not_speak_of_a_container_from_before(stage: Stage) -> None:
    stage.look()
    stage.allowed.workloads.clear()
    for _ in range(12):
        stage.look()
    assert stage.rules() == []


def test_a_container_that_stopped_keeps_its_incidents_until_it_is_gone(stage: Stage) -> None:
    stage.watch.exec_started(stage.web.id, "/bin/sh")
    stage.engine.stopped.add(stage.web.id)
    stage.look()
    assert stage.rules() == ["no-exec"]
    stage.engine.present.clear()
    stage.look()
    assert stage.rules() == []


def test_an_exec_in_a_container_nobody_knows_is_nothing_of_ours(stage: Stage) -> None:
    stage.watch.exec_started("f" * 64, "/bin/sh")
    assert stage.rules() == []


def test_a_watch_in_a_thread_starts_and_stops_and_starts(stage: Stage) -> None:
    for _ in range(2):
        stage.watch.start()
        stage.watch.stop()
