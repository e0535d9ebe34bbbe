"""Found against allowed, and stated only when it changed."""

from __future__ import annotations

from typing import Any

import pytest

from lading.facts import Ledger
from lading.runtime_security.containers import RunningContainer
from lading.runtime_security.docker_engine import read_inspection
from lading.runtime_security.errors import ContainerGone
from lading.runtime_security.posture import Allowance, Found, KernelView, PostureAssessor
from lading.runtime_security.posture.capabilities import DOCKER_DEFAULT, NAMES, granted, of_mask
from lading.runtime_security.posture.compare import deviations, privileges
from lading.runtime_security.posture.found import MemoryInspector
from lading.runtime_security.posture.kernel import MemoryKernelReader, read_status
from lading.state import Database

HARDENED = Found(
    container="a" * 64,
    pid=4242,
    user="65532:65532",
    privileged=False,
    read_only=True,
    no_new_privileges=True,
    capabilities=frozenset(),
    seccomp="default",
    apparmor="docker-default",
    host_network=False,
    host_pid=False,
    host_ipc=False,
    host_paths=(),
    devices=(),
    memory_bytes=512 << 20,
    pids=256,
)
KERNEL = KernelView(frozenset(), frozenset(), 65532, True, "filter")
DECLARED: dict[str, Any] = {
    "name": "shop/web",
    "user": "65532:65532",
    "read_only": True,
    "privileged": False,
    "capabilities": [],
    "no_new_privileges": True,
    "memory_bytes": 512 << 20,
    "pids": 256,
    "host_paths": [],
    "host_network": False,
    "host_pid": False,
}


def beyond(found: Found = HARDENED, kernel: KernelView | None = KERNEL, **declared: object) -> tuple[str, ...]:
    return deviations(Allowance.of_workload(DECLARED | declared), found, kernel)


def test_a_container_as_declared_has_no_deviation() -> None:
    assert beyond() == ()


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"privileged": True}, "it is privileged"),
        ({"read_only": False}, "its root file system is writable"),
        ({"capabilities": frozenset({"NET_ADMIN", "CHOWN"})}, "capabilities CHOWN NET_ADMIN"),
        ({"seccomp": "unconfined"}, "seccomp is off"),
        ({"apparmor": "unconfined"}, "AppArmor is off"),
        ({"host_network": True}, "it is in the host's network"),
        ({"host_pid": True}, "it sees the host's processes"),
        ({"host_ipc": True}, "it shares the host's IPC"),
        ({"host_paths": ("/etc",)}, "host path /etc"),
        ({"devices": ("/dev/sda",)}, "device /dev/sda"),
        ({"memory_bytes": 0}, "no memory limit, where 536870912 was set"),
        ({"memory_bytes": 1 << 30}, "a memory limit of 1073741824, where 536870912 was set"),
        ({"pids": 0}, "no process limit, where 256 was set"),
    ],
)
def test_each_privilege_too_many_is_one_sentence(changed: dict[str, Any], sentence: str) -> None:
    assert beyond(HARDENED._replace(**changed)) == (sentence,)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"uid": 0}, "it runs as root, not as 65532:65532"),
        ({"no_new_privileges": False}, "it may gain new privileges"),
        ({"seccomp": "off"}, "the kernel applies no seccomp filter to it"),
        ({"capabilities": frozenset({"SYS_ADMIN"})}, "capabilities SYS_ADMIN, which the engine does not mention"),
        ({"bounding": frozenset({"SYS_ADMIN"})}, "capabilities SYS_ADMIN, which the engine does not mention"),
    ],
)
def test_the_kernel_is_believed_more_than_the_engine(changed: dict[str, Any], sentence: str) -> None:
    assert beyond(kernel=KERNEL._replace(**changed)) == (sentence,)


@pytest.mark.parametrize(
    ("found", "declared"),
    [
        ({"read_only": False}, {"read_only": False}),
        ({"capabilities": frozenset({"NET_ADMIN"})}, {"capabilities": ["cap_net_admin"]}),
        ({"host_paths": ("/srv/data",)}, {"host_paths": ["/srv/data/:/data:ro"]}),
        ({"privileged": True, "seccomp": "unconfined", "apparmor": "unconfined"}, {"privileged": True}),
        ({"memory_bytes": 1}, {}),
        ({"memory_bytes": 0, "pids": 0}, {"memory_bytes": 0, "pids": 0}),
    ],
)
def test_what_was_allowed_is_no_deviation(found: dict[str, Any], declared: dict[str, Any]) -> None:
    assert beyond(HARDENED._replace(**found), **declared) == ()


