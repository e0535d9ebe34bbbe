"""Posture, drift and responses on a real engine, judged by the default policy pack."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import APIError

from busybox_image import BUSYBOX, busybox_image, busybox_sha256
from lading.facts import Ledger
from lading.facts.kinds.runtime_security import PostureAssessed, SensorStateChanged
from lading.policy.decide import Policy
from lading.policy.pack import default_pack
from lading.runtime_security.docker_engine import DockerContainers, Labels
from lading.runtime_security.judge import Incident, Incidents, RuntimeJudge
from lading.runtime_security.judge.policy_judge import PolicyJudge
from lading.runtime_security.posture import PostureAssessor
from lading.runtime_security.posture.kernel import ProcKernelReader
from lading.runtime_security.respond import Responses, ResponseSettings
from lading.runtime_security.sense import DriftWatch, ImageFile
from lading.runtime_security.sense.files import FileSense
from lading.runtime_security.sense.image_files import MemoryImageFiles
from lading.runtime_security.sense.processes import ProcessSense, engine_programs
from lading.runtime_security.sense.states import SensorStates
from lading.runtime_security.sense.watch import MemoryAllowed
from lading.state import Database, metadata

pytestmark = pytest.mark.docker
LABEL = "test.drift"
IMAGE = "sha256:" + "1" * 64
IDLE = "trap exit TERM; while :; do sleep 1; done"
DECLARED = {
    "name": "shop/web",
    "user": "",
    "read_only": False,
    "capabilities": [],
    "no_new_privileges": True,
    "memory_bytes": 64 << 20,
    "pids": 50,
}


class Site:
    """An engine under watch, with its events fed in as wiring does."""

    def __init__(self, address: str, directory: Path) -> None:
        self.client = docker.DockerClient(base_url=address)
        self.image = busybox_image(self.client)
        self.database = Database(f"sqlite:///{directory / 'state.db'}")
        metadata.create_all(self.database.engine)
        self.ledger = Ledger()
        self.engine = DockerContainers(address, Labels(workload=LABEL))
        self.files = MemoryImageFiles({IMAGE: {"/bin/busybox": ImageFile(busybox_sha256(), BUSYBOX.stat().st_size)}})
        self.incidents = Incidents(self.database, self.ledger)
        allowed = MemoryAllowed({"shop/web": DECLARED})
        self.responses = {"only-programs-of-the-image": ("pause",)}
        judge = RuntimeJudge(
            judge=PolicyJudge(Policy(self.database, self.ledger, default_pack())),
            incidents=self.incidents,
            allowed=allowed,
            responder=Responses(self.incidents, self.engine, ResponseSettings(by_rule=self.responses)),
        )
        self.watch = DriftWatch(
            containers=self.engine,
            allowed=allowed,
            posture=PostureAssessor(self.engine, ProcKernelReader(), self.database, self.ledger),
            processes=ProcessSense(self.files, engine_programs()),
            files=FileSense(self.engine, self.files),
            states=SensorStates("node-1", self.database, self.ledger),
            sink=judge,
            seconds=0.5,
        )
        self._events = self.client.events(decode=True, filters={"type": "container"})
        self._feeder = threading.Thread(target=self._feed, daemon=True)
        self._feeder.start()
        self.watch.start()

    def _feed(self) -> None:
        for event in self._events:
            action = str(event.get("Action", ""))
            if action.startswith("exec_start: "):
                self.watch.exec_started(event["Actor"]["ID"], action.partition(": ")[2])
            elif action == "update":
                self.watch.changed(event["Actor"]["ID"])

    def end(self) -> None:
        self.watch.stop()
        self._events.close()
        self._feeder.join(10)
        for container in self.client.containers.list(all=True, filters={"label": LABEL}):
            container.remove(force=True)
        self.engine.close()
        self.client.close()
        self.database.close()

    def run(self, script: str = IDLE, workload: str = "shop/web", **options: Any) -> Any:
        hardened: dict[str, Any] = {
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "mem_limit": 64 << 20,
            "pids_limit": 50,
            "init": True,
        }
        return self.client.containers.run(
            self.image,
            ["/bin/sh", "-c", script],
            detach=True,
            labels={LABEL: workload, "lading.image": f"registry.example/shop/web@{IMAGE}", "lading.team": "shop"},
            **(hardened | options),
        )

    def incident(self, rule: str, container: Any) -> Incident:
        """Wait for the open incident of a rule."""
        found: list[Incident] = []

        def there() -> bool:
            found[:] = [one for one in self.incidents.list(container=container.id) if one.rule == rule]
            return bool(found)

        eventually(there)
        return found[0]

    def assessed(self, container: Any) -> PostureAssessed:
        facts: list[PostureAssessed] = []

        def there() -> bool:
            with self.database.read() as tx:
                every = [entry.fact for entry in self.ledger.read(tx)]
            facts[:] = [one for one in every if isinstance(one, PostureAssessed) and one.container == container.id]
            return bool(facts)

        eventually(there)
        return facts[-1]


def eventually(holds: Callable[[], bool]) -> None:
    for _ in range(300):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come to hold")


@pytest.fixture
def site(docker_engine: str, tmp_path: Path) -> Iterator[Site]:
    made = Site(docker_engine, tmp_path)
    yield made
    made.end()


def test_a_container_as_declared_raises_nothing(site: Site) -> None:
    health = {"test": ["CMD-SHELL", "true"], "interval": 200_000_000}
    container = site.run(healthcheck=health, tmpfs={"/tmp": ""}, volumes={"drift-data": {"bind": "/data"}})
    assessed = site.assessed(container)
    eventually(lambda: len((container.reload(), container.attrs)[1]["State"].get("Health", {}).get("Log", [])) >= 3)
    for _ in range(3):
        site.watch.look()
    assert assessed.deviations == ()
    assert assessed.privileges["seen by"] == "engine and kernel"
    assert assessed.privileges["capabilities"] == "none"
    assert site.incidents.list() == []
    with site.database.read() as tx:
        states = [one.fact for one in site.ledger.read(tx) if isinstance(one.fact, SensorStateChanged)]
    assert {(one.sensor, one.state) for one in states} == {
        ("posture", "running"),
        ("processes", "running"),
        ("files", "running"),
    }


def test_a_shell_started_from_outside_is_an_incident(site: Site) -> None:
    container = site.run()
    site.assessed(container)
    container.exec_run(["/bin/sh", "-c", "echo hello"])
    incident = site.incident("no-exec-into-container", container)
    assert incident.evidence["command"] == "/bin/sh -c echo hello"
    assert (incident.severity, incident.workload, incident.team) == ("high", "shop/web", "shop")


def test_a_program_that_is_not_in_the_image_is_an_incident_and_is_paused(site: Site) -> None:
    container = site.run(
        "cp /bin/busybox /tmp/sleep; echo changed >> /tmp/sleep; /tmp/sleep 600", tmpfs={"/tmp": "exec"}
    )
    incident = site.incident("only-programs-of-the-image", container)
    assert incident.severity == "critical"
    assert incident.evidence["path"] == "/tmp/sleep"
    assert incident.evidence["reason"] == "the image has no such program"
    eventually(lambda: (container.reload(), container.status)[1] == "paused")
    eventually(lambda: site.incidents.get(incident.id).responses == [("alert", "done"), ("pause", "done")])
    container.unpause()


def test_a_program_that_was_changed_in_place_is_an_incident(site: Site) -> None:
    site.responses.clear()
    swap = "cp /bin/busybox /bin/b; echo x >> /bin/b; /bin/busybox mv /bin/b /bin/busybox; exec /bin/busybox sleep 600"
    container = site.run(swap)
    changed = "the program was changed since the image was made"
    eventually(
        lambda: any(
            one.evidence.get("reason") == changed and one.evidence.get("path") == "/bin/busybox"
            for one in site.incidents.list(container=container.id)
        )
    )


def test_a_file_written_into_a_writable_root_is_an_incident(site: Site) -> None:
    container = site.run(f"echo '* * * * *' > /etc/job; echo fine > /tmp/cache; {IDLE}", tmpfs={"/tmp": ""})
    incident = site.incident("image-tree-unchanged", container)
    assert incident.evidence["path"] == "/etc/job"
    assert len(site.incidents.list(container=container.id)) == 1


def test_a_limit_raised_behind_our_back_is_a_deviation(site: Site) -> None:
    container = site.run()
    assert site.assessed(container).deviations == ()
    container.update(mem_limit=100 << 20, memswap_limit=200 << 20)
    incident = site.incident("posture-as-allowed", container)
    assert "a memory limit of 104857600, where 67108864 was set" in incident.title


def test_a_privileged_container_under_our_labels_is_a_deviation(site: Site) -> None:
    try:
        container = site.run(workload="shop/unknown", cap_drop=[], privileged=True, init=False)
    except APIError:  # a sandbox that may not grant every capability: what it may grant is enough
        container = site.run(
            workload="shop/unknown",
            cap_drop=[],
            cap_add=["NET_ADMIN"],
            security_opt=["seccomp=unconfined"],
            pid_mode="host",
        )
    deviations = site.assessed(container).deviations
    assert deviations[0] == "it runs under our labels, but no workload of that name was declared"
    assert {"it is privileged", "seccomp is off"} & set(deviations)
    site.incident("posture-as-allowed", container)


def test_a_container_that_is_removed_ends_its_incidents(site: Site) -> None:
    container = site.run()
    site.assessed(container)
    container.exec_run(["/bin/echo", "x"])
    incident = site.incident("no-exec-into-container", container)
    container.remove(force=True)
    eventually(lambda: site.incidents.get(incident.id).state == "closed")
    assert site.incidents.get(incident.id).resolution == "its container is gone"


def test_an_image_without_an_index_is_said_aloud(site: Site) -> None:
    site.files.images.clear()
    container = site.run()
    incident = site.incident("sensors-see", container)
    assert "not known" in incident.evidence["reason"]
    with site.database.read() as tx:
        states = [one.fact for one in site.ledger.read(tx) if isinstance(one.fact, SensorStateChanged)]
    assert any(one.sensor == "processes" and one.state == "blind" for one in states)
