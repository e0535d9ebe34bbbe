"""Points and sets: what is saved, what is used again, what a kill leaves, and what damage does."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lading.continuity import sets
from lading.continuity.errors import BackupDamaged, RepositoryBusy, RepositoryFailed
from lading.continuity.gathering import Place
from lading.continuity.items import Item
from lading.continuity.metadata_sqlite import SqliteMetadata
from lading.continuity.point import SET, choose, points
from lading.continuity.repository import Progress, Saved
from lading.continuity.repository_memory import MemoryRepository
from lading.continuity.restoring import assemble, move_into_place, prepare_staging
from lading.continuity.taking import Parts, Taken, Taking, exclusive
from lading.continuity.verifying import verify
from lading.facts import Ledger
from lading.facts.kinds.identity import TeamCreated
from lading.kernel.clock import ManualClock
from lading.state import Database, Transaction, metadata
from lading.supply_chain.registry.holding import Holds


class Heard:
    def step(self, name: str) -> None:
        pass

    def say(self, text: str, level: str = "info") -> None:
        pass


class Files:
    """Content in a dictionary; `lost` items are named and not there."""

    def __init__(self) -> None:
        self.items: dict[Item, bytes] = {}
        self.lost: set[Item] = set()

    def add(self, size: int = 100) -> Item:
        content = os.urandom(size)
        name = hashlib.sha256(content).hexdigest()
        item = Item(f"registry/blobs/sha256/{name[:2]}/{name}", size)
        self.items[item] = content
        return item

    def named(self, tx: Transaction) -> Iterator[Item]:
        return iter(sorted(self.items))

    def unnamed(self) -> Iterator[Item]:
        return iter(())

    def stage(self, item: Item, file: Path) -> bool:
        if item in self.lost:
            return False
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(self.items[item])
        return True

    def place(self, item: Item, file: Path, data: Path) -> None:
        (data / item.path).parent.mkdir(parents=True, exist_ok=True)
        file.rename(data / item.path)


class NoBooks:
    def verify(self, database: Database, data: Path) -> int:
        with database.read() as tx:
            return Ledger().verify(tx).entries

    def release(self, database: Database, backup: str, actor: str) -> None:
        pass


class Bench:
    """One Lading's worth of parts over a repository in memory."""

    def __init__(self, home: Path, clock: ManualClock) -> None:
        self.home = home
        self.data = home / "data"
        (self.data / "keys").mkdir(parents=True)
        (self.data / "keys" / "key").write_text("secret")
        self.file = self.data / "lading.db"
        self.database = Database(f"sqlite:///{self.file}")
        metadata.create_all(self.database.engine)
        self.ledger = Ledger(clock)
        self.state("first")
        self.files = Files()
        self.repository = MemoryRepository()
        self.holds = Holds(self.database, self.ledger, clock)
        place = Place(self.data, {}, "A=b\n")
        self.parts = Parts(
            metadata=SqliteMetadata(self.file), content=self.files, holding=self.holds, place=place,
            ledger=self.ledger, clock=clock, version="0", blobs_in="memory",
        )  # fmt: skip
        self._number = 0

    def state(self, team: str) -> None:
        with self.database.write() as tx:
            self.ledger.append(tx, [TeamCreated(team=team)], actor="system:test")

    def take(self, **options: bool) -> Taken:
        self._number += 1
        taking = Taking(self.repository, self.parts, self.data / "backup")
        return taking.take(f"backup-{self._number}", Heard(), **options)

    def sets(self) -> list[str]:
        return [one.id for one in self.repository.snapshots() if one.tags["kind"] == SET]

    def restore(self, data: Path, at: str = "") -> int:
        point = choose(points(self.repository.snapshots()), at=at)
        staging = prepare_staging(data, self.parts.metadata, replace=False)
        made = assemble(
            self.repository, point, staging, metadata=self.parts.metadata, content=self.files, books=NoBooks(),
            deal=lambda item, file: self.files.place(item, file, staging / "data"), telling=Heard(),
        )  # fmt: skip
        made.database.close()
        move_into_place(staging, data, "now")
        return made.compared


@pytest.fixture
def bench(tmp_path: Path, clock: ManualClock) -> Iterator[Bench]:
    made = Bench(tmp_path, clock)
    yield made
    made.database.close()


def test_only_what_is_new_is_saved_again(bench: Bench) -> None:
    for _ in range(10):
        bench.files.add()
    assert bench.take().new_items == 10
    bench.files.add()
    assert bench.take().new_items == 1
    assert bench.take().new_items == 0
    assert len(bench.sets()) == 2
    assert bench.restore(bench.home / "other") == 11


def test_a_full_backup_reads_everything_again(bench: Bench) -> None:
    bench.files.add()
    bench.take()
    assert bench.take(full=True).new_items == 1


