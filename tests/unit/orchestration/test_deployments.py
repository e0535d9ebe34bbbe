"""Deployments on the engine in memory: rollout, rollback, kills in the middle, and what the ledger says of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from lading.facts import Fact, Ledger
from lading.facts.kinds.orchestration import (
    ContainerStarted,
    ContainerStopped,
    DeploymentFinished,
    DeploymentStarted,
    WorkloadDeclared,
    WorkloadRemoved,
)
from lading.kernel.clock import ManualClock
from lading.kernel.errors import NotFound
from lading.orchestration.engines.memory.engine import MemoryEngine
from lading.orchestration.errors import EngineUnavailable, OrchestrationError
from lading.orchestration.ingress.ingress import IngressRoute, MemoryIngress
from lading.orchestration.plan.planner import container_name
from lading.orchestration.rollout.deployments import Deployments, Outcome
from lading.orchestration.workload.spec import Application
from lading.state import Database

MakeShop = Callable[..., Application]


def quiet(_text: str) -> None:
    return None


def deploy(deployments: Deployments, application: Application) -> Outcome:
    return deployments.deploy(application, source="sha256:source", cause="test", actor="person:test", say=quiet)


def facts(database: Database, ledger: Ledger, *kinds: type[Fact]) -> list[Fact]:
    with database.read() as tx:
        return [entry.fact for entry in ledger.read(tx, after=0, limit=10_000) if isinstance(entry.fact, kinds)]


def images(engine: MemoryEngine) -> dict[str, str]:
    """The version at the end of the image of each running workload."""
    return {item.workload: item.image[-1] for item in engine.observe("shop") if item.state == "running"}


def test_a_first_deployment_declares_starts_and_routes(
    deployments: Deployments,
    engine: MemoryEngine,
    ingress: MemoryIngress,
    make_shop: MakeShop,
    database: Database,
    ledger: Ledger,
) -> None:
    outcome = deploy(deployments, make_shop())

    assert outcome.outcome == "succeeded"
    assert images(engine) == {"shop/store": "1", "shop/web": "1"}
    assert ingress.routes == (IngressRoute(workload="shop/web", listen="127.0.0.1:8000", upstreams=("10.0.0.2:8000",)),)
    assert [type(fact).__name__ for fact in facts(database, ledger, WorkloadDeclared, DeploymentStarted, ContainerStarted, DeploymentFinished)] == [
        *["WorkloadDeclared"] * 2, *["DeploymentStarted"] * 2, *["ContainerStarted"] * 2, *["DeploymentFinished"] * 2,
    ]  # fmt: skip
    assert {row.workload for row in deployments.containers()} == {"shop/store", "shop/web"}


def test_the_same_again_changes_nothing(deployments: Deployments, engine: MemoryEngine, make_shop: MakeShop) -> None:
    deploy(deployments, make_shop())
    before = list(engine.log)

    assert deploy(deployments, make_shop()).outcome == "unchanged"
    assert engine.log == before


def test_the_old_version_serves_until_the_new_one_does_and_is_drained(
    deployments: Deployments, engine: MemoryEngine, ingress: MemoryIngress, make_shop: MakeShop, removed: list[str],
    database: Database, ledger: Ledger,
) -> None:  # fmt: skip
    deploy(deployments, make_shop(1))
    (old,) = (row for row in deployments.containers() if row.workload == "shop/web")
    deploy(deployments, make_shop(2))

    assert all(len(routes) == 1 for routes in ingress.history[1:])
    assert ingress.drained == ["10.0.0.2:8000"]
    assert removed == [old.id]
    assert facts(database, ledger, ContainerStopped) == [
        ContainerStopped(
            container=old.id, workload="shop/web", image=old.image, exit_code=0, out_of_memory=False, expected=True
        )
    ]


@pytest.mark.parametrize("trouble", ["broken", "missing"])
def test_a_version_that_fails_is_rolled_back_and_the_old_one_never_stops(
    deployments: Deployments, engine: MemoryEngine, ingress: MemoryIngress, make_shop: MakeShop, trouble: str
) -> None:
    deploy(deployments, make_shop(1))
    served, log = ingress.routes, len(engine.log)
    bad = make_shop(2)
    getattr(engine, trouble).add(bad.workloads[1].image)

    outcome = deploy(deployments, bad)

    assert outcome.outcome == "rolled-back"
    assert outcome.deployment
    assert images(engine) == {"shop/store": "1", "shop/web": "1"}
    assert ingress.routes == served
    assert not any(line.startswith("stop") for line in engine.log[log:])
    assert deployments.application("shop")[0] == make_shop(1)


def test_a_rolled_back_version_says_why_and_shows_its_last_lines(
    deployments: Deployments, engine: MemoryEngine, make_shop: MakeShop
) -> None:
    deploy(deployments, make_shop(1))
    bad = make_shop(2)
    engine.broken.add(bad.workloads[1].image)
    name = container_name(bad.workloads[1], 1)

    outcome = deploy(deployments, bad)

    assert outcome.reason == f"{name} is unhealthy."
    assert outcome.details == (f"{name} says nothing",)


def test_a_container_that_crashes_at_once_is_rolled_back_with_its_exit_code(
    deployments: Deployments, engine: MemoryEngine, make_shop: MakeShop
) -> None:
    deploy(deployments, make_shop(1))
    bad = make_shop(2, health=None)
    engine.broken.add(bad.workloads[1].image)

    assert "ended with exit code 1" in deploy(deployments, bad).reason
    assert images(engine)["shop/web"] == "1"


def test_workloads_replaced_before_the_failing_one_go_back_too(
    deployments: Deployments, engine: MemoryEngine, make_shop: MakeShop
) -> None:
    deploy(deployments, make_shop(1, store=1))
    bad = make_shop(2, store=2)
    engine.broken.add(bad.workloads[1].image)

    assert deploy(deployments, bad).outcome == "rolled-back"
    assert images(engine) == {"shop/store": "1", "shop/web": "1"}


def test_a_stopped_writer_is_brought_back_when_its_successor_fails(
    deployments: Deployments, engine: MemoryEngine, make_shop: MakeShop, database: Database, ledger: Ledger
) -> None:
    deploy(deployments, make_shop(store=1))
    (old,) = deployments.containers(workload="shop/store")
    bad = make_shop(store=2)
    engine.broken.add(bad.workloads[0].image)

    assert deploy(deployments, bad).outcome == "rolled-back"
    assert [row.id for row in deployments.containers(workload="shop/store")] == [old.id]
    ends = facts(database, ledger, ContainerStopped)
    assert len(ends) == 2
    assert all(isinstance(end, ContainerStopped) and end.expected for end in ends)


def test_a_first_version_that_fails_leaves_nothing_behind(
    deployments: Deployments,
    engine: MemoryEngine,
    ingress: MemoryIngress,
    make_shop: MakeShop,
    database: Database,
    ledger: Ledger,
) -> None:
    bad = make_shop()
    engine.broken.add(bad.workloads[1].image)

    assert deploy(deployments, bad).outcome == "rolled-back"
    assert engine.observe() == []
    assert ingress.routes == ()
    assert engine.volumes == {"lading_shop.items"}
    with pytest.raises(NotFound):
        deployments.application("shop")
    assert {
        fact.workload for fact in facts(database, ledger, WorkloadRemoved) if isinstance(fact, WorkloadRemoved)
    } == {
        "shop/store",
        "shop/web",
    }


def test_a_route_that_is_refused_rolls_back(
    database: Database, ledger: Ledger, engine: MemoryEngine, clock: ManualClock, make_shop: MakeShop
) -> None:
    class TakenPort(MemoryIngress):
        def apply(self, routes: object) -> None:
            if any("9000" in route.listen for route in routes):  # type: ignore[attr-defined]
                raise OrchestrationError("The ingress refused its routes: 9000 is taken.")
            super().apply(routes)  # type: ignore[arg-type]

    ingress = TakenPort()
    deployments = Deployments(database, ledger, engine, ingress, clock=clock)
    deploy(deployments, make_shop())
    port = make_shop().workloads[1].ports[0]
    moved = make_shop(ports=(type(port)(container_port=8000, host_port=9000),))

    assert deploy(deployments, moved).outcome == "rolled-back"
    assert [route.listen for route in ingress.routes] == ["127.0.0.1:8000"]
    assert len(engine.observe()) == 2


def test_whenever_the_engine_dies_in_the_middle_reconciling_finishes_the_work(
    database: Database,
    ledger: Ledger,
    engine: MemoryEngine,
    ingress: MemoryIngress,
    clock: ManualClock,
    make_shop: MakeShop,
) -> None:
    died, version = True, 0
    while died:
        calls, version = version, version + 1
        deployments = Deployments(database, ledger, engine, ingress, clock=clock)
        application = make_shop(version % 10, store=1 + version % 2)
        engine.fails_after = calls
        with contextlib.suppress(EngineUnavailable):
            died = deploy(deployments, application).outcome not in ("succeeded", "unchanged")
        engine.fails_after = None

        # Another process takes over, as after a kill.
        Deployments(database, ledger, engine, ingress, clock=clock).reconcile("shop", quiet)

        assert images(engine) == {"shop/store": str(1 + version % 2), "shop/web": str(version % 10)}
        assert len(engine.observe()) == 2
        believed = {row.id for row in deployments.containers()}
        assert believed == {item.id for item in engine.observe()}
    assert version > 10
    with database.read() as tx:
        assert ledger.verify(tx) is not None
    started = [
        fact.container for fact in facts(database, ledger, ContainerStarted) if isinstance(fact, ContainerStarted)
    ]
    assert len(started) == len(set(started))


def test_a_broken_version_that_was_interrupted_goes_back_to_what_was_proven(
    deployments: Deployments, engine: MemoryEngine, make_shop: MakeShop, database: Database, ledger: Ledger
) -> None:
    deploy(deployments, make_shop(1))
    bad = make_shop(2)
    engine.broken.add(bad.workloads[1].image)
    engine.fails_after = 5
    with pytest.raises(EngineUnavailable):
        deploy(deployments, bad)
    engine.fails_after = None

    assert deployments.reconcile("shop", quiet).outcome == "rolled-back"
    assert images(engine)["shop/web"] == "1"
    assert deployments.reconcile("shop", quiet).outcome == "unchanged"


def test_what_was_proven_and_fails_later_is_not_thrown_away(
    deployments: Deployments, engine: MemoryEngine, make_shop: MakeShop
) -> None:
    shop = make_shop()
    deploy(deployments, shop)
    engine.broken.add(shop.workloads[1].image)
    engine.crash(container_name(shop.workloads[1], 1))

    assert deployments.reconcile("shop", quiet).outcome == "failed"
    assert deployments.application("shop")[0] == shop


def test_routes_follow_a_container_that_was_started_again_elsewhere(
    deployments: Deployments, engine: MemoryEngine, ingress: MemoryIngress, make_shop: MakeShop
) -> None:
    shop = make_shop()
    deploy(deployments, shop)
    name = container_name(shop.workloads[1], 1)
    engine.crash(name)
    engine.restart(name, address="10.0.9.9")
    for event in engine.events(0, 0):
        deployments.on_event(event)

    assert ingress.routes[0].upstreams == ("10.0.9.9:8000",)


def test_removing_takes_containers_networks_and_routes_but_no_volume(
    deployments: Deployments, engine: MemoryEngine, ingress: MemoryIngress, make_shop: MakeShop, removed: list[str]
) -> None:
    deploy(deployments, make_shop())
    deployments.remove("shop", why="no longer needed", actor="person:test", say=quiet)

    assert (engine.observe(), engine.networks, ingress.routes) == ([], set(), ())
    assert engine.volumes == {"lading_shop.items"}
    assert len(removed) == 2
    assert {row.state for row in deployments.containers(running_only=False)} == {"gone"}


def test_a_workload_that_is_no_longer_declared_is_stated_as_removed(
    deployments: Deployments, engine: MemoryEngine, make_shop: MakeShop, database: Database, ledger: Ledger
) -> None:
    deploy(deployments, make_shop())
    deploy(deployments, make_shop(store=0))

    assert facts(database, ledger, WorkloadRemoved) == [
        WorkloadRemoved(workload="shop/store", reason="no longer declared")
    ]
    assert images(engine) == {"shop/web": "1"}


def test_the_ledger_never_holds_values_of_the_environment(
    deployments: Deployments, make_shop: MakeShop, database: Database, ledger: Ledger
) -> None:
    deploy(deployments, make_shop(environment={"PASSWORD": "hunter2-secret"}))

    (web,) = (fact for fact in facts(database, ledger, WorkloadDeclared) if getattr(fact, "workload", "") == "shop/web")
    assert isinstance(web, WorkloadDeclared)
    assert "PASSWORD" in web.spec
    assert "hunter2-secret" not in web.spec


def test_a_specification_that_was_kept_and_read_again_has_the_digest_it_had(
    deployments: Deployments, make_shop: MakeShop
) -> None:
    shop = make_shop(stop_grace=5, cpus=1)
    deploy(deployments, shop)

    assert deployments.application("shop")[0].workloads[1].digest() == shop.workloads[1].digest()
    assert deployments.reconcile("shop", quiet).outcome == "unchanged"
