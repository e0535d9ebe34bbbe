"""Hosts: `lading up` with roles and data directories of their own, on one PostgreSQL and one object store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from e2e.conftest import Server
from lading.kernel.ids import new_id
from postgres_server import PostgresServer
from s3_server import BUCKET, s3_environment

NOBODY = "unix:///nonexistent/docker.sock"


@dataclass
class Cluster:
    """One database, one bucket, and hosts on both."""

    home: Path
    postgres: PostgresServer
    s3: str
    database: str = field(default_factory=lambda: f"c{new_id()[-12:]}")
    hosts: list[Server] = field(default_factory=list)
    robot: str = ""

    def __post_init__(self) -> None:
        self.postgres.create(self.database)
        self.bucket = f"s3://{BUCKET}/{self.database}"

    @property
    def url(self) -> str:
        return self.postgres.url(self.database)

    def host(self, roles: str, *, s3: str = "", **environment: str) -> Server:
        """Start a host."""
        home = self.home / f"host-{len(self.hosts)}"
        home.mkdir()
        made = Server(home, NOBODY)
        if self.hosts:  # every host was told the same token
            (home / "token").write_text(self.hosts[0].token + "\n")
        made.environment |= s3_environment(s3 or self.s3) | {
            "LADING_ROLES": roles,
            "LADING_DATABASE_URL": self.url,
            "LADING_BLOB_URL": self.bucket,
            "LADING_PRIVATE_ENGINE": "false",
        }
        made.environment |= environment
        self.hosts.append(made)
        made.start()
        return made

    def login(self) -> None:
        """Make a team and a robot of it through the first host."""
        client = self.hosts[0].client
        client.post("/api/v1/teams", {"team": "shop"})
        self.robot = client.post("/api/v1/teams/shop/robots", {"name": "ci"})["token"]

    def http(self, address: str, timeout: float = 60) -> httpx.Client:
        return httpx.Client(base_url=f"http://{address}", auth=("shop/ci", self.robot), timeout=timeout)


@pytest.fixture(scope="module")
def new_cluster(
    own_postgres: PostgresServer, s3_endpoint: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Cluster]]:
    made: list[Cluster] = []

    def make() -> Cluster:
        made.append(Cluster(tmp_path_factory.mktemp("cluster"), own_postgres, s3_endpoint))
        return made[-1]

    yield make
    for cluster in made:
        for host in cluster.hosts:
            host.client.close()
            host.stop()
