"""A registry over files, its tree, and whoever keeps it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lading.facts import Ledger
from lading.kernel.clock import ManualClock
from lading.kernel.digest import Digest
from lading.state import Database
from lading.supply_chain.registry.blobs import MemoryBlobs
from lading.supply_chain.registry.blobs_directory import DirectoryBlobs
from lading.supply_chain.registry.registry import Registry
from lading.supply_chain.registry.serving import Serving
from lading.supply_chain.registry.states import ImageStates
from lading.supply_chain.registry.tree.files import Differences, TreeFiles
from lading.supply_chain.registry.tree.keeper import TreeKeeper
from lading.supply_chain.registry.tree.wanted import Wanted


class Kept:
    """A bench with a tree beside it."""

    def __init__(self, bench: Any, root: Path, clock: ManualClock) -> None:
        self.bench, self.root, self.clock = bench, root, clock
        self.files = TreeFiles(root)
        self.wanted = Wanted(bench.database, bench.serving, bench.states)
        self.keeper = self.new_keeper(self.files)
        assert self.files.open()
        self.keeper.resume()
        self.keeper.tick()

    def new_keeper(self, files: TreeFiles) -> TreeKeeper:
        bench = self.bench
        return TreeKeeper(bench.database, bench.ledger, self.wanted, bench.blobs, files, self.clock)

    def tick(self) -> None:
        self.keeper.tick()

    def differences(self) -> list[str]:
        """What a comparison would mend."""
        looking = Differences(self.root)
        self.new_keeper(looking).compare()
        return looking.found

    def everything(self) -> dict[str, bytes]:
        """Every name that is served, with what is behind it."""
        served = self.root / "_served"
        return {path.relative_to(served).as_posix(): path.read_bytes() for path in served.rglob("*") if path.is_file()}

    def manifest(self, digest: Digest, repository: str = "shop/web", ending: str = "oci-manifest") -> Path:
        return self.root / "_served" / repository / "_manifests" / f"{digest}.{ending}"

    def tag(self, tag: str, repository: str = "shop/web") -> Path:
        return self.root / "_served" / repository / "_tags" / tag

    def blob(self, digest: Digest, repository: str = "shop/web") -> Path:
        return self.root / "_served" / repository / "_blobs" / str(digest)

    def refusal(self, digest: Digest, repository: str = "shop/web") -> str:
        path = self.root / "_served" / repository / "_refused" / str(digest)
        return str(json.loads(path.read_bytes())["errors"][0]["message"]) if path.exists() else ""


def _kept(
    database: Database, ledger: Ledger, clock: ManualClock, bench: Any, blobs: DirectoryBlobs | MemoryBlobs, root: Path
) -> Kept:
    bench.blobs = blobs
    bench.states = ImageStates(database, ledger, clock)
    bench.registry = Registry(database, ledger, blobs, bench.states, clock)
    bench.serving = Serving(database, bench.registry, bench.states)
    return Kept(bench, root, clock)


@pytest.fixture
def kept(database: Database, ledger: Ledger, clock: ManualClock, bench: Any, tmp_path: Path) -> Iterator[Kept]:
    made = _kept(database, ledger, clock, bench, DirectoryBlobs(tmp_path / "registry"), tmp_path / "tree")
    yield made
    made.files.close()


@pytest.fixture(params=["directory", "elsewhere"])
def each_kept(
    request: pytest.FixtureRequest,
    each_database: Database,
    ledger: Ledger,
    clock: ManualClock,
    each_bench: Any,
    tmp_path: Path,
) -> Iterator[Kept]:
    """Over every kind of database, and over blobs that are files, and blobs that are none."""
    blobs = DirectoryBlobs(tmp_path / "registry") if request.param == "directory" else MemoryBlobs()
    made = _kept(each_database, ledger, clock, each_bench, blobs, tmp_path / "tree")
    yield made
    made.files.close()
