"""What every ingress holds to, whether it only remembers or really listens."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lading.kernel.errors import LadingError
from lading.orchestration.ingress.caddy import CaddyIngress
from lading.orchestration.ingress.ingress import Ingress, IngressRoute, MemoryIngress


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tools")


@pytest.fixture(params=["memory", pytest.param("caddy", marks=pytest.mark.docker)])
def ingress(request: pytest.FixtureRequest, tmp_path: Path, tools: Path) -> Iterator[Ingress]:
    if request.param == "memory":
        yield MemoryIngress()
        return
    caddy = CaddyIngress(tmp_path / "ingress", tools)
    try:
        caddy.program()
    except LadingError as error:
        pytest.skip(str(error))
    yield caddy
    caddy.stop(lambda _text: None)


def route(*upstreams: str) -> IngressRoute:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return IngressRoute(workload="shop/web", listen=f"127.0.0.1:{probe.getsockname()[1]}", upstreams=upstreams)


def test_routes_can_be_applied_again_changed_and_taken_away(ingress: Ingress) -> None:
    one, two = route("127.0.0.1:9"), route("127.0.0.1:9", "127.0.0.2:9")
    for routes in ([], [one], [one], [one, two], [two], []):
        ingress.apply(routes)


def test_nothing_is_under_way_where_nothing_was_asked(ingress: Ingress) -> None:
    ingress.apply([route("127.0.0.1:9")])

    assert ingress.drain(["127.0.0.1:9"], 5.0)
