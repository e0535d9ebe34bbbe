"""A policy on the database in memory, and a document that the default pack lets pass at deploy."""

from __future__ import annotations

from typing import Any

import pytest

from lading.facts import Ledger
from lading.kernel.clock import ManualClock
from lading.policy.decide import Policy
from lading.policy.pack import default_pack
from lading.state import Database

LAYER = "sha256:" + "1" * 64


@pytest.fixture
def database(each_database: Database) -> Database:
    """Every test of decisions runs on every kind of database."""
    return each_database


@pytest.fixture
def policy(database: Database, ledger: Ledger, clock: ManualClock) -> Policy:
    return Policy(database, ledger, default_pack(), clock)


@pytest.fixture
def good() -> dict[str, Any]:
    return {
        "environment": "production",
        "image": {
            "digest": "sha256:" + "a" * 64,
            "repository": "shop/web",
            "tag": "1",
            "team": "shop",
            "state": "approved",
            "signed": True,
            "attestations": ["https://slsa.dev/provenance/v1", "https://cyclonedx.org/bom"],
            "user": "10001",
            "size": 1000,
            "gaps": [],
            "base": {"reference": "debian:12", "digest": "sha256:" + "b" * 64, "known": True},
            "commit": "1a2b3c",
            "dirty": False,
        },
        "findings": [],
        "workload": {
            "name": "shop/web",
            "application": "shop",
            "team": "shop",
            "replicas": 1,
            "user": "10001",
            "read_only": True,
            "privileged": False,
            "capabilities": [],
            "no_new_privileges": True,
            "memory_bytes": 1 << 28,
            "pids": 256,
            "host_paths": [],
            "host_network": False,
            "host_pid": False,
            "ports": [],
            "health": True,
            "relaxations": [],
        },
    }


@pytest.fixture
def flawed(good: dict[str, Any]) -> dict[str, Any]:
    """The same with two flaws in one package, one in another, and one that nobody has fixed."""

    def finding(identity: str, package: str, version: str, fixed: str, **more: Any) -> dict[str, Any]:
        common = {"severity": "high", "rank": 4, "kev": False, "ecosystem": "pypi", "layer": LAYER, "owner": "shop"}
        return {"id": identity, "package": package, "version": version, "fixed": fixed} | common | more

    return good | {
        "findings": [
            finding("CVE-2019-10906", "jinja2", "2.10", "2.10.1"),
            finding("CVE-2024-22195", "jinja2", "2.10", "3.1.3", severity="medium", rank=3),
            finding("CVE-2020-28493", "jinja2", "2.10", "2.11.3", severity="critical", rank=5),
            finding("CVE-2023-0001", "urllib3", "1.9", "1.10", kev=True),
            finding("CVE-2023-45853", "zlib1g", "1.2.13", "", severity="critical", rank=5, ecosystem="Debian"),
        ]
    }
