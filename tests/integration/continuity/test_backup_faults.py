"""What goes wrong with backups: kills, load, damage, wrong passwords, missing programs and disks, full disks."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e.conftest import Server
from integration.continuity.site import Heard, OneSite
from lading.continuity.errors import (
    BackupDamaged,
    ContinuityError,
    NotConfigured,
    RepositoryAbsent,
    RepositoryFailed,
    ToolMissing,
    WrongPassword,
)
from lading.entrypoints.cli.client import ServerSaid
from pushing import PushedImage, Pusher, complaints

NewServer = Callable[..., Server]
NewPusher = Callable[[Server], Pusher]


@pytest.fixture
def site(tmp_path: Path, backup_settings: dict[str, str]) -> Iterator[OneSite]:
    made = OneSite(tmp_path / "data", backup_settings).start()
    yield made
    made.close()


def packs(site: OneSite) -> list[Path]:
    """The files of the repository that hold content, the largest first."""
    found = (Path(site.wiring.settings.backup_repository) / "data").rglob("*")
    return sorted((path for path in found if path.is_file()), key=lambda path: -path.stat().st_size)


def restored_elsewhere(site: OneSite, home: Path) -> OneSite:
    other = OneSite(home, site.environment)
    other.restore()
    return other


# Kills and load


def test_every_image_acknowledged_before_a_backup_is_in_its_restore_while_pushes_go_on(
    new_server: NewServer, new_pusher: NewPusher, backup_settings: dict[str, str]
) -> None:
    server = new_server(**backup_settings)
    server.start()
    pusher = new_pusher(server)
    acknowledged: list[PushedImage] = []
    failures: list[BaseException] = []
    over = threading.Event()

    def push(number: int) -> None:
        count = 0
        while not over.is_set():
            try:
                acknowledged.append(pusher.push(f"shop/app{number}", f"v{count}"))
            except BaseException as error:
                failures.append(error)
                return
            count += 1

    threads = [threading.Thread(target=push, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    time.sleep(2)
    promised: list[PushedImage] = []
    for _ in range(3):
        promised = list(acknowledged)
        ended = server.cli("backup", "create")
        assert ended.returncode == 0, ended.stderr
    over.set()
    for thread in threads:
        thread.join()
    after = len(acknowledged)
    assert server.cli("backup", "drill").returncode == 0
    server.kill()
    shutil.rmtree(server.home / "data")

    ended = server.cli("backup", "restore")
    assert ended.returncode == 0, ended.stderr
    server.start()

    assert failures == []
    assert after > len(promised) > 6
    assert complaints(pusher, promised) == []
    assert server.cli("ledger", "verify").returncode == 0


def test_a_server_killed_while_it_takes_backups_takes_the_next_one(
    new_server: NewServer, new_pusher: NewPusher, backup_settings: dict[str, str]
) -> None:
    chance = random.Random(74)
    server = new_server(**backup_settings, LADING_BACKUP_UPLOAD_KILOBYTES="3000")
    server.start()
    pusher = new_pusher(server)
    images = []
    for attempt in range(4):
        images.append(pusher.push("shop/web", f"v{attempt}", layers=4, size=1_000_000))
        server.client.post("/api/v1/backups", {})
        time.sleep(chance.uniform(0.5, 5))
        server.kill()
        server.start()

    ended = server.cli("backup", "create")
    assert ended.returncode == 0, ended.stderr
    ended = server.cli("backup", "verify", "--read-data")
    assert ended.returncode == 0, ended.stderr
    kinds = [row["kind"] for row in server.client.get("/api/v1/ledger", limit=1_000)]
    assert "backup.failed" in kinds
    assert server.cli("backup", "status").returncode == 0
    server.kill()
    shutil.rmtree(server.home / "data")
    assert server.cli("backup", "restore").returncode == 0
    server.start()
    assert complaints(pusher, images) == []


def test_a_restore_killed_at_any_point_can_be_run_again(site: OneSite, tmp_path: Path) -> None:
    kept = [digest for number in range(20) for digest in site.push(f"v{number}", size=200_000)]
    site.wiring.backups.create(Heard())
    data = tmp_path / "restored"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **site.environment, "LADING_DATA": str(data)}
    command = [sys.executable, "-m", "lading.entrypoints.cli.main"]
    chance = random.Random(75)
    half_done = 0
    for _ in range(8):
        process = subprocess.Popen(
            [*command, "backup", "restore"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(chance.uniform(0.8, 4))
        process.kill()
        process.wait()
        if (data / "restoring").exists():
            half_done += 1
            refused = subprocess.run([*command, "up"], env=environment, capture_output=True, text=True, check=False)
            assert refused.returncode == 8, refused.stderr
            assert "was not finished" in refused.stderr
        elif (data / "lading.db").exists():
            shutil.rmtree(data)

    ended = subprocess.run(
        [*command, "backup", "restore"], env=environment, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 0, ended.stderr
    assert half_done
    other = OneSite(data, site.environment)
    assert other.complaints(kept) == []
    assert other.wiring.checkpoints.verify().checkpoints
    other.close()


# Damage


def test_a_changed_byte_in_the_repository_is_found_by_reading_it(site: OneSite, tmp_path: Path) -> None:
    site.push("v1", size=300_000)
    site.wiring.backups.create(Heard())
    pack = packs(site)[0]
    pack.chmod(0o600)
    with pack.open("r+b") as handle:
        handle.seek(1_000)
        byte = handle.read(1)[0]
        handle.seek(1_000)
        handle.write(bytes([byte ^ 1]))

    with pytest.raises(BackupDamaged):
        site.wiring.backups.verify(Heard(), read_data=True)
    with pytest.raises(BackupDamaged):
        site.wiring.backups.drill(Heard())
    with pytest.raises(BackupDamaged):
        restored_elsewhere(site, tmp_path / "other")

    assert not (tmp_path / "other" / "lading.db").exists()
    assert {one.work: one.state for one in site.wiring.backup_records.health()} == {
        "create": "ok", "verify": "failed", "drill": "failed",
    }  # fmt: skip


def test_a_lost_file_of_the_repository_is_found_without_reading_it(site: OneSite) -> None:
    site.push("v1", size=300_000)
    site.wiring.backups.create(Heard())
    packs(site)[0].unlink()
    with pytest.raises(BackupDamaged):
        site.wiring.backups.verify(Heard())


def test_a_ledger_that_was_changed_before_the_backup_is_found_by_the_drill(site: OneSite) -> None:
    site.push("v1")
    with site.wiring.database.write() as tx:
        tx.exec_driver_sql("UPDATE ledger_entries SET actor = 'person:somebody' WHERE seq = 3")
    site.wiring.backups.create(Heard())
    with pytest.raises(Exception, match="was changed after it was written"):
        site.wiring.backups.drill(Heard())


# Mistakes


def test_a_wrong_password_says_so_and_nothing_is_done(site: OneSite, tmp_path: Path) -> None:
    site.push("v1")
    site.wiring.backups.create(Heard())
    wrong = tmp_path / "wrong"
    wrong.write_text("not the password")
    other = OneSite(site.data, site.environment | {"LADING_BACKUP_PASSWORD_FILE": str(wrong)})
    with pytest.raises(WrongPassword):
        other.wiring.backups.create(Heard())
    with pytest.raises(WrongPassword):
        OneSite(tmp_path / "new", other.environment).restore()
    other.close()
    site.wiring.backups.verify(Heard())


def test_a_repository_that_is_gone_is_not_made_anew_unless_told(site: OneSite) -> None:
    site.push("v1")
    site.wiring.backups.create(Heard())
    repository = Path(site.wiring.settings.backup_repository)
    repository.rename(repository.with_name("unmounted"))
    with pytest.raises(RepositoryAbsent, match="went there before"):
        site.wiring.backups.create(Heard())
    assert not repository.exists()
    assert site.wiring.backups.create(Heard(), new_repository=True)["new_items"]


def test_without_settings_or_restic_it_says_what_is_missing(
    site: OneSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = OneSite(site.data, {})
    with pytest.raises(NotConfigured, match="where backups go"):
        nothing.wiring.backups.list()
    no_password = OneSite(site.data, {"LADING_BACKUP_REPOSITORY": str(tmp_path / "repository")})
    with pytest.raises(NotConfigured, match="password"):
        no_password.wiring.backups.list()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing) as raised:
        site.wiring.backups.create(Heard())
    assert "apt-get install restic" in raised.value.remedy


def test_the_password_is_in_no_argument_and_no_message(site: OneSite, backup_settings: dict[str, str]) -> None:
    secret = Path(backup_settings["LADING_BACKUP_PASSWORD_FILE"]).read_text()
    seen: set[str] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.002):
            for entry in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    said = entry.read_bytes().decode(errors="replace")
                except OSError:
                    continue
                if "restic" in said:
                    seen.add(said)

    watcher = threading.Thread(target=watch)
    watcher.start()
    heard = Heard()
    site.push("v1")
    site.wiring.backups.create(heard)
    over.set()
    watcher.join()
    assert seen
    assert not [said for said in (*seen, *heard.said) if secret in said]


# Full disks


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of eight megabytes."""
    place = tmp_path / "small"
    place.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", place], capture_output=True, check=False)
    if mount.returncode != 0:
        pytest.skip("may not mount a file system")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_repository_fails_the_backup_and_keeps_the_earlier_ones(
    tmp_path: Path, small_disk: Path, backup_settings: dict[str, str]
) -> None:
    environment = backup_settings | {"LADING_BACKUP_REPOSITORY": str(small_disk / "repository")}
    site = OneSite(tmp_path / "data", environment).start()
    kept = site.push("v1", size=100_000)
    site.wiring.backups.create(Heard())
    site.push("v2", layers=6, size=2_000_000)

    with pytest.raises(RepositoryFailed):
        site.wiring.backups.create(Heard())

    assert site.wiring.backup_records.health()[0].state == "failed"
    assert site.wiring.holds.all() == []
    other = restored_elsewhere(site, tmp_path / "other")
    assert other.complaints(kept) == []
    site.close()
    other.close()


