"""One `lading up` without an engine for all tests of the wire: both endpoints as clients meet them, tokens and all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest

from e2e.conftest import Server, until

NOBODY = "unix:///nonexistent/docker.sock"
TEAM = "conformance"


@dataclass(frozen=True)
class Robot:
    """Who pushes in these tests: the name and the secret of a robot that may do everything in its team."""

    name: str
    secret: str

    def client(self, address: str, timeout: float = 60) -> httpx.Client:
        return httpx.Client(base_url=f"http://{address}", auth=(self.name, self.secret), timeout=timeout)


@pytest.fixture(scope="session")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("wire"), NOBODY)
    made.environment["LADING_PRIVATE_ENGINE"] = "false"
    try:
        made.start()
        made.client.post("/api/v1/teams", {"team": TEAM})
        yield made
    finally:
        made.client.close()
        made.stop()


@pytest.fixture(scope="session")
def robot(wire: Server) -> Robot:
    made = wire.client.post(f"/api/v1/teams/{TEAM}/robots", {"name": "suite", "role": "admin"})
    return Robot(f"{TEAM}/suite", made["token"])


@pytest.fixture(scope="session")
def approve(wire: Server) -> Callable[..., None]:
    """Approves images by hand, members before indexes, after the rules had their say about all of them: they would take
    back an approval of what they are judging."""

    def approved(*images: str) -> None:
        for image in images:
            until(lambda image=image: wire.client.get(f"/api/v1/images/{image}")["decision"] or None, 60)
        for image in images:
            wire.client.post(f"/api/v1/images/{image}/approve", {"why": "for a test"})

    return approved
