"""Migrations go up and down on data, on both databases, and end at exactly the declared schema."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from lading.facts import Ledger
from lading.facts.kinds.identity import TeamCreated
from lading.kernel.errors import Conflict
from lading.state import Database, metadata, migrate
from lading.wiring.schema import complete_metadata


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    sqlite = f"sqlite:///{tmp_path / 'empty.db'}"
    database = Database(sqlite if request.param == "sqlite" else request.getfixturevalue("postgres_url"))
    yield database
    database.close()


def test_the_migrated_schema_is_the_declared_one(empty: Database) -> None:
    complete_metadata()
    migrate.upgrade(empty)

    with empty.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, metadata) == []


def test_every_step_goes_down_and_up_again_and_keeps_the_ledger(empty: Database) -> None:
    first, *_later = migrate.revisions()
    migrate.upgrade(empty)
    with empty.write() as tx:
        Ledger().append(tx, [TeamCreated(team="shop")] * 10, actor="system:test")

    migrate.downgrade(empty, first)
    assert migrate.current(empty) == first
    migrate.upgrade(empty)

    assert migrate.current(empty) == migrate.revisions()[-1]
    with empty.read() as tx:
        assert Ledger().verify(tx).entries == 10


def test_going_down_to_nothing_leaves_nothing(empty: Database) -> None:
    migrate.upgrade(empty)
    migrate.downgrade(empty, "base")

    with empty.read() as connection:
        assert set(sa.inspect(connection).get_table_names()) <= {"alembic_version"}


def test_a_database_of_a_newer_version_is_refused(empty: Database) -> None:
    migrate.upgrade(empty)
    with empty.write() as tx:
        tx.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(Conflict, match="9999"):
        migrate.upgrade(empty)


def test_findings_of_images_become_findings_of_packages(empty: Database) -> None:
    migrate.upgrade(empty, "0016")
    with empty.write() as tx:
        for image in ("sha256:a", "sha256:b"):
            for package, layer in ((1, "sha256:low"), (2, "sha256:top"), (1, "sha256:top")):
                row = {"p": package, "i": image, "path": f"x/{layer}", "l": layer}
                tx.execute(sa.text("INSERT INTO match_occurrences VALUES (:p, :i, :path, :l)"), row)
            tx.execute(sa.text("INSERT INTO match_findings VALUES (:i, 1, 'CVE-1', 4, :b)"), {"i": image, "b": b"x"})
            tx.execute(sa.text("INSERT INTO match_names VALUES ('CVE-1', :i, 1, 'CVE-1')"), {"i": image})
        tx.execute(sa.text("INSERT INTO match_cursor VALUES ('advisories', 7)"))

    migrate.upgrade(empty)

    def rows(query: str) -> list[tuple[object, ...]]:
        with empty.read() as tx:
            return [tuple(row) for row in tx.execute(sa.text(query))]

    assert rows("SELECT image, packages FROM match_images ORDER BY image") == [("sha256:a", 2), ("sha256:b", 2)]
    assert rows("SELECT layer, packages, high FROM match_groups ORDER BY layer") == [
        ("sha256:low", 1, 1), ("sha256:low", 1, 1), ("sha256:top", 2, 1), ("sha256:top", 2, 1),
    ]  # fmt: skip
    assert rows("SELECT COUNT(*) FROM match_members") == [(6,)]
    assert rows("SELECT package, extra FROM match_overlaps") == [(1, 1), (1, 1)]
    assert rows("SELECT package, id, severity FROM match_flaws") == [(1, "CVE-1", 4)]
    assert rows("SELECT name, package FROM match_flaw_names") == [("CVE-1", 1)]
    assert rows("SELECT COUNT(*) FROM match_cursor") == [(0,)]