def test_a_full_data_disk_fails_the_backup_and_leaves_nothing_behind(site: OneSite, small_disk: Path) -> None:
    work = site.data / "backup"
    work.symlink_to(small_disk)
    site.push("v1", layers=6, size=2_000_000)
    with pytest.raises(ContinuityError):
        site.wiring.backups.create(Heard())
    assert not (small_disk / "work").exists()
    work.unlink()
    assert site.wiring.backups.create(Heard())["new_items"]


def test_a_drill_without_room_says_so(tmp_path: Path, site: OneSite, small_disk: Path) -> None:
    site.push("v1", layers=6, size=2_000_000)
    site.wiring.backups.create(Heard())
    cramped = OneSite(site.data, site.environment | {"LADING_BACKUP_SCRATCH": str(small_disk)})
    with pytest.raises(ContinuityError, match="needs about"):
        cramped.wiring.backups.drill(Heard())
    cramped.close()


# The schedule


def test_the_server_takes_backups_and_drills_by_itself(
    new_server: NewServer, new_pusher: NewPusher, backup_settings: dict[str, str]
) -> None:
    server = new_server(**backup_settings)
    server.start()
    new_pusher(server).push("shop/web", "v1")
    assert server.cli("backup", "status").returncode == 1
    assert server.cli("backup", "schedule", "create", "--every", "1h").returncode == 0
    _until(lambda: _state(server, "create") == "ok")
    for work in ("verify", "drill"):
        assert server.cli("backup", "schedule", work, "--every", "7d").returncode == 0
    _until(lambda: _state(server, "drill") == "ok" and _state(server, "verify") == "ok")

    facts = {row["kind"]: row["fact"] for row in server.client.get("/api/v1/ledger", limit=500)}
    assert facts["backup.restore-drilled"]["rto_seconds"] > 0
    assert facts["backup.restore-drilled"]["compared"] >= 5
    metrics = server.client.get("/metrics")
    assert 'lading_backup_ok{work="create"} 1' in metrics
    assert "lading_restore_drill_rto_seconds" in metrics
    assert server.cli("backup", "status").returncode == 0
    assert "restic" in server.cli("doctor").stdout
    with pytest.raises(ServerSaid):
        server.client.post("/api/v1/backups/schedule/reboot", {"every_seconds": 600})


def _state(server: Server, work: str) -> str:
    health = server.client.get("/api/v1/backups/status")["health"]
    return str(next(one["state"] for one in health if one["work"] == work))


def _until(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not check():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.3)
