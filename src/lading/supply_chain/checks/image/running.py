"""How an engine runs the image unless it is told otherwise: as whom, by which ports, and whether its health shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lading.supply_chain.checks.image.rules import (
    DATABASE_PORT,
    NO_HEALTH_CHECK,
    PRIVILEGED_PORT,
    REMOTE_PORT,
    RUNS_AS_ROOT,
    USER_UNKNOWN,
)
from lading.supply_chain.checks.target import Target
from lading.supply_chain.checks.weakness import Weakness

_ROOT: Final = "root"
_MOST_PORTS: Final = 1_000
_FIRST_FREE: Final = 1_024
_REMOTE: Final = {
    22: "ssh", 23: "telnet", 512: "rexec", 513: "rlogin", 2375: "the Docker API without TLS", 2376: "the Docker API",
    3389: "remote desktop", 5900: "VNC", 5985: "WinRM", 10250: "the kubelet",
}  # fmt: skip
_DATABASES: Final = {
    1433: "SQL Server", 1521: "Oracle", 2379: "etcd", 3306: "MySQL", 5432: "PostgreSQL", 5984: "CouchDB", 6379: "Redis",
    9042: "Cassandra", 9200: "Elasticsearch", 11211: "memcached", 27017: "MongoDB",
}  # fmt: skip


def running_weaknesses(target: Target) -> Iterator[Weakness]:
    """What its user, its health check and its ports say."""
    yield from _user(target)
    health = target.settings.get("Healthcheck")
    test = health.get("Test") if isinstance(health, dict) else None
    if not test or test == ["NONE"]:
        yield NO_HEALTH_CHECK.found("there is no HEALTHCHECK")
    yield from _ports(target)


def _user(target: Target) -> Iterator[Weakness]:
    user = str(target.settings.get("User") or "").partition(":")[0].strip()[:200]
    if not user:
        yield RUNS_AS_ROOT.found("no USER is set, so it runs as root")
    elif user.isdigit():
        if not user.strip("0"):
            yield RUNS_AS_ROOT.found(f"USER is {user}")
    elif target.inventory.accounts is None:
        if user == _ROOT:
            yield RUNS_AS_ROOT.found("USER is root")
    else:
        number = next((one.uid for one in target.inventory.accounts if one.name == user), None)
        if number == 0 or (number is None and user == _ROOT):
            yield RUNS_AS_ROOT.found("USER is root" if user == _ROOT else f"USER is {user}, and that is number 0")
        elif number is None:
            yield USER_UNKNOWN.found(f"USER is {user}, who is not in etc/passwd", file="etc/passwd")


def _ports(target: Target) -> Iterator[Weakness]:
    exposed = target.settings.get("ExposedPorts")
    names = sorted(map(str, exposed))[:_MOST_PORTS] if isinstance(exposed, dict) else []
    for name in names:
        text, _, protocol = name[:40].partition("/")
        if not (text.isascii() and text.isdigit() and len(text) <= 5):
            continue
        number = int(text)
        tcp = protocol.lower() in ("", "tcp")
        if tcp and number in _REMOTE:
            yield REMOTE_PORT.found(f"port {text} is exposed: {_REMOTE[number]}")
        elif tcp and number in _DATABASES:
            yield DATABASE_PORT.found(f"port {text} is exposed: {_DATABASES[number]}")
        elif number < _FIRST_FREE:
            yield PRIVILEGED_PORT.found(f"port {text}/{protocol.lower() or 'tcp'} is exposed")
