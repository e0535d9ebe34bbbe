"""Compose files become hardened workloads, and what cannot be carried out is refused by file, line and key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lading.orchestration.errors import ComposeInvalid
from lading.orchestration.workload.compose import find_compose_file, load_application
from lading.orchestration.workload.spec import Application, BuildSource, Health, Mount, Port, WorkloadSpec

REPOSITORY = Path(__file__).resolve().parents[3]

Load = Callable[..., Application]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def read(*texts: str, **variables: str) -> Application:
        files = []
        for number, text in enumerate(texts, 1):
            files.append(tmp_path / ("compose.yaml" if number == 1 else f"compose.{number}.yaml"))
            files[-1].write_text(text)
        return load_application(files, variables=variables, default_name="Demo App", default_environment="production")

    return read


def one(load: Load, lines: str, **variables: str) -> WorkloadSpec:
    """The workload of a service with these keys; the declared volume is `data`, the declared network `back`."""
    body = "".join(f"    {line}\n" for line in lines.splitlines())
    text = f"services:\n  web:\n    image: shop/web:1\n{body}volumes: {{data: }}\nnetworks: {{back: }}\n"
    return load(text, **variables).workloads[0]


def refusal(load: Load, lines: str, **variables: str) -> str:
    with pytest.raises(ComposeInvalid) as caught:
        one(load, lines, **variables)
    return str(caught.value)


def test_the_example_shop_is_read_whole() -> None:
    application = load_application(
        [REPOSITORY / "examples/shop/compose.yaml"], variables={}, default_name="x", default_environment="development"
    )
    store, web = application.workloads

    assert (application.name, application.team, application.environment) == ("shop", "shop", "development")
    assert (store.name, web.name, web.depends_on) == ("shop/store", "shop/web", ("store",))
    assert store.keeps_data
    assert web.build == BuildSource(context="web")
    assert web.ports == (Port(container_port=8000, host_port=8000),)
    assert application.not_carried_out == ()
    assert web.relaxations == store.relaxations == ()


def test_a_service_that_says_nothing_is_hardened(load: Load) -> None:
    spec = one(load, "")

    assert spec.read_only
    assert spec.no_new_privileges
    assert spec.init
    assert (spec.capabilities, spec.privileged, spec.host_network, spec.host_pid) == ((), False, False, False)
    assert (spec.memory, spec.pids) == (512 << 20, 256)
    assert spec.mounts == (Mount(kind="tmpfs", target="/tmp", size=64 << 20),)
    assert spec.relaxations == ()


@pytest.mark.parametrize(
    ("lines", "relaxation"),
    [
        ("read_only: false", "read_only: false"),
        ("privileged: true", "privileged: true"),
        ("cap_add: [CAP_NET_ADMIN]", "cap_add: NET_ADMIN"),
        ("user: root", "user: root"),
        ('user: "0:1000"', "user: 0:1000"),
        ("user: 00", "user: 00"),
        ("pids_limit: -1", "pids_limit: none"),
        ("mem_limit: -1", "mem_limit: none"),
        ("network_mode: host", "network_mode: host"),
        ("pid: host", "pid: host"),
        ("security_opt: ['no-new-privileges:false']", "security_opt: no-new-privileges:false"),
        ("volumes: ['/srv/../etc:/etc/x:ro']", "host path: /etc"),
    ],
)
def test_each_relaxation_is_named_and_seen_by_policy(load: Load, lines: str, relaxation: str) -> None:
    spec = one(load, lines)

    assert spec.relaxations == (relaxation,)
    assert spec.policy_input()["relaxations"] == [relaxation]


def test_a_flag_from_a_variable_means_what_it_says(load: Load) -> None:
    assert one(load, 'privileged: "${P:-false}"').privileged is False
    assert one(load, 'privileged: "${P:-false}"', P="true").privileged is True
    assert "neither true nor false" in refusal(load, 'read_only: "${P}"', P="maybe")


def test_ports_lead_to_loopback_unless_an_address_is_named(load: Load) -> None:
    spec = one(load, 'ports: ["8080:80", "0.0.0.0:22:22", "[::1]:81:80", {target: 90, published: "9090"}]')

    assert [(port.host_address, port.host_port, port.container_port) for port in spec.ports] == [
        ("127.0.0.1", 8080, 80),
        ("0.0.0.0", 22, 22),
        ("[::1]", 81, 80),
        ("127.0.0.1", 9090, 90),
    ]


def test_numbers_with_colons_are_texts_as_in_yaml_1_2(load: Load) -> None:
    assert one(load, "ports: [8022:22]").ports == (Port(container_port=22, host_port=8022),)
    assert one(load, "restart: no").restart == "no"


def test_a_workload_with_a_writable_volume_or_udp_is_replaced_with_a_pause(load: Load) -> None:
    assert one(load, "volumes: ['data:/data']").stops_first
    assert not one(load, "volumes: ['data:/data:ro']").stops_first
    assert one(load, 'ports: ["53:53/udp"]').stops_first
    assert not one(load, 'ports: ["53:53"]').stops_first


def test_replicas_can_be_none_and_do_not_change_what_a_container_is(load: Load) -> None:
    none, three = one(load, "deploy: {replicas: 0}"), one(load, "scale: 3")

    assert (none.replicas, three.replicas) == (0, 3)
    assert none.digest() == three.digest()
    assert one(load, "mem_limit: 1g").digest() != none.digest()


def test_health_checks_are_read_and_can_be_switched_off(load: Load) -> None:
    spec = one(load, "healthcheck: {test: exit 0, interval: 1m30s, timeout: 500ms, retries: 2, start_period: 3s}")
    off = one(load, "healthcheck: {disable: true}")

    assert spec.health == Health(test=("CMD-SHELL", "exit 0"), interval=90, timeout=0.5, retries=2, start_period=3)
    assert spec.policy_input()["health"] is True
    assert off.health == Health(test=("NONE",))
    assert off.policy_input()["health"] is False


def test_environment_comes_from_files_lists_and_variables(load: Load, tmp_path: Path) -> None:
    (tmp_path / "web.env").write_text("# comment\nexport A=1\nB='two'\n")

    spec = one(load, "env_file: web.env\nenvironment: [A=3, GIVEN, ABSENT]", GIVEN="here")

    assert spec.environment == {"A": "3", "B": "two", "GIVEN": "here"}


def test_variables_are_interpolated_after_merging(load: Load) -> None:
    base = "services: {web: {image: 'shop/${NAME}', environment: [LEFT=1, BOTH=1], volumes: ['data:/d']}}\n"
    over = "services: {web: {environment: {BOTH: '${BOTH:-2}', COST: $$5}, volumes: ['other:/d']}}\nvolumes: {data: , other: }\n"

    spec = load(base, over, NAME="web").workloads[0]

    assert spec.image == "shop/web"
    assert spec.environment == {"LEFT": "1", "BOTH": "2", "COST": "$5"}
    assert [mount.source for mount in spec.mounts if mount.kind == "volume"] == ["other"]


def test_what_changes_nothing_is_reported_and_not_dropped(load: Load) -> None:
    text = "services: {web: {image: a, container_name: shop-b, logging: {driver: none}}}\n"

    assert load(text).not_carried_out == (
        "services.web.container_name is not carried out: containers are named after application, service and specification",
        "services.web.logging is not carried out: logs are taken by Lading",
    )


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            "prots: []",
            "compose.yaml:4: services.web.prots is unknown to the Compose specification. Did you mean 'ports'?",
        ),
        ("extends: {service: a}", "compose.yaml:4: services.web.extends is not supported."),
        ("sysctls: {a: 1}", "compose.yaml:4: services.web.sysctls is not supported."),
        ("volumes: ['./data:/data']", "compose.yaml:4: services.web.volumes mounts './data' of the host."),
        ("volumes: ['nodata:/data']", "uses nodata, which is not declared."),
        ("volumes: ['/data']", "uses an anonymous volume, which is not declared."),
        ("volumes: ['data:/a/../..']", "mounts to '/a/../..'."),
        ("networks: [front]", "has 'front', which is not declared."),
        ("ports: ['80']", "has '80', which is not supported."),
        ("ports: ['8000-8010:80']", "has '8000-8010:80', which is not supported."),
        ("ports: ['host:80:80']", "has 'host' for an address."),
        ("network_mode: bridge", "is not supported. Use networks, host or none."),
        ("network_mode: host\nports: ['80:80']", "cannot be published without a network of its own."),
        ("scale: 2\nvolumes: ['data:/data']", "is more than one, but two of it would share a writable volume"),
        ("depends_on: [db]", "names db, which is no service."),
        ("depends_on: [web]", "goes in a circle: web -> web."),
        ("depends_on: {web: {condition: service_completed_successfully}}", "waits for service_completed_successfully."),
        ("security_opt: ['seccomp:unconfined']", "which is not supported. Remove it."),
        ("labels: {lading.team: other}", "a name that Lading keeps for itself"),
        ("build: {context: ../outside}", "is '../outside', outside the source."),
        ("build: {context: ., dockerfile: /etc/passwd}", "is '/etc/passwd', outside the source."),
        ("env_file: ../secret.env", "no file of the source."),
        ("mem_limit: lots", "'lots' is not a size."),
        ("stop_grace_period: soon", "'soon' is not a duration."),
        ("pids_limit: many", "'many' is not a number"),
        ("restart: sometimes", "is 'sometimes'."),
        ("command: 'a \"b'", "cannot be split into words"),
        ("healthcheck: {test: [exit, '0']}", "is no health check."),
        ("image: ${NAME:?it is needed}", "NAME has no value: it is needed."),
        ("deploy: {replicas: 1000000}", "is not a number from 0 to 100."),
    ],
)
def test_what_cannot_be_carried_out_is_refused_where_it_stands(load: Load, lines: str, message: str) -> None:
    lines = lines if not lines.startswith("image") else lines.replace("image", "hostname")
    assert message in refusal(load, lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "compose.yaml is not a map of keys."),
        ("services: {}\n", "compose.yaml has no services."),
        ("services: {web: {image: a}}\nsecrets: {a: {file: b}}\n", "compose.yaml:2: secrets is not supported."),
        ("servces: {web: {image: a}}\n", "Did you mean 'services'?"),
        ("services: {web: {}}\n", "has neither image nor build."),
        ("services:\n  web: {image: a}\n  web: {image: b}\n", "compose.yaml:3: key 'web' comes twice."),
        ("services: [\n", "compose.yaml:2:"),
        ("a: &a [*a]\n", "compose.yaml:1: it contains itself."),
        ("services: " + "[" * 60 + "]" * 60, "nested deeper than 40 levels"),
        ("services: {web: {image: a}}\nx-lading: {taem: a}\n", "compose.yaml:2: x-lading.taem is unknown."),
        ("services: {a: {image: a, ports: ['1:1']}, b: {image: a, ports: ['1:2']}}", "publishes 1 like a."),
        ("services: {web: {image: a}}\nvolumes: {a: {external: true}}\n", "volumes.a.external is not supported."),
        ("services: {web: {image: a}}\nx: " + "a" * (1 << 20), "compose.yaml is larger than 1 MiB."),
        ("services: {web: {image: 2026-01-01, hostname: 0777}}\nname: Über\n", "'Über'"),
    ],
)
def test_files_that_are_no_applications_are_refused(load: Load, text: str, message: str) -> None:
    with pytest.raises(ComposeInvalid) as caught:
        load(text)
    assert message in str(caught.value)


def test_a_few_aliases_cannot_make_a_file_endless(load: Load) -> None:
    lines = ["x0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"x{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]

    with pytest.raises(ComposeInvalid, match="more than 50000 values"):
        load("\n".join(lines))


def test_a_compose_file_is_found_by_its_usual_names(tmp_path: Path) -> None:
    assert find_compose_file(tmp_path) is None
    (tmp_path / "docker-compose.yml").write_text("")
    assert find_compose_file(tmp_path) == tmp_path / "docker-compose.yml"
