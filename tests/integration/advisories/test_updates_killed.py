"""A process that updates advisories is killed at any moment: what is known is the previous state or the next."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lading.facts import Ledger
from lading.facts.kinds.supply_chain import AdvisoriesUpdated
from lading.state import Database, metadata
from lading.supply_chain.advisories import Advisories

RECORDS = 2_200
KILLS = 3
WORK = """
import sys
from lading.facts import Ledger
from lading.state import Database
from lading.supply_chain.advisories import Advisories
url, file = sys.argv[1:]
database = Database(url)
with open(file, "rb") as lines:
    print("begun", flush=True)
    Advisories(database, Ledger()).import_osv("pypi", lines, complete=True)
"""


def version(number: int) -> list[bytes]:
    """Every record of a version of the feed; versions share no state that could be mistaken for the other's."""
    return [
        json.dumps({
            "id": f"PYSEC-{n}", "modified": f"2026-01-{number:02}T00:00:00Z", "aliases": [f"CVE-{number}-{n + 1000}"],
            "affected": [{"package": {"ecosystem": "PyPI", "name": f"package-{number}-{n % 900}"}}],
        }).encode()
        for n in range(number, RECORDS + number)
    ]  # fmt: skip


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    made = (
        f"sqlite:///{tmp_path / 'state.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    )
    database = Database(made)
    metadata.create_all(database.engine)
    database.close()
    yield made


def seen(database: Database) -> tuple[int, ...]:
    """The versions that any part of what is known is of; asserts that the parts fit each other."""
    with database.read() as tx:
        days = {day for (day,) in tx.exec_driver_sql("SELECT DISTINCT substr(modified, 9, 2) FROM advisory_records")}
        sizes = [
            tx.exec_driver_sql(f"SELECT COUNT(DISTINCT id) FROM advisory_{table}").scalar()
            for table in ("records", "affected", "names")
        ]
        named = {name for (name,) in tx.exec_driver_sql("SELECT DISTINCT substr(name, 1, 9) FROM advisory_affected")}
        facts = sum(isinstance(entry.fact, AdvisoriesUpdated) for entry in Ledger().read(tx))
        changes = Advisories(database, Ledger()).last_change(tx)
    assert sizes == [RECORDS] * 3
    assert len(named) == len(days) == 1
    assert facts >= 1
    assert changes >= facts
    return tuple(int(day) for day in days)


def staged(database: Database) -> bool:
    with database.read() as tx:
        return bool(tx.exec_driver_sql("SELECT 1 FROM advisory_staged LIMIT 1").first())


def test_killed_anywhere_it_is_the_previous_state_or_the_next(url: str, tmp_path: Path) -> None:
    database = Database(url)
    Advisories(database, Ledger()).import_osv("pypi", version(1), complete=True)
    file = tmp_path / "feed.jsonl"
    file.write_bytes(b"\n".join(version(2)))
    at = 1
    for kill in range(KILLS):
        file.write_bytes(b"\n".join(version(at + 1)))
        with subprocess.Popen([sys.executable, "-c", WORK, url, str(file)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            while process.poll() is None and not staged(database):
                time.sleep(0.002)
            # Once as soon as something is staged, then later and later: while more is staged, and while it is switched.
            time.sleep(kill * 0.15)
            os.kill(process.pid, signal.SIGKILL)
        now = seen(database)
        assert now in ((at,), (at + 1,))
        at = now[0]
    file.write_bytes(b"\n".join(version(at + 1)))
    subprocess.run([sys.executable, "-c", WORK, url, str(file)], check=True)
    assert seen(database) == (at + 1,)
    with database.read() as tx:
        assert tx.exec_driver_sql("SELECT COUNT(*) FROM advisory_staged").scalar() == 0
    database.close()
