"""An image that a real engine has is scanned there, and what `docker save` wrote of it is the same."""

from __future__ import annotations

import io
from pathlib import Path

import docker
import pytest

from lading.kernel.clock import ManualClock
from lading.lifecycle.scan import Order, Scans
from lading.lifecycle.telling import Untold
from lading.supply_chain.scan.errors import TargetUnknown
from lading.supply_chain.scan.knowledge import open_knowledge
from lading.supply_chain.scan.layer_cache import MemoryLayerCache
from lading.supply_chain.scan.opening import Access
from saved_images import docker_archive
from tar_layers import OS_RELEASE, distribution, status, tar

TAG = "lading-test-scan:1"


def test_the_engine_and_its_archive_hold_the_same(docker_engine: str, tmp_path: Path) -> None:
    base, app = tar(OS_RELEASE, status(("zlib1g", "1:1.2.13", "zlib"))), tar(distribution("jinja2", "3.1.2"))
    client = docker.DockerClient(base_url=docker_engine)
    try:
        client.images.load(io.BytesIO(docker_archive(base, app, tag=TAG, User="10001")))
        saved = tmp_path / "saved.tar"
        with saved.open("wb") as handle:
            for chunk in client.images.get(TAG).save(named=True):
                handle.write(chunk)
        order = Order(access=Access(engine=docker_engine))
        with open_knowledge(tmp_path / "cache") as knowledge:
            scans = Scans(judges=knowledge, cache=MemoryLayerCache(), clock=ManualClock(), version="1")
            here = scans.scan(TAG, order, Untold())
            there = scans.scan(str(saved), order, Untold())
            with pytest.raises(TargetUnknown, match="no image"):
                scans.scan("lading-test-nothing:1", order, Untold())
    finally:
        client.images.remove(TAG, force=True)
        client.close()

    assert [one.name for one in here.inventory.packages] == ["zlib1g", "jinja2"]
    assert (here.digest, here.inventory, here.findings) == (there.digest, there.inventory, there.findings)
    assert here.configuration["user"] == "10001"
    assert "CVE-2024-22195" in {one.id for one in here.findings}
