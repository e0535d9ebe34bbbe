"""What the engine does by itself becomes facts and reaches listeners once, also after a gap."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lading.facts import Ledger
from lading.facts.kinds.orchestration import ContainerHealthChanged, ContainerStarted, ContainerStopped, EngineLost
from lading.kernel.clock import ManualClock
from lading.orchestration.engines.engine import EngineEvent
from lading.orchestration.engines.memory.engine import MemoryEngine
from lading.orchestration.plan.planner import container_name
from lading.orchestration.rollout.deployments import Deployments
from lading.orchestration.rollout.watcher import EngineWatcher
from lading.orchestration.workload.spec import Application
from lading.state import Database, metadata

MakeShop = Callable[..., Application]


@pytest.fixture
def heard() -> list[EngineEvent]:
    return []


@pytest.fixture
def watcher(
    engine: MemoryEngine, database: Database, ledger: Ledger, clock: ManualClock, heard: list[EngineEvent]
) -> EngineWatcher:
    return EngineWatcher(engine, database, ledger, [heard.append], clock, window=0)


@pytest.fixture
def web(deployments: Deployments, make_shop: MakeShop, watcher: EngineWatcher) -> str:
    """The name of the running web container; what happened so far was watched."""
    shop = make_shop()
    deployments.deploy(shop, source="", cause="test", actor="person:test", say=lambda _text: None)
    watcher.settle()
    watcher.watch()
    return container_name(shop.workloads[1], 1)


def told(database: Database, ledger: Ledger, kind: type) -> list[object]:
    with database.read() as tx:
        return [entry.fact for entry in ledger.read(tx, after=0, limit=1000) if isinstance(entry.fact, kind)]


def test_a_crash_is_an_unexpected_stop_and_the_restart_a_start(
    watcher: EngineWatcher, engine: MemoryEngine, web: str, database: Database, ledger: Ledger
) -> None:
    engine.crash(web, 3)
    watcher.watch()
    engine.restart(web)
    watcher.watch()

    (stopped,) = told(database, ledger, ContainerStopped)
    assert isinstance(stopped, ContainerStopped)
    assert (stopped.exit_code, stopped.expected, stopped.out_of_memory) == (3, False, False)
    again = told(database, ledger, ContainerStarted)[-1]
    assert isinstance(again, ContainerStarted)
    assert (again.container, again.restarts) == (stopped.container, 1)


def test_a_container_killed_for_its_memory_says_so(
    watcher: EngineWatcher, engine: MemoryEngine, web: str, database: Database, ledger: Ledger
) -> None:
    engine.crash(web, 137, out_of_memory=True)
    watcher.watch()

    (stopped,) = told(database, ledger, ContainerStopped)
    assert isinstance(stopped, ContainerStopped)
    assert stopped.out_of_memory


def test_a_planned_stop_that_is_seen_here_first_is_expected(
    watcher: EngineWatcher, deployments: Deployments, web: str, database: Database, ledger: Ledger, engine: MemoryEngine
) -> None:
    found = engine.status(web)
    assert found is not None
    deployments.stopping(found)
    engine.stop(web, 1)
    watcher.watch()
    deployments.ended(found, removed=False)

    (stopped,) = told(database, ledger, ContainerStopped)
    assert isinstance(stopped, ContainerStopped)
    assert stopped.expected


def test_what_happened_while_nobody_watched_is_found_by_comparing(
    watcher: EngineWatcher, engine: MemoryEngine, web: str, database: Database, ledger: Ledger, deployments: Deployments
) -> None:
    engine.remove(web)
    watcher.settle()
    watcher.settle()

    assert len(told(database, ledger, ContainerStopped)) == 1
    assert [row.workload for row in deployments.containers()] == ["shop/store"]


def test_every_event_is_heard_once_although_windows_overlap(
    watcher: EngineWatcher, engine: MemoryEngine, web: str, heard: list[EngineEvent]
) -> None:
    for _ in range(5):
        engine.crash(web)
        watcher.watch()
        engine.restart(web)
        watcher.watch()
        watcher.watch()

    kinds = [event.kind for event in heard if event.name == web]
    assert kinds == ["start", "health", *["die", "start"] * 5]


def test_a_change_of_health_is_a_fact(
    watcher: EngineWatcher, engine: MemoryEngine, web: str, database: Database, ledger: Ledger
) -> None:
    engine._change(web, health="unhealthy")
    engine._tell("health", web, {"health": "unhealthy"})
    watcher.watch()
    watcher.settle()

    changes = [
        fact for fact in told(database, ledger, ContainerHealthChanged) if getattr(fact, "health", "") == "unhealthy"
    ]
    assert len(changes) == 1


def test_an_engine_that_goes_away_is_stated_once_and_waited_for(
    engine: MemoryEngine, ledger: Ledger, heard: list[EngineEvent], tmp_path: Path, make_shop: MakeShop
) -> None:
    database = Database(f"sqlite:///{tmp_path / 'state.db'}")
    metadata.create_all(database.engine)
    spec = make_shop().workloads[1]
    watcher = EngineWatcher(engine, database, ledger, [heard.append], window=0.05)
    engine.fails_after = 0
    stop = threading.Event()
    thread = threading.Thread(target=watcher.run, args=(stop,), daemon=True)
    thread.start()
    try:
        until(lambda: told(database, ledger, EngineLost) != [])
        engine.fails_after = None
        engine.start(spec, "web", spec.image, "d")
        until(lambda: any(event.kind == "start" for event in heard))
    finally:
        stop.set()
        thread.join(10)

    assert not thread.is_alive()
    assert len(told(database, ledger, EngineLost)) == 1
    assert len(told(database, ledger, ContainerStarted)) == 1
    database.close()


def until(true: Callable[[], bool]) -> None:
    """Wait until something another thread does has happened."""
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)