def test_a_container_nobody_declared_may_have_nothing() -> None:
    sentences = deviations(Allowance.of_workload(None), HARDENED._replace(read_only=False), None)
    assert sentences == (
        "it runs under our labels, but no workload of that name was declared",
        "its root file system is writable",
    )


def test_privileges_say_who_was_asked() -> None:
    assert privileges(HARDENED, None)["seen by"] == "engine"
    told = privileges(HARDENED, KERNEL)
    assert (told["seen by"], told["user"], told["capabilities"]) == (
        "engine and kernel",
        "65532:65532 (uid 65532)",
        "none",
    )


def test_capabilities_are_counted_as_docker_counts_them() -> None:
    none: frozenset[str] = frozenset()
    assert granted(added=none, dropped=none, privileged=False) == DOCKER_DEFAULT
    assert granted(added=frozenset({"CHOWN"}), dropped=frozenset({"ALL"}), privileged=False) == {"CHOWN"}
    assert granted(added=frozenset({"ALL"}), dropped=frozenset({"MKNOD"}), privileged=False) == set(NAMES) - {"MKNOD"}
    assert granted(added=none, dropped=frozenset({"ALL"}), privileged=True) == set(NAMES)


def test_a_status_file_is_read() -> None:
    text = "Name:\tsh\nUid:\t0\t1000\t0\t0\nNoNewPrivs:\t1\nSeccomp:\t2\nCapEff:\t0000000000003000\nCapBnd:\t0000020000000001\n"
    assert read_status(text) == KernelView(
        frozenset({"NET_ADMIN", "NET_RAW"}), frozenset({"CHOWN", "CAP_41"}), 1000, True, "filter"
    )
    assert of_mask(0) == frozenset()


@pytest.mark.parametrize("text", ["", "CapEff:\tzz\n", "CapEff:\t0\nCapBnd:\t0\nUid:\t\nNoNewPrivs: 0\nSeccomp: 0\n"])
def test_an_unreadable_status_is_no_view(text: str) -> None:
    assert read_status(text) is None


def test_an_inspection_is_read_with_its_omissions() -> None:
    found = read_inspection(
        {
            "Id": "c" * 64,
            "State": {"Pid": 7},
            "Config": {"User": ""},
            "HostConfig": {
                "CapDrop": ["CAP_MKNOD"],
                "SecurityOpt": ["no-new-privileges:true", 'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}'],
                "PidsLimit": None,
                "NetworkMode": "host",
            },
            "Mounts": [{"Type": "bind", "Source": "/etc"}, {"Type": "volume", "Source": "/var/lib/x"}],
            "NetworkSettings": {"Ports": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8000"}], "81/tcp": None}},
        }
    )
    assert found.capabilities == DOCKER_DEFAULT - {"MKNOD"}
    assert (found.no_new_privileges, found.seccomp, found.pids) == (True, "custom profile", 0)
    assert (found.host_network, found.host_paths) == (True, ("/etc",))
    assert found.ports == ("127.0.0.1:8000->80/tcp",)
    assert read_inspection({"Id": "d" * 64}).capabilities == DOCKER_DEFAULT


def test_a_posture_is_stated_when_it_changes_and_not_again_after_a_restart(
    web: RunningContainer, database: Database, ledger: Ledger
) -> None:
    inspector, kernel = MemoryInspector(HARDENED), MemoryKernelReader({4242: KERNEL})
    assessor = PostureAssessor(inspector, kernel, database, ledger)
    assert assessor.assess(web, DECLARED).changed
    assert not assessor.assess(web, DECLARED).changed
    assert not PostureAssessor(inspector, kernel, database, ledger).assess(web, DECLARED).changed
    inspector.found[web.id] = HARDENED._replace(memory_bytes=1 << 40)
    again = assessor.assess(web, DECLARED)
    assert (again.changed, len(again.deviations)) == (True, 1)
    with database.read() as tx:
        kinds = [entry.fact.kind() for entry in ledger.read(tx)]
    assert kinds == ["container.posture-assessed"] * 2


def test_a_container_that_ended_is_gone(web: RunningContainer, database: Database, ledger: Ledger) -> None:
    with pytest.raises(ContainerGone):
        PostureAssessor(MemoryInspector(), MemoryKernelReader(), database, ledger).assess(web, DECLARED)
