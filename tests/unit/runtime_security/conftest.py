"""What the tests of runtime security share: one container."""

from __future__ import annotations

import pytest

from lading.runtime_security.containers import RunningContainer

IMAGE = "sha256:" + "1" * 64


@pytest.fixture
def web() -> RunningContainer:
    """A running container of the shop."""
    return RunningContainer(
        id="a" * 64,
        name="shop-web-1",
        workload="shop/web",
        application="shop",
        team="shop",
        image=IMAGE,
        repository="registry.example/shop/web",
        pid=4242,
        health_command="/bin/sh -c wget -q localhost",
        mounts=("/tmp", "/var/lib/data/volume"),
    )
