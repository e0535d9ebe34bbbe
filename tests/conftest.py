"""What every test may use: databases of both kinds, a ledger and a clock that moves only when told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from lading.facts import Ledger
from lading.kernel.clock import ManualClock
from lading.state import Database, metadata

# How long an example takes says something about the machine, not about the code.
hypothesis.settings.register_profile("lading", deadline=None)
hypothesis.settings.load_profile("lading")

pytest_plugins = ["postgres_server", "s3_server"]

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests over the real engine share it, and look at all its containers: `-m docker` runs them one by one."""
    for item in items:
        if "docker_engine" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.docker)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def database() -> Iterator[Database]:
    """A SQLite database in memory with every table."""
    made = Database("sqlite://")
    metadata.create_all(made.engine)
    yield made
    made.close()


@pytest.fixture
def ledger(clock: ManualClock) -> Ledger:
    return Ledger(clock)


@pytest.fixture(params=["sqlite-memory", "sqlite-file", pytest.param("postgresql", marks=pytest.mark.postgres)])
def each_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """The same test on every kind of database that Lading runs on."""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    else:
        url = "sqlite://" if request.param == "sqlite-memory" else f"sqlite:///{tmp_path / 'state.db'}"
    made = Database(url)
    metadata.create_all(made.engine)
    yield made
    made.close()


@pytest.fixture(scope="session")
def advisories_directory() -> Path:
    """Real advisory data beside the checkout, where there is some."""
    directory = REPOSITORY.parent / "shared" / "advisories"
    if not directory.is_dir():
        pytest.skip(f"no advisory data in {os.path.relpath(directory, REPOSITORY)}")
    return directory
