"""Each check reads what it is given and says how to mend what is missing."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from lading import settings as settings_module
from lading.entrypoints.cli.doctor import kernel, machine, tools
from lading.entrypoints.cli.doctor.checks import run_checks
from lading.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_module.load({"data": str(tmp_path / "data")}, {})


def write(root: Path, path: str, text: str = "") -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_every_check_answers_and_every_problem_says_how_to_mend_it(settings: Settings) -> None:
    results = run_checks(settings, server_runs=False)
    assert len({result.name for result in results}) == len(results) >= 20
    assert [result for result in results if (result.status == "ok") == bool(result.mend)] == []
    assert not settings.data.exists()


def test_overlay_is_found_among_the_file_systems(tmp_path: Path) -> None:
    assert kernel.check_overlay(tmp_path).status == "fail"
    write(tmp_path, "proc/filesystems", "nodev\tproc\nnodev\toverlay\n")
    assert kernel.check_overlay(tmp_path).status == "ok"


def test_cgroups_of_version_2_are_read(tmp_path: Path) -> None:
    write(tmp_path, "sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n")
    assert kernel.check_cgroups(tmp_path).found == "version 2 with cpu, memory, pids"


def test_cgroups_of_version_1_without_memory_fail(tmp_path: Path) -> None:
    write(
        tmp_path,
        "proc/cgroups",
        "#subsys_name\thierarchy\tnum\tenabled\ncpu\t1\t2\t1\nmemory\t0\t1\t0\npids\t3\t2\t1\n",
    )
    result = kernel.check_cgroups(tmp_path)
    assert (result.status, result.found) == ("fail", "version 1 without memory")


def test_missing_namespaces_are_named(tmp_path: Path) -> None:
    for name in ("cgroup", "ipc", "mnt", "net", "pid"):
        write(tmp_path, f"proc/self/ns/{name}")
    assert kernel.check_namespaces(tmp_path).found == "missing uts"


def test_forwarding_that_is_off_is_a_warning(tmp_path: Path) -> None:
    write(tmp_path, "proc/sys/net/ipv4/ip_forward", "0\n")
    assert kernel.check_network(tmp_path).status == "warn"


def test_bpf_enforcement_keeps_the_other_security_modules(tmp_path: Path) -> None:
    write(tmp_path, "sys/kernel/security/lsm", "capability,apparmor")
    assert kernel.check_bpf_lsm(tmp_path).mend.endswith("lsm=capability,apparmor,bpf")


def test_an_unreadable_list_of_security_modules_suggests_no_boot_option(tmp_path: Path) -> None:
    assert "lsm=" not in kernel.check_bpf_lsm(tmp_path).mend


def test_a_taken_port_is_named_unless_the_server_holds_it() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        address = f"127.0.0.1:{holder.getsockname()[1]}"
        settings = settings_module.load(
            {"push_addr": address, "pull_addr": "127.0.0.1:9", "api_addr": "127.0.0.1:9"}, {}
        )
        assert machine.check_ports(settings, server_runs=False).found == f"{address} taken"
        assert machine.check_ports(settings, server_runs=True).status == "ok"


def test_an_endpoint_on_all_interfaces_is_a_warning() -> None:
    result = machine.check_exposure(settings_module.load({"api_addr": "0.0.0.0:8080"}, {}))
    assert (result.status, result.found) == ("warn", "API 0.0.0.0:8080 without TLS")


def test_too_little_disk_fails(settings: Settings, tmp_path: Path) -> None:
    greedy = settings_module.load({"data": str(tmp_path), "min_free_megabytes": str(10**12)}, {})
    assert machine.check_disk(greedy).status == "fail"


def test_a_ca_file_without_certificates_fails(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("nothing")
    assert machine.check_ca_file(settings_module.load({"ca_file": str(bundle)}, {})).status == "fail"
    bundle.write_text("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")
    assert machine.check_ca_file(settings_module.load({"ca_file": str(bundle)}, {})).status == "ok"


def test_an_unreachable_database_fails_with_a_remedy(tmp_path: Path) -> None:
    settings = settings_module.load({"database_url": "postgresql+psycopg://nobody@127.0.0.1:1/none"}, {})
    result = machine.check_database(settings)
    assert result.status == "fail" and result.mend


def test_a_configured_engine_that_does_not_answer_fails(tmp_path: Path) -> None:
    settings = settings_module.load({"data": str(tmp_path), "engine": f"unix://{tmp_path}/none.sock"}, {})
    assert tools.check_engine(settings).mend == "Start it, or correct LADING_ENGINE."
