"""Two hosts on one PostgreSQL: one serves pulls and has no worker, the other brings what is wanted there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.mirroring.conftest import DockerRegistry, wait_until
from lading import settings
from lading.entrypoints.registry.mirrored import MirroredPulls
from lading.entrypoints.worker.mirroring import MirrorEar, MirrorRunner
from lading.kernel.reference import Reference
from lading.state import Database, metadata
from lading.supply_chain.registry.errors import ManifestUnknown
from lading.supply_chain.registry.mirroring.awaiting import Awaiting, Stale
from lading.supply_chain.registry.mirroring.channel import WishSender
from lading.supply_chain.registry.mirroring.upstream import Upstream
from lading.supply_chain.registry.mirroring.wishes import Rank, Wish
from lading.wiring import Wiring
from lading.wiring.pulling import channel_directory

pytestmark = [pytest.mark.slow, pytest.mark.postgres]


@pytest.fixture
def hosts(tmp_path: Path, postgres_url: str) -> Iterator[tuple[Wiring, Wiring, MirroredPulls]]:
    """The host of the worker, the host of the pulls, and its pull endpoint's way to upstreams."""
    loaded = [
        settings.load({"data": str(tmp_path / name), "database_url": postgres_url}, {}) for name in ("worker", "pull")
    ]
    schema = Database(postgres_url)
    metadata.create_all(schema.engine)
    schema.close()
    worker, pull = (Wiring(one) for one in loaded)
    stop = threading.Event()
    runner = MirrorRunner(worker)
    parts = [MirrorEar(pull).run, runner.run]
    threads = [threading.Thread(target=part, args=(stop,)) for part in parts]
    for thread in threads:
        thread.start()
    reading, sender = Database(postgres_url, read_only=True), WishSender(channel_directory(loaded[1]))
    yield worker, pull, MirroredPulls(Awaiting(reading), sender.send, patience=20, patience_here=5)
    stop.set()
    for thread in threads:
        thread.join()
    sender.close()
    for part in (worker, pull, reading):
        part.close()


def test_what_is_wanted_on_one_host_is_brought_by_another(
    hosts: tuple[Wiring, Wiring, MirroredPulls], origin: DockerRegistry
) -> None:
    worker, _pull, upstreams = hosts
    digest = origin.image("far/app", "1")
    hub = Upstream(name="hub", url=origin.url, prefix="hub", team="base", plain=True)
    worker.mirrors.upstreams.add(hub, actor="person:ada")

    async def many() -> list[Stale]:
        return await asyncio.gather(*(upstreams.ensure("hub/far/app", "1") for _ in range(5)))

    assert asyncio.run(many()) == [Stale()] * 5
    assert worker.registry.resolve("hub/far/app", "1").digest == digest
    with pytest.raises(ManifestUnknown):
        asyncio.run(upstreams.ensure("hub/far/app", "2"))
    assert worker.mirrors.standings.all()[0].images == 1


def test_a_build_and_a_pull_that_want_the_same_bring_it_once(
    hosts: tuple[Wiring, Wiring, MirroredPulls], origin: DockerRegistry
) -> None:
    worker, _pull, _upstreams = hosts
    digest = origin.image("far/base", "1", size=3_000_000)
    hub = Upstream(name="hub", url=origin.url, prefix="hub", team="base", plain=True)
    worker.mirrors.upstreams.add(hub, actor="person:ada")
    worker.mirrors.wishes.note(Wish("hub/far/base", "1", "hub", Rank.AWAITED))
    assert worker.mirrors.mirroring.fetch(Reference("hub/far/base", tag="1")) == digest
    assert worker.mirrors.mirroring.fetch(Reference("elsewhere/base", tag="1")) is None
    wait_until(lambda: worker.mirrors.standings.all()[0].running == 0, 10, "nothing is under way")
    assert worker.mirrors.standings.all()[0].images == 1
