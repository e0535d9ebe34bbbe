"""What every container engine holds to, whether it is in memory or real."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import pytest

from lading.orchestration.engines.docker.engine import DockerEngine
from lading.orchestration.engines.engine import Engine
from lading.orchestration.engines.memory.engine import MemoryEngine
from lading.orchestration.errors import OrchestrationError
from lading.orchestration.plan.planner import network_name, volume_name
from lading.orchestration.workload.spec import WorkloadSpec


@pytest.fixture(params=["memory", pytest.param("docker", marks=pytest.mark.docker)])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    if request.param == "memory":
        yield MemoryEngine()
        return
    made = DockerEngine(request.getfixturevalue("docker_engine"))
    yield made
    made.close()


@pytest.fixture
def spec(request: pytest.FixtureRequest, engine: Engine) -> Iterator[WorkloadSpec]:
    """A workload that waits, in an application of its own."""
    image = "memory" if isinstance(engine, MemoryEngine) else request.getfixturevalue("web_images")["one"]
    application = f"contract{uuid.uuid4().hex[:8]}"
    engine.ensure_network(network_name(application, "default"), internal=False)
    yield WorkloadSpec(
        application=application, service="web", team="shop", image=image, command=("/bin/sleep", "600"), restart="no"
    )
    for item in engine.observe(application):
        engine.remove(item.name)
    engine.remove_networks(application)


def test_a_started_container_is_observed_with_what_it_was_started_with(engine: Engine, spec: WorkloadSpec) -> None:
    engine.pull(spec.image)
    identity = engine.start(spec, f"{spec.application}-1", spec.image, "deployment-1")
    (found,) = engine.observe(spec.application)

    assert found == engine.status(f"{spec.application}-1")
    assert (found.id, found.workload, found.image) == (identity, spec.name, spec.image)
    assert (found.team, found.deployment, found.spec_digest) == ("shop", "deployment-1", str(spec.digest()))
    assert (found.state, found.health, found.serves, found.restarts) == ("running", "", True, 0)
    assert len(found.addresses) == 1
    assert engine.node()


def test_applications_do_not_see_each_other(engine: Engine, spec: WorkloadSpec) -> None:
    engine.start(spec, f"{spec.application}-1", spec.image, "d")

    assert engine.observe(f"{spec.application}x") == []
    assert spec.name in {item.workload for item in engine.observe()}


def test_a_name_is_used_once(engine: Engine, spec: WorkloadSpec) -> None:
    engine.start(spec, f"{spec.application}-1", spec.image, "d")

    with pytest.raises(OrchestrationError):
        engine.start(spec, f"{spec.application}-1", spec.image, "d")
    assert len(engine.observe(spec.application)) == 1


def test_stopping_resuming_and_removing_can_be_repeated(engine: Engine, spec: WorkloadSpec) -> None:
    name = f"{spec.application}-1"
    engine.start(spec, name, spec.image, "d")
    for _ in range(2):
        engine.stop(name, 1)
    stopped = engine.status(name)
    for _ in range(2):
        engine.resume(name)
    resumed = engine.status(name)
    for _ in range(2):
        engine.remove(name)

    assert stopped is not None
    assert resumed is not None
    assert (stopped.state, stopped.serves, resumed.state, resumed.id) == ("exited", False, "running", stopped.id)
    assert engine.status(name) is None
    assert engine.tail(name, 5) == []


def test_what_is_gone_can_be_stopped_and_removed(engine: Engine, spec: WorkloadSpec) -> None:
    engine.stop(f"{spec.application}-none", 1)
    engine.remove(f"{spec.application}-none")

    assert engine.status(f"{spec.application}-none") is None


def test_ensuring_what_exists_changes_nothing(engine: Engine, spec: WorkloadSpec) -> None:
    for _ in range(2):
        engine.ensure_network(network_name(spec.application, "back"), internal=True)
        engine.ensure_volume(volume_name(spec.application, "items"))


def test_events_tell_of_starts_and_ends_in_order_and_then_end(engine: Engine, spec: WorkloadSpec) -> None:
    since, name = time.time() - 1, f"{spec.application}-1"
    engine.start(spec, name, spec.image, "d")
    engine.stop(name, 1)
    engine.remove(name)
    mine = [event for event in engine.events(since, 1.0) if event.name == name]

    assert [event.kind for event in mine] == ["start", "die"]
    assert {event.workload for event in mine} == {spec.name}
    assert mine[0].at <= mine[1].at
    assert mine[1].detail["exit_code"].isdigit()


def test_events_go_on_from_a_moment(engine: Engine, spec: WorkloadSpec) -> None:
    name = f"{spec.application}-1"
    engine.start(spec, name, spec.image, "d")
    (start,) = (event for event in engine.events(time.time() - 5, 0.5) if event.name == name)
    engine.stop(name, 1)
    later = [event.kind for event in engine.events(start.at, 0.5) if event.name == name]

    assert later == ["start", "die"]
