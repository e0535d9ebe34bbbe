"""The tree of pulls on this host: who keeps it, how far it is, and what of it is not as it should be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lading.facts import Ledger
from lading.kernel.digest import Digest
from lading.settings import Settings
from lading.state import Database
from lading.supply_chain.registry.errors import Denied
from lading.supply_chain.registry.reading import Reading
from lading.supply_chain.registry.serving import Serving
from lading.supply_chain.registry.standing import StateReader
from lading.supply_chain.registry.taking_in_log import PullLog
from lading.supply_chain.registry.tree.beat import BeatReader
from lading.supply_chain.registry.tree.files import Differences, TreeFiles
from lading.supply_chain.registry.tree.keeper import TreeKeeper
from lading.supply_chain.registry.tree.layout import LOG
from lading.supply_chain.registry.tree.wanted import Wanted
from lading.wiring.content import open_content

if TYPE_CHECKING:
    from lading.wiring import Wiring


class Tree:
    """The parts, made on demand."""

    def __init__(self, wiring: Wiring, directory: Path) -> None:
        self._wiring = wiring
        self.directory = directory
        self.beats = BeatReader(directory, wiring.clock)

    def keeper(self) -> TreeKeeper:
        """Who keeps it: one process of the host at a time."""
        return self._keeper(TreeFiles(self.directory, self._wiring.settings.tree_group))

    def log(self) -> PullLog:
        """What nginx served from it, to be taken in."""
        wiring = self._wiring
        return PullLog(self.directory / LOG, wiring.database, wiring.ledger, self._why)

    def metrics(self) -> list[str]:
        """Lines of /metrics: how far the tree of this host is behind. Nothing where no tree was ever kept."""
        beat = self.beats.read()
        if beat is None:
            return []
        age = self.beats.age(beat)
        return [
            "# HELP lading_tree_fresh Whether a static server may answer pulls from the tree of this host.",
            "# TYPE lading_tree_fresh gauge",
            f"lading_tree_fresh {int(self.beats.is_fresh())}",
            "# HELP lading_tree_behind_entries Entries of the ledger that the tree does not show yet.",
            "# TYPE lading_tree_behind_entries gauge",
            f"lading_tree_behind_entries {beat.behind}",
            "# HELP lading_tree_age_seconds Time since the tree was last known to show what counts.",
            "# TYPE lading_tree_age_seconds gauge",
            f"lading_tree_age_seconds {'NaN' if age is None else round(age, 3)}",
        ]

    def _why(self, repository: str, digest: Digest) -> str:
        try:
            self._wiring.serving.check_manifest(repository, digest)
        except Denied as denied:
            return denied.what
        return ""

    def _keeper(self, files: TreeFiles) -> TreeKeeper:
        settings = self._wiring.settings
        return open_keeper(settings, self._wiring.database, self._wiring.ledger, files)


def open_keeper(settings: Settings, database: Database, ledger: Ledger, files: TreeFiles) -> TreeKeeper:
    """A keeper of some files over a database that it only reads."""
    content, states = open_content(settings), StateReader(database)
    serving = Serving(database, Reading(database, content), states, settings.index_platforms)
    return TreeKeeper(database, ledger, Wanted(database, serving, states), content, files)


def differences(settings: Settings, directory: Path) -> list[str]:
    """What of a tree is not as it should be, found without changing anything."""
    database, files = Database(settings.database, read_only=True), Differences(directory)
    try:
        open_keeper(settings, database, Ledger(), files).compare()
    finally:
        database.close()
    return files.found