def test_sets_are_bounded_and_an_item_that_is_larger_has_one_of_its_own(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sets, "MOST_ITEMS", 4)
    monkeypatch.setattr(sets, "MOST_BYTES", 1_000)
    for size in (100,) * 6 + (5_000,) + (400,) * 4:
        bench.files.add(size)
    taken = bench.take()
    large = [one for one in taken.manifest.sets if one.bytes > 1_000]
    assert [one.items for one in large] == [1]
    assert all(one.items <= 4 for one in taken.manifest.sets)
    assert bench.restore(bench.home / "other") == 11


def test_many_small_sets_become_few(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sets, "MOST_SMALL", 3)
    for _ in range(6):
        bench.files.add()
        last = bench.take()
    assert len([one for one in last.manifest.sets if one.items]) <= 3
    assert last.manifest.items == 6
    assert bench.restore(bench.home / "other") == 6


def test_what_a_killed_backup_saved_is_used_by_the_next(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sets, "MOST_ITEMS", 5)
    for _ in range(12):
        bench.files.add()
    save, saved = bench.repository.save, 0

    def failing(directory: Path, tags: dict[str, str], progress: Progress) -> Saved:
        nonlocal saved
        saved += 1
        if saved == 3:
            raise RepositoryFailed("the line is cut")
        return save(directory, tags, progress)

    monkeypatch.setattr(bench.repository, "save", failing)
    with pytest.raises(RepositoryFailed):
        bench.take()
    monkeypatch.setattr(bench.repository, "save", save)

    assert bench.take().new_items == 2
    assert bench.restore(bench.home / "other") == 12


def test_a_failed_backup_leaves_no_hold_and_no_staging(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.files.add()

    def failing(*_: object) -> Saved:
        raise RepositoryFailed("the line is cut")

    monkeypatch.setattr(bench.repository, "save", failing)
    with pytest.raises(RepositoryFailed):
        bench.take()
    assert bench.holds.all() == []
    assert [path.name for path in (bench.data / "backup").iterdir()] == ["lock"]


def test_a_set_that_somebody_removed_is_saved_again(bench: Bench) -> None:
    bench.files.add()
    bench.take()
    bench.repository.forget(bench.sets())
    with pytest.raises(BackupDamaged):
        verify(bench.repository, bench.home / "verify", Heard(), read_data=False)
    assert bench.take().new_items == 1
    assert verify(bench.repository, bench.home / "verify", Heard(), read_data=True).items == 1


def test_an_item_that_is_not_needed_any_more_is_not_restored(bench: Bench) -> None:
    gone = bench.files.add()
    stays = bench.files.add()
    bench.take()
    del bench.files.items[gone]
    bench.take()
    other = bench.home / "other"
    assert bench.restore(other) == 1
    assert (other / stays.path).exists()
    assert not (other / gone.path).exists()


def test_an_item_that_storage_lost_is_named_and_does_not_stop_the_backup(bench: Bench) -> None:
    lost = bench.files.add()
    bench.files.add()
    bench.files.lost.add(lost)
    taken = bench.take()
    assert taken.manifest.missing == (lost.path,)
    assert not taken.point.complete
    assert bench.restore(bench.home / "other") == 1


def test_a_backup_of_the_past_is_restored_with_its_database(bench: Bench, clock: ManualClock) -> None:
    early = bench.take().manifest
    clock.sleep(3_600)
    bench.state("second")
    bench.take()
    other = bench.home / "other"
    bench.restore(other, at=early.at)
    with closing(Database(f"sqlite:///{other / 'lading.db'}")) as database, database.read() as tx:
        assert Ledger().verify(tx).entries == early.entries


def test_a_changed_byte_in_the_repository_is_found_before_anything_is_in_place(bench: Bench) -> None:
    bench.files.add()
    bench.take()
    name, content = next((name, found) for name, found in bench.repository.contents.items() if len(found) == 100)
    bench.repository.contents[name] = content[:-1] + bytes([content[-1] ^ 1])
    with pytest.raises(BackupDamaged):
        verify(bench.repository, bench.home / "verify", Heard(), read_data=True)
    other = bench.home / "other"
    with pytest.raises(BackupDamaged, match="not what its digest says"):
        bench.restore(other)
    assert not (other / "lading.db").exists()


def test_a_changed_database_copy_is_found(bench: Bench) -> None:
    bench.take()
    name = next(name for name, found in bench.repository.contents.items() if found.startswith(b"SQLite format 3"))
    bench.repository.contents[name] += b"x"
    with pytest.raises(BackupDamaged, match="not what was saved"):
        bench.restore(bench.home / "other")


def test_two_backups_of_one_data_directory_take_turns(bench: Bench) -> None:
    with (
        exclusive(bench.data / "backup"),
        pytest.raises(RepositoryBusy),
        exclusive(bench.data / "backup", patience=0.1),
    ):
        pass


def test_a_hold_stands_while_blobs_are_saved(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    item = bench.files.add()
    seen: list[str] = []
    stage = bench.files.stage

    def watched(wanted: Item, file: Path) -> bool:
        seen.extend(hold.name for hold in bench.holds.all())
        return stage(wanted, file)

    monkeypatch.setattr(bench.files, "stage", watched)
    bench.take()
    assert seen == ["backup-1"]
    assert item in bench.files.items
