"""Whoever keeps the tree, in a process of its own that tests can kill: `tree_process.py DIRECTORY TREE GROUP`."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from lading.facts import Ledger
from lading.state import Database
from lading.supply_chain.registry.content_directory import DirectoryContent
from lading.supply_chain.registry.reading import Reading
from lading.supply_chain.registry.serving import Serving
from lading.supply_chain.registry.standing import StateReader
from lading.supply_chain.registry.tree.files import TreeFiles
from lading.supply_chain.registry.tree.keeper import TreeKeeper
from lading.supply_chain.registry.tree.wanted import Wanted


def main(directory: Path, tree: Path, group: str) -> None:
    database = Database(f"sqlite:///{directory / 'state.db'}")
    content, states = DirectoryContent(directory), StateReader(database)
    wanted = Wanted(database, Serving(database, Reading(database, content), states), states)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    TreeKeeper(database, Ledger(), wanted, content, TreeFiles(tree, group)).run(stop)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
