"""However a registry changes, following gives the same tree as comparing all of it."""

from __future__ import annotations

import random
import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from lading.facts import Ledger
from lading.kernel.clock import ManualClock
from lading.kernel.digest import Digest
from lading.kernel.errors import LadingError
from lading.state import Database, metadata
from lading.supply_chain.registry.blobs_directory import DirectoryBlobs
from lading.supply_chain.registry.registry import Registry
from lading.supply_chain.registry.serving import Serving
from lading.supply_chain.registry.states import ImageStates, State
from unit.supply_chain.registry.conftest import ROBOT, Bench, make_bench
from unit.supply_chain.registry.tree.conftest import Kept

PLATFORMS = ("linux/amd64", "linux/arm64")
STEPS = (
    "image",
    "image",
    "index",
    "artifact",
    "approve",
    "approve",
    "approve",
    "briefly",
    "later",
    "revoke",
    "delete",
    "tag",
)


class World:
    """One registry with its tree, and what may happen to it."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.database, clock = Database("sqlite://"), ManualClock()
        metadata.create_all(self.database.engine)
        ledger = Ledger(clock)
        self.bench: Bench = make_bench(self.database, ledger, clock)
        blobs = DirectoryBlobs(directory / "registry")
        self.bench.blobs = blobs  # type: ignore[assignment]
        self.bench.states = ImageStates(self.database, ledger, clock)
        self.bench.registry = Registry(self.database, ledger, blobs, self.bench.states, clock)
        self.bench.serving = Serving(self.database, self.bench.registry, self.bench.states)
        self.kept = Kept(self.bench, directory / "tree", clock)
        self.random = random.Random(seed)
        self.known: list[Digest] = []

    def step(self, what: str) -> None:
        try:
            getattr(self, what)()
        except LadingError:
            return  # not everything is legal at every moment

    def image(self) -> None:
        self.known.append(
            self.bench.image(str(self.random.randrange(6)), tag=self._tag(), annotations={"n": str(len(self.known))})
        )

    def index(self) -> None:
        self.known.append(self.bench.index(self._any(), self._any(), platforms=PLATFORMS, tag=self._tag()))

    def artifact(self) -> None:
        self.known.append(self.bench.artifact(b"{}", subject=self.bench.subject(self._any())))

    def approve(self) -> None:
        self.bench.move(self._any(), State.APPROVED)

    def briefly(self) -> None:
        self.bench.move(
            self._any(), State.APPROVED, until=self.kept.clock.now() + timedelta(minutes=self.random.randrange(3))
        )

    def later(self) -> None:
        self.kept.clock.advance(timedelta(minutes=1))

    def revoke(self) -> None:
        self.bench.move(self._any(), State.REVOKED)

    def delete(self) -> None:
        self.bench.registry.delete_manifest("shop/web", self._any(), ROBOT)

    def tag(self) -> None:
        self.bench.registry.delete_tag("shop/web", self._tag(), ROBOT)

    def _any(self) -> Digest:
        return self.random.choice(self.known or [Digest.of(b"none")])

    def _tag(self) -> str:
        return self.random.choice(("1", "2", "latest"))

    def close(self) -> None:
        self.kept.files.close()
        self.database.close()


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from(STEPS), min_size=5, max_size=30), st.integers(0, 1_000), st.integers(1, 5))
def test_following_is_comparing(steps: list[str], seed: int, together: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        world = World(Path(directory), seed)
        try:
            for number, step in enumerate(steps):
                world.step(step)
                if number % together == 0:
                    world.kept.tick()
                    assert world.kept.differences() == []
        finally:
            world.close()
