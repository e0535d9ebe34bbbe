"""Rules about how a service is operated: limits, restarts, ports, health, images and secrets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lading.kernel.severity import Severity
from lading.supply_chain.checks.compose.file import ComposeFile, Service
from lading.supply_chain.checks.compose.isolation import of_each
from lading.supply_chain.checks.files.file_rule import FileRule, Spot, declare
from lading.supply_chain.checks.files.image_names import fixed_by, shown
from lading.supply_chain.checks.files.secret_names import is_literal, is_secret_name

_DATABASES: Final = {
    "1433": "SQL Server", "1521": "Oracle", "2379": "etcd", "2380": "etcd", "3306": "MySQL", "5432": "PostgreSQL",
    "5984": "CouchDB", "6379": "Redis", "7000": "Cassandra", "7001": "Cassandra", "8086": "InfluxDB",
    "8529": "ArangoDB", "9042": "Cassandra", "9200": "Elasticsearch", "9300": "Elasticsearch", "11211": "Memcached",
    "26257": "CockroachDB", "27017": "MongoDB", "27018": "MongoDB", "28015": "RethinkDB", "33060": "MySQL",
    "50000": "Db2", "2375": "the Docker Engine", "2376": "the Docker Engine",
}  # fmt: skip
_WEB: Final = frozenset({"80", "443"})
_FIRST_FREE: Final = 1024


def _memory(service: Service) -> Iterator[Spot]:
    limit = service.node.at("deploy", "resources", "limits", "memory")
    if service.whole and not _set(service.node["mem_limit"]) and not _set(limit):
        yield Spot(service.line, f"{service.name} may take all memory of the host")


def _processor(service: Service) -> Iterator[Spot]:
    said = [service.node[key] for key in ("cpus", "cpu_quota", "cpu_shares", "cpuset", "cpu_count", "cpu_percent")]
    said.append(service.node.at("deploy", "resources", "limits", "cpus"))
    if service.whole and not any(_set(node) for node in said):
        yield Spot(service.line, f"{service.name} may take all processors of the host")


def _processes(service: Service) -> Iterator[Spot]:
    node = service.node["pids_limit"]
    limit = service.node.at("deploy", "resources", "limits", "pids")
    if service.whole and not _set(node) and not _set(limit):
        yield Spot(node.line, f"{service.name} may start any number of processes")


def _set(limit: object) -> bool:
    text = getattr(limit, "text", "")
    return text not in ("", "0", "-1")


def _restart(service: Service) -> Iterator[Spot]:
    node = service.node["restart"]
    if node.text in ("always", "unless-stopped", "on-failure"):
        yield Spot(node.line, f"{service.name} is started again without an end")


def _database_port(service: Service) -> Iterator[Spot]:
    for port in service.ports():
        name = _DATABASES.get(port.target) or _DATABASES.get(port.published)
        if name and port.open_to_all:
            yield Spot(
                port.line, f"{service.name} publishes port {port.target} ({name}) on every interface of the host"
            )


def _low_port(service: Service) -> Iterator[Spot]:
    for port in service.ports():
        published = port.published.partition("-")[0]
        if published.isdigit() and 0 < int(published[:6]) < _FIRST_FREE and published not in _WEB and port.open_to_all:
            yield Spot(port.line, f"{service.name} publishes port {published} on every interface of the host")


def _secret(service: Service) -> Iterator[Spot]:
    for what, found in (("variable", service.variables()), ("build argument", service.arguments())):
        for line, name, value in found:
            if is_secret_name(name) and is_literal(value):
                yield Spot(line, f"{service.name}: {what} {name[:80]} has its value in the file")


def _moving(service: Service) -> Iterator[Spot]:
    node = service.node["image"]
    if not service.builds and fixed_by(node.text) == "moving":
        yield Spot(node.line, f"{service.name}: {shown(node.text)} has no version")


def _without_digest(service: Service) -> Iterator[Spot]:
    node = service.node["image"]
    if not service.builds and fixed_by(node.text) == "tag":
        yield Spot(node.line, f"{service.name}: {shown(node.text)} is named by a tag only")


def _no_health_check(service: Service) -> Iterator[Spot]:
    node = service.node["healthcheck"]
    if node["disable"].is_true or node["test"].texts()[:1] == ["NONE"]:
        yield Spot(node.line, f"{service.name} turns its health check off")
    elif service.whole and not node.there and not service.builds:
        yield Spot(service.line, f"{service.name} has no health check here")


def _links(service: Service) -> Iterator[Spot]:
    node = service.node["links"]
    if node.there:
        yield Spot(node.line, f"{service.name} uses links")


def _build_rights(service: Service) -> Iterator[Spot]:
    build = service.node["build"]
    if build["privileged"].is_true:
        yield Spot(build["privileged"].line, f"{service.name} is built with all rights")
    if build["network"].text == "host":
        yield Spot(build["network"].line, f"{service.name} is built with the network of the host")
    for item in build["entitlements"]:
        if item.text in ("security.insecure", "network.host"):
            yield Spot(item.line, f"{service.name} is built with {item.text}")


_LIMITS: Final = "One service that runs wild takes what all others and the host need."
CHECKS: Final[tuple[FileRule[ComposeFile], ...]] = (
    declare(
        of_each(_memory),
        "compose-memory-unlimited",
        Severity.LOW,
        "A service has no limit of memory",
        _LIMITS,
        "Write mem_limit, or deploy.resources.limits.memory.",
        "CIS Docker 5.11",
        "CWE-770",
    ),
    declare(
        of_each(_processor),
        "compose-cpus-unlimited",
        Severity.LOW,
        "A service has no limit or share of processors",
        _LIMITS,
        "Write cpus, cpu_shares or deploy.resources.limits.cpus.",
        "CIS Docker 5.12",
        "CWE-770",
    ),
    declare(
        of_each(_processes),
        "compose-processes-unlimited",
        Severity.LOW,
        "A service has no limit of processes",
        "A program that starts itself again and again stops the whole host.",
        "Write pids_limit, or deploy.resources.limits.pids.",
        "CIS Docker 5.29",
        "CWE-770",
    ),
    declare(
        of_each(_restart),
        "compose-restart-unlimited",
        Severity.LOW,
        "A service is started again without an end",
        "One that fails at once is started over and over, which hides the failure and takes the processor.",
        "Write restart: on-failure:5.",
        "CIS Docker 5.15",
    ),
    declare(
        of_each(_database_port),
        "compose-database-port-open",
        Severity.HIGH,
        "A database listens on every interface of the host",
        "Engines publish ports past the firewall of the host: the whole network can try passwords.",
        "Remove the port where only other services need it, or write 127.0.0.1: before it.",
        "CIS Docker 5.14",
    ),
    declare(
        of_each(_low_port),
        "compose-low-port-open",
        Severity.LOW,
        "A port below 1024 is published on every interface",
        "Services of the host are expected there, such as ssh and mail.",
        "Publish a higher port, or bind it to one address.",
        "CIS Docker 5.8",
        "CIS Docker 5.14",
    ),
    declare(
        of_each(_secret),
        "compose-secret-in-environment",
        Severity.HIGH,
        "A secret stands in the file",
        "Everybody who has the file has the secret; so has whoever can inspect the container.",
        "Use secrets:, or ${NAME} with a value that does not lie beside the file.",
        "CWE-798",
    ),
    declare(
        of_each(_moving),
        "compose-image-without-version",
        Severity.MEDIUM,
        "An image is taken without a version",
        "What runs depends on the day on which it was pulled.",
        "Name a version, better a digest.",
        "CIS Docker 5.28",
    ),
    declare(
        of_each(_without_digest),
        "compose-image-without-digest",
        Severity.LOW,
        "An image is taken by its tag, not by its digest",
        "A tag can be moved to other content by whoever may push it.",
        "Add @sha256:… to the tag.",
        "CIS Docker 4.2",
    ),
    declare(
        of_each(_no_health_check),
        "compose-health-check-missing",
        Severity.LOW,
        "A service has no health check",
        "Nobody notices a program that hangs; unless its image has a check, it counts as running.",
        "Write healthcheck: with a test.",
        "CIS Docker 5.27",
    ),
    declare(
        of_each(_links),
        "compose-links",
        Severity.LOW,
        "Links are deprecated",
        "They put variables of one container into another, secrets too.",
        "Put both services on a network; they find each other by name.",
    ),
    declare(
        of_each(_build_rights),
        "compose-build-rights",
        Severity.HIGH,
        "An image is built with rights over the host",
        "A step of the build can change the machine, or reach what only the machine may reach.",
        "Remove privileged, network: host and entitlements from build.",
        "CWE-250",
    ),
)
