"""Plans are pure, ordered and say everything: compared as text with the files in tests/golden/plans."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from lading.orchestration.engines.memory.engine import MemoryEngine
from lading.orchestration.plan.model import Observed, Plan, Remove, Start, Stop
from lading.orchestration.plan.planner import container_name, plan, plan_removal
from lading.orchestration.workload.spec import Application, Mount, Port, WorkloadSpec

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "plans"

MakeShop = Callable[..., Application]


def same_as_golden(made: Plan, name: str) -> None:
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("LADING_WRITE_GOLDEN"):
        file.write_text(made.text())
    assert made.text() == file.read_text()


def running(application: Application) -> list[Observed]:
    """What an engine has when an application runs as declared."""
    return [
        Observed(
            id=f"{spec.name}-{number}",
            name=container_name(spec, number),
            workload=spec.name,
            image=spec.image,
            spec_digest=str(spec.digest()),
            state="running",
            health="healthy" if spec.health else "",
        )
        for spec in application.workloads
        for number in range(1, spec.replicas + 1)
    ]


def changed(items: list[Observed], workload: str, **values: object) -> list[Observed]:
    return [msgspec.structs.replace(item, **values) if item.workload == workload else item for item in items]


def test_the_first_plan_makes_everything_in_the_order_of_dependencies(make_shop: MakeShop) -> None:
    same_as_golden(plan(make_shop(replicas=2), []), "first")


def test_nothing_is_done_when_everything_runs_as_declared(make_shop: MakeShop) -> None:
    shop = make_shop(replicas=2)
    same_as_golden(plan(shop, running(shop)), "nothing")


def test_a_new_version_comes_before_the_old_one_goes(make_shop: MakeShop) -> None:
    same_as_golden(plan(make_shop(2), running(make_shop(1))), "new-version")


def test_a_writer_of_a_volume_is_stopped_before_the_next_one_comes(make_shop: MakeShop) -> None:
    same_as_golden(plan(make_shop(store=2), running(make_shop(store=1))), "new-store")


def test_replicas_come_and_go_without_replacing_the_others(make_shop: MakeShop) -> None:
    same_as_golden(plan(make_shop(replicas=3), running(make_shop(replicas=1))), "scale-up")
    same_as_golden(plan(make_shop(replicas=1), running(make_shop(replicas=3))), "scale-down")


def test_what_is_no_longer_declared_goes_after_its_route(make_shop: MakeShop) -> None:
    same_as_golden(plan(make_shop(store=0), running(make_shop())), "orphan")


def test_a_crashed_container_gives_its_name_to_its_successor(make_shop: MakeShop) -> None:
    shop = make_shop()
    same_as_golden(plan(shop, changed(running(shop), "shop/web", state="exited", exit_code=1)), "crashed")


def test_a_container_that_is_still_starting_is_waited_for(make_shop: MakeShop) -> None:
    shop = make_shop()
    same_as_golden(plan(shop, changed(running(shop), "shop/web", health="starting")), "starting")


def test_removal_takes_routes_first(make_shop: MakeShop) -> None:
    same_as_golden(plan_removal("shop", running(make_shop())), "removal")


specs = st.builds(
    WorkloadSpec,
    application=st.just("app"),
    service=st.sampled_from(["a", "b", "c"]),
    team=st.just("team"),
    image=st.sampled_from(["r/i@sha256:1", "r/i@sha256:2"]),
    replicas=st.integers(0, 3),
    memory=st.sampled_from([1 << 20, 2 << 20]),
    mounts=st.sampled_from([(), (Mount(kind="volume", source="v", target="/v"),)]),
    ports=st.sampled_from([(), (Port(container_port=80, host_port=80),)]),
)


@st.composite
def applications(draw: st.DrawFn) -> Application:
    chosen = draw(st.lists(specs, unique_by=lambda spec: spec.service, max_size=3))
    single = [
        msgspec.structs.replace(item, replicas=min(item.replicas, 1)) if item.stops_first else item for item in chosen
    ]
    return Application(name="app", team="team", environment="production", workloads=tuple(single))


def apply(made: Plan, application: Application, engine: MemoryEngine) -> None:
    by_name = {item.name: item for item in application.workloads}
    for step in made.steps:
        match step:
            case Start(workload, name, image):
                engine.start(by_name[workload], name, image, "d")
            case Stop(_, name, grace):
                engine.stop(name, grace)
            case Remove(_, name):
                engine.remove(name)


@given(st.lists(applications(), min_size=1, max_size=4), st.data())
def test_after_any_history_a_carried_out_plan_leaves_nothing_to_plan(
    history: list[Application], data: st.DataObject
) -> None:
    engine = MemoryEngine()
    for application in history:
        apply(plan(application, engine.observe("app")), application, engine)
        for item in engine.observe("app"):
            if data.draw(st.booleans()):
                engine.crash(item.name)
    last = history[-1]
    apply(plan(last, engine.observe("app")), last, engine)

    assert plan(last, engine.observe("app")).is_empty
    assert len(engine.observe("app")) == sum(spec.replicas for spec in last.workloads)


@given(applications(), applications())
def test_two_writers_of_a_volume_never_run_at_once(before: Application, after: Application) -> None:
    engine = MemoryEngine()
    apply(plan(before, []), before, engine)
    by_name = {item.name: item for item in after.workloads}
    for step in plan(after, engine.observe("app")).steps:
        match step:
            case Start(workload, name, image):
                writers = [
                    item for item in engine.observe("app") if item.workload == workload and item.state == "running"
                ]
                assert not (by_name[workload].keeps_data and writers)
                engine.start(by_name[workload], name, image, "d")
            case Stop(_, name, grace):
                engine.stop(name, grace)
            case Remove(_, name):
                engine.remove(name)
