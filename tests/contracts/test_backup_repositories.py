"""What every backup repository must do: in memory, restic in a directory, restic in an object store."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lading.continuity.errors import BackupDamaged, RepositoryAbsent, RepositoryFailed
from lading.continuity.items import Item
from lading.continuity.repository import Vault
from lading.continuity.repository_memory import MemoryRepository
from lading.continuity.restic import ResticRepository
from lading.kernel.ids import new_id
from s3_server import BUCKET, s3_environment


def unheard(share: float, done: int) -> None:
    """Progress that nobody listens to."""


@pytest.fixture(params=["memory", "restic-directory", "restic-s3"])
def make(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Vault]:
    """Opens the same repository each time; it does not exist yet."""
    if request.param == "memory":
        memory = MemoryRepository(created=False)
        return lambda: memory
    if shutil.which("restic") is None:
        pytest.skip("no restic; scripts/install_test_tools.sh installs it")
    location = str(tmp_path / "repository")
    if request.param == "restic-s3":
        endpoint = request.getfixturevalue("s3_endpoint")
        for name, value in s3_environment(endpoint).items():
            monkeypatch.setenv(name, value)
        location = f"s3:{endpoint}/{BUCKET}/{new_id()}"
    return lambda: ResticRepository(location, {"RESTIC_PASSWORD": "long and secret"}, tmp_path / "cache")


@pytest.fixture
def vault(make: Callable[[], Vault]) -> Vault:
    made = make()
    made.create()
    return made


def directory_of(place: Path, files: dict[str, bytes]) -> Path:
    place.mkdir(exist_ok=True)
    for name, content in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    return place


def content_of(place: Path) -> dict[str, bytes]:
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in place.rglob("*") if path.is_file()}


FILES = {"a/b/c": os.urandom(100_000), "a/empty": b"", "d": b"small"}


def test_a_repository_that_does_not_exist_says_so(make: Callable[[], Vault]) -> None:
    with pytest.raises(RepositoryAbsent):
        make().identity()
    with pytest.raises(RepositoryAbsent):
        make().snapshots()


def test_a_repository_keeps_its_id_and_is_made_once(make: Callable[[], Vault]) -> None:
    made = make().create()
    assert make().identity() == made
    with pytest.raises(RepositoryFailed):
        make().create()
    assert make().identity() == made


def test_what_was_saved_is_restored_byte_for_byte(vault: Vault, tmp_path: Path) -> None:
    saved = vault.save(directory_of(tmp_path / "in", FILES), {"kind": "set"}, unheard)
    vault.restore(saved.snapshot, tmp_path / "out")
    assert content_of(tmp_path / "out") == FILES
    assert saved.added > 0


def test_snapshots_come_with_their_tags_in_the_order_of_saving(vault: Vault, tmp_path: Path) -> None:
    ids = []
    for number in range(3):
        place = directory_of(tmp_path / f"in{number}", {"file": bytes([number])})
        tags = {"kind": "point", "at": f"2026-01-0{number + 1}T00:00:00.000000Z", "sets": "ab+cd"}
        ids.append(vault.save(place, tags, unheard).snapshot)
    found = vault.snapshots()
    assert [one.id for one in found] == ids
    assert found[1].tags == {"kind": "point", "at": "2026-01-02T00:00:00.000000Z", "sets": "ab+cd"}


def test_content_that_is_there_already_is_not_added_again(vault: Vault, tmp_path: Path) -> None:
    first = vault.save(directory_of(tmp_path / "one", FILES), {}, unheard)
    second = vault.save(directory_of(tmp_path / "two", FILES), {}, unheard)
    assert second.added < first.added / 10


def test_the_files_of_a_snapshot_are_listed_with_their_sizes(vault: Vault, tmp_path: Path) -> None:
    saved = vault.save(directory_of(tmp_path / "in", FILES), {}, unheard)
    assert sorted(vault.files(saved.snapshot)) == [Item("a/b/c", 100_000), Item("a/empty", 0), Item("d", 5)]


def test_a_whole_repository_passes_both_checks(vault: Vault, tmp_path: Path) -> None:
    vault.save(directory_of(tmp_path / "in", FILES), {}, unheard)
    vault.check(read_data=False)
    vault.check(read_data=True)


def test_a_forgotten_snapshot_is_gone_and_the_others_are_not(vault: Vault, tmp_path: Path) -> None:
    gone = vault.save(directory_of(tmp_path / "one", {"only here": os.urandom(50_000)}), {}, unheard)
    stays = vault.save(directory_of(tmp_path / "two", FILES), {}, unheard)
    vault.forget([gone.snapshot, "0" * 64])
    vault.prune()
    assert [one.id for one in vault.snapshots()] == [stays.snapshot]
    vault.restore(stays.snapshot, tmp_path / "out")
    assert content_of(tmp_path / "out") == FILES
    with pytest.raises(BackupDamaged):
        vault.restore(gone.snapshot, tmp_path / "gone")


def test_an_unknown_snapshot_cannot_be_restored(vault: Vault, tmp_path: Path) -> None:
    with pytest.raises(BackupDamaged):
        vault.restore("f" * 64, tmp_path / "out")
