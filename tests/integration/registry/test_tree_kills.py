"""The keeper of the tree is killed again and again while the registry changes: no torn file, and it always catches up."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lading.facts import Ledger
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.state import Database, metadata
from lading.supply_chain.registry.access import Visitor
from lading.supply_chain.registry.blobs_directory import DirectoryBlobs
from lading.supply_chain.registry.content_directory import DirectoryContent
from lading.supply_chain.registry.manifest import OCI_MANIFEST
from lading.supply_chain.registry.reading import Reading
from lading.supply_chain.registry.registry import Registry
from lading.supply_chain.registry.serving import Serving
from lading.supply_chain.registry.states import ImageStates, State
from lading.supply_chain.registry.tree.beat import BeatReader
from lading.supply_chain.registry.tree.files import Differences
from lading.supply_chain.registry.tree.keeper import TreeKeeper
from lading.supply_chain.registry.tree.wanted import Wanted

KEEPER = Path(__file__).with_name("tree_process.py")
ROBOT = Visitor("robot:shop/ci", "shop")
KILLS = 4


class Changes:
    """A registry that changes all the time: images come, are approved, tagged, revoked and deleted."""

    def __init__(self, directory: Path) -> None:
        self.database = Database(f"sqlite:///{directory / 'state.db'}")
        metadata.create_all(self.database.engine)
        self.states = ImageStates(self.database, Ledger())
        self.registry = Registry(self.database, Ledger(), DirectoryBlobs(directory), self.states)
        self.random = random.Random(7)
        self.known: list[Digest] = []

    def change(self) -> None:
        what = self.random.choice(("push", "push", "approve", "approve", "revoke", "delete")) if self.known else "push"
        if what == "push":
            self.known.append(self._push(f"{len(self.known)}-{self.random.random()}"))
            return
        digest = self.random.choice(self.known)
        try:
            if what == "delete":
                self.registry.delete_manifest("shop/web", digest, ROBOT)
            else:
                with self.database.write() as tx:
                    to = State.APPROVED if what == "approve" else State.REVOKED
                    self.states.move(tx, digest, to, who="person:ada", why="because")
        except Exception as error:
            assert type(error).__name__ in ("IllegalMove", "Denied", "ManifestUnknown"), error

    def _push(self, text: str) -> Digest:
        parts = [json.dumps({"config": {}, "text": text}).encode(), text.encode(), b"shared"]
        described = [
            {"mediaType": kind, "digest": str(self.registry.put_blob("shop/web", part, ROBOT)), "size": len(part)}
            for kind, part in zip(
                ("application/vnd.oci.image.config.v1+json", *["application/vnd.oci.image.layer.v1.tar"] * 2),
                parts,
                strict=True,
            )
        ]
        body = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": described[0], "layers": described[1:]}
        tag = self.random.choice(("latest", "stable", "dev"))
        return self.registry.put_manifest("shop/web", tag, OCI_MANIFEST, json.dumps(body).encode(), ROBOT).digest


@pytest.fixture
def changes(tmp_path: Path) -> Iterator[Changes]:
    made = Changes(tmp_path)
    yield made
    made.database.close()


def start(directory: Path) -> subprocess.Popen[bytes]:
    with (directory / "log").open("a") as log:
        command = [sys.executable, str(KEEPER), str(directory), str(directory / "tree"), ""]
        return subprocess.Popen(command, stdout=log, stderr=log)


def torn(tree: Path) -> list[str]:
    """Files that do not hold what their names say."""
    found = []
    for path in tree.glob("_served/**/*"):
        try:
            content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            if content and path.parent.name in ("_manifests", "_blobs"):
                if Digest.of(content) != Digest.parse(path.name.partition(".")[0]):
                    found.append(str(path))
            elif content:
                json.loads(content)
        except FileNotFoundError:
            continue
        except (ValueError, InvalidInput):
            found.append(str(path))
    return found


def test_a_killed_keeper_leaves_nothing_torn_and_the_next_one_catches_up(changes: Changes, tmp_path: Path) -> None:
    stop = threading.Event()

    def go_on() -> None:
        while not stop.wait(0.005):
            changes.change()

    writer = threading.Thread(target=go_on)
    writer.start()
    reader = BeatReader(tmp_path / "tree")
    try:
        for turn in range(KILLS):
            keeper = start(tmp_path)
            before = reader.read()
            while reader.read() == before:
                assert keeper.poll() is None, (tmp_path / "log").read_text()
                time.sleep(0.02)
            time.sleep(changes.random.random() * 0.5)
            os.kill(keeper.pid, signal.SIGKILL)
            keeper.wait()
            assert torn(tmp_path / "tree") == [], turn
    finally:
        stop.set()
        writer.join()
    keeper = start(tmp_path)
    with changes.database.read() as tx:
        head = Ledger().head(tx).seq
    while (beat := reader.read()) is None or beat.pid != keeper.pid or beat.seq < head or not reader.is_fresh():
        assert keeper.poll() is None, (tmp_path / "log").read_text()
        time.sleep(0.02)
    keeper.terminate()
    keeper.wait()
    looking, content = Differences(tmp_path / "tree"), DirectoryContent(tmp_path)
    serving = Serving(changes.database, Reading(changes.database, content), changes.states)
    wanted = Wanted(changes.database, serving, changes.states)
    TreeKeeper(changes.database, Ledger(), wanted, content, looking).compare()
    assert looking.found == []
    assert len(list(tmp_path.glob("tree/_served/shop/web/_manifests/*"))) > 3
