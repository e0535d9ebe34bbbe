"""Garbage collection gives up what nothing names, and nothing else, whatever goes on meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta

import pytest

from lading.facts import Ledger
from lading.facts.kinds.collecting import GarbageCollected
from lading.kernel.clock import ManualClock
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.state import Database
from lading.supply_chain.registry.collecting import Collections, Order
from lading.supply_chain.registry.errors import BlobUnknown, ManifestBlobUnknown, StorageFailed
from lading.supply_chain.registry.holding import Holds
from unit.supply_chain.registry.conftest import ROBOT, Bench, make_bench

DAY = timedelta(days=1)
NOW = Order(grace=3600)


class Running:
    """What runs, said by hand."""

    def __init__(self, *images: Digest) -> None:
        self.found = {str(image) for image in images}

    def images(self) -> set[str]:
        return self.found


def collections(bench: Bench, running: Running | None = None) -> Collections:
    holds = Holds(bench.database, bench.ledger, bench.clock)
    return Collections(bench.database, bench.ledger, bench.blobs, holds, running or Running(), bench.clock)


def stored(bench: Bench) -> set[str]:
    return {str(digest) for digest, _ in bench.blobs.all()}


def test_what_a_deleted_image_leaves_is_given_up(each_bench: Bench) -> None:
    bench = each_bench
    kept, doomed = bench.image("kept", tag="1"), bench.image("doomed")
    before = stored(bench)
    bench.registry.delete_manifest("shop/web", doomed, ROBOT)
    bench.clock.advance(DAY)
    done = collections(bench).run(NOW, actor="person:ada")
    # Manifest, configuration and layer; only the last two were linked.
    assert (done.links, done.blobs) == (2, 3)
    assert len(before - stored(bench)) == 3
    assert done.bytes > 0
    assert bench.registry.manifest(kept)
    for part in bench.registry.layers(kept):
        assert bench.registry.blob_size("shop/web", part.digest)
    fact = bench.facts()[-1].fact
    assert isinstance(fact, GarbageCollected)
    assert fact.blobs == 3


def test_what_is_shared_stays_as_long_as_one_names_it(each_bench: Bench) -> None:
    bench = each_bench
    one = bench.image("same")
    other = bench.image("same", repository="shop/mail")
    assert one == other
    bench.registry.delete_manifest("shop/web", one, ROBOT)
    bench.clock.advance(DAY)
    done = collections(bench).run(NOW, actor="person:ada")
    assert (done.links, done.blobs) == (2, 0)
    with pytest.raises(BlobUnknown):
        bench.registry.blob_size("shop/web", bench.registry.layers(one)[0].digest)


def test_nothing_goes_within_the_grace(each_bench: Bench) -> None:
    bench = each_bench
    bench.registry.put_blob("shop/web", b"on its way", ROBOT)
    bench.clock.advance(timedelta(minutes=59))
    assert collections(bench).run(NOW, actor="person:ada").blobs == 0
    bench.clock.advance(timedelta(minutes=2))
    assert collections(bench).run(NOW, actor="person:ada").blobs == 1


def test_a_client_that_asked_for_a_blob_finds_it_when_it_pushes_the_manifest(each_bench: Bench) -> None:
    bench = each_bench
    digest = bench.registry.put_blob("shop/web", b"old but known", ROBOT)
    bench.clock.advance(DAY)
    bench.registry.relied_on("shop/web", digest)
    assert collections(bench).run(NOW, actor="person:ada").links == 0
    assert bench.registry.blob_size("shop/web", digest)


def test_what_runs_keeps_its_content_even_without_its_manifest(each_bench: Bench) -> None:
    bench = each_bench
    image = bench.image("runs")
    bench.registry.delete_manifest("shop/web", image, ROBOT)
    bench.clock.advance(DAY)
    assert collections(bench, Running(image)).run(NOW, actor="person:ada").blobs == 0
    assert collections(bench).run(NOW, actor="person:ada").blobs == 3


def test_what_is_held_keeps_its_content(each_bench: Bench) -> None:
    bench = each_bench
    image, holds = bench.image("held"), Holds(bench.database, bench.ledger, bench.clock)
    holds.hold(image, why="case 1", actor="person:ada")
    bench.registry.delete_manifest("shop/web", image, ROBOT)
    bench.clock.advance(DAY)
    assert collections(bench).run(NOW, actor="person:ada").blobs == 0
    holds.release(image, actor="person:ada")
    assert collections(bench).run(NOW, actor="person:ada").blobs == 3


def test_a_backup_under_way_keeps_everything_stored_before_it(each_bench: Bench) -> None:
    bench = each_bench
    holds = Holds(bench.database, bench.ledger, bench.clock)
    bench.registry.put_blob("shop/web", b"left over", ROBOT)
    bench.clock.advance(DAY)
    holds.begin_backup("one", why="nightly", actor="system:backup")
    assert collections(bench).run(NOW, actor="person:ada").blobs == 0
    holds.end_backup("one", actor="system:backup")
    assert collections(bench).run(NOW, actor="person:ada").blobs == 1


def test_a_dry_run_says_what_a_run_does_and_changes_nothing(each_bench: Bench) -> None:
    bench = each_bench
    doomed = bench.image("doomed")
    bench.registry.delete_manifest("shop/web", doomed, ROBOT)
    bench.clock.advance(DAY)
    planned = list(collections(bench).explain(NOW))
    before = stored(bench)
    assert stored(bench) == before
    assert [one.what for one in planned] == ["link", "link", "blob", "blob", "blob"]
    assert all(one.why for one in planned)
    collections(bench).run(NOW, actor="person:ada")
    assert before - stored(bench) == {one.digest for one in planned if one.what == "blob"}


def test_a_collection_that_was_interrupted_goes_on(each_bench: Bench) -> None:
    bench = each_bench
    for number in range(5):
        bench.registry.put_blob("shop/web", str(number).encode(), ROBOT)
    bench.clock.advance(DAY)

    class Failing:
        """Storage that fails once."""

        failed = False

        def __getattr__(self, name: str) -> object:
            return getattr(bench.blobs, name)

        def delete_many(self, digests: Sequence[Digest]) -> None:
            if not self.failed:
                self.failed = True
                raise StorageFailed("the disk is away")
            bench.blobs.delete_many(digests)

    holds = Holds(bench.database, bench.ledger, bench.clock)
    made = Collections(bench.database, bench.ledger, Failing(), holds, Running(), bench.clock)  # type: ignore[arg-type]
    with pytest.raises(StorageFailed):
        made.run(NOW, actor="person:ada")
    assert made.recent()[0].phase == "blobs"
    done = made.run(Order(grace=10**7), actor="person:bob")
    assert (done.actor, done.links, done.blobs) == ("person:ada", 5, 5)
    assert len(made.recent()) == 1


def test_content_that_the_database_does_not_know_is_taken_in_and_collected_later(each_bench: Bench) -> None:
    bench = each_bench
    image = bench.image("known")
    bench.blobs.put(Digest.of(b"stray"), b"stray")
    made = collections(bench)
    assert made.take_in_strays(bench.blobs.all()) == 1
    assert made.take_in_strays(bench.blobs.all()) == 0
    assert made.run(NOW, actor="person:ada").blobs == 0
    bench.clock.advance(DAY)
    assert made.run(NOW, actor="person:ada").blobs == 1
    assert bench.registry.manifest(image)


def test_the_bytes_of_a_repository_follow(each_bench: Bench) -> None:
    bench = each_bench
    bench.image("kept")
    doomed = bench.image("doomed")

    def held() -> int:
        with bench.database.read() as tx:
            return int(tx.exec_driver_sql("SELECT bytes FROM registry_repositories").scalar_one())

    before = held()
    bench.registry.delete_manifest("shop/web", doomed, ROBOT)
    bench.clock.advance(DAY)
    collections(bench).run(NOW, actor="person:ada")
    assert 0 < held() < before


def test_a_negative_grace_is_refused(bench: Bench) -> None:
    with pytest.raises(InvalidInput):
        collections(bench).run(Order(grace=-1), actor="person:ada")


def test_pushes_that_race_with_collections_lose_nothing(
    request: pytest.FixtureRequest, each_database: Database, ledger: Ledger
) -> None:
    """No grace at all, the same few blobs pushed and deleted again and again: what was accepted is complete."""
    bench = make_bench(each_database, ledger, ManualClock())
    bench.clock.advance(DAY)
    made, stop, accepted = collections(bench), threading.Event(), 0

    def collect() -> None:
        while not stop.is_set():
            bench.clock.advance(timedelta(seconds=1))
            made.run(Order(grace=0), actor="system:registry")

    collector = threading.Thread(target=collect)
    collector.start()
    try:
        for turn in range(150):
            try:
                image = bench.image(f"text {turn % 3}", repository=f"shop/{turn % 2}")
            except (StorageFailed, ManifestBlobUnknown):
                continue  # a client pushes again
            accepted += 1
            for part in bench.registry.layers(image):
                with bench.registry.open_blob(part.digest) as stream:
                    assert Digest.of(stream.read()) == part.digest
            if turn % 4 == 0:
                bench.registry.delete_manifest(f"shop/{turn % 2}", image, ROBOT)
    finally:
        stop.set()
        collector.join()
    assert accepted > 10
    with bench.database.read() as tx:
        named = set(tx.exec_driver_sql("SELECT digest FROM registry_blob_links").scalars())
        named |= set(tx.exec_driver_sql("SELECT digest FROM registry_manifests").scalars())
    assert named <= stored(bench)
