"""The same Lading on every database and blob store: backed up, drilled, lost, restored."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from integration.continuity.site import Heard, OneSite
from lading.continuity.errors import RestoreRefused
from lading.kernel.ids import new_id
from postgres_server import PostgresServer
from s3_server import BUCKET, s3_environment

STORES = [
    pytest.param(("sqlite", "directory", "directory"), id="sqlite-directory"),
    pytest.param(("sqlite", "s3", "s3"), id="sqlite-s3"),
    pytest.param(("postgresql", "directory", "directory"), id="postgresql-directory", marks=pytest.mark.postgres),
    pytest.param(("postgresql", "s3", "s3"), id="postgresql-s3", marks=pytest.mark.postgres),
]


class Ground:
    """Places for sites: each `site` has its own data directory, database and bucket prefix, all one repository."""

    def __init__(self, request: pytest.FixtureRequest, home: Path, database: str, blobs: str, repository: str) -> None:
        self._request = request
        self._home = home
        self._kind, self._blobs, self._repository = database, blobs, repository
        self.made: list[OneSite] = []
        password = home / "password"
        password.write_text("long and secret")
        self._environment = {"LADING_BACKUP_PASSWORD_FILE": str(password)}
        endpoint = request.getfixturevalue("s3_endpoint") if "s3" in (blobs, repository) else ""
        place = f"s3:{endpoint}/{BUCKET}/{new_id()}" if repository == "s3" else str(home / "repository")
        self._environment["LADING_BACKUP_REPOSITORY"] = place
        if endpoint:
            patch = request.getfixturevalue("monkeypatch")
            for name, value in s3_environment(endpoint).items():
                patch.setenv(name, value)

    def site(self) -> OneSite:
        environment = dict(self._environment)
        if self._kind == "postgresql":
            server: PostgresServer = self._request.getfixturevalue("own_postgres")
            name = f"b{new_id().replace('-', '')}"
            server.create(name)
            environment["LADING_DATABASE_URL"] = server.url(name)
        if self._blobs == "s3":
            environment["LADING_BLOB_URL"] = f"s3://{BUCKET}/{new_id()}"
        self.made.append(OneSite(self._home / f"data-{len(self.made)}", environment))
        return self.made[-1]


@pytest.fixture(params=STORES)
def ground(request: pytest.FixtureRequest, tmp_path: Path):  # type: ignore[no-untyped-def]
    made = Ground(request, tmp_path, *request.param)
    yield made
    for site in made.made:
        site.close()


def test_what_was_acknowledged_before_a_backup_is_in_its_restore(ground: Ground) -> None:
    site = ground.site().start()
    kept = [digest for number in range(4) for digest in site.push(f"v{number}")]
    source = site.data / "incoming.tar"
    source.write_bytes(b"a source archive")
    source_digest = site.wiring.sources.keep(source)
    site.wiring.checkpoints.sign()
    first = site.wiring.backups.create(Heard())
    kept += site.push("later")
    second = site.wiring.backups.create(Heard())
    site.push("after-it")
    drilled = site.wiring.backups.drill(Heard())
    site.wiring.backups.verify(Heard(), read_data=True)

    other = ground.site()
    done = other.restore()

    assert other.complaints(kept) == []
    assert (first["new_items"], second["new_items"]) == (4 * 4 + 1, 4)
    assert done["compared"] == drilled["compared"] == 5 * 4 + 1
    assert (
        {row.tag for row in other.wiring.registry.tags("shop/web")} if hasattr(other.wiring.registry, "row") else True
    )
    assert other.wiring.checkpoints.verify().checkpoints >= 2
    assert other.wiring.key.key_id == site.wiring.key.key_id
    assert other.wiring.sources.path(source_digest).read_bytes() == b"a source archive"
    assert other.wiring.holds.all() == []
    assert other.wiring.backup_records.health()[0].state == "ok"
    # And it goes on: what is pushed now is in the next backup of the restored Lading, which saves nothing twice.
    fresh = other.push("restored")
    assert other.wiring.backups.create(Heard())["new_items"] == len(fresh)


def test_a_point_in_time_is_the_last_backup_before_it(ground: Ground) -> None:
    site = ground.site().start()
    early = site.push("early")
    first = site.wiring.backups.create(Heard())
    late = site.push("late")
    site.wiring.backups.create(Heard())

    other = ground.site()
    done = other.restore(at=first["at"])

    assert done["backup"] == first["backup"]
    assert other.complaints(early) == []
    assert len(other.complaints(late)) == len(late)


def test_a_place_that_holds_something_is_refused_unless_told(ground: Ground) -> None:
    site = ground.site().start()
    kept = site.push("kept")
    site.wiring.backups.create(Heard())
    other = ground.site().start()
    other.push("in-the-way")

    with pytest.raises(RestoreRefused):
        other.restore()
    assert not (other.data / "restoring").exists()
    other.wiring.close()
    other.restore(replace=True)

    assert OneSite(other.data, other.environment).complaints(kept) == []
    assert len(list(other.data.glob("replaced-*"))) == 1


def test_blobs_that_storage_lost_are_named_and_the_rest_is_kept(ground: Ground) -> None:
    site = ground.site().start()
    lost, *kept = site.push("v1")
    site.wiring.storage.delete(lost)

    taken = site.wiring.backups.create(Heard())

    assert taken["missing"] == 1
    with pytest.raises(Exception, match="storage had lost"):
        site.wiring.backups.drill(Heard())
    assert [one.state for one in site.wiring.backup_records.health()] == ["incomplete", "never", "failed"]
    other = ground.site()
    assert other.restore()["missing"] == 1
    assert other.complaints(kept) == []
    shutil.rmtree(other.data)
