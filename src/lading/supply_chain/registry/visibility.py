"""Who may see a repository, to be changed and to be listed. What it means is in `access`."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lading.facts import Ledger
from lading.facts.kinds.access import VisibilityChanged
from lading.state import Database
from lading.supply_chain.registry.access import Sight, Visibility
from lading.supply_chain.registry.errors import NameUnknown
from lading.supply_chain.registry.sql import reading, writing


class RepositoryRow(msgspec.Struct, frozen=True, kw_only=True):
    """What lists of repositories show."""

    repository: str
    team: str
    visibility: str
    bytes: int
    created: str


class Visibilities:
    """The visibility of every repository."""

    def __init__(self, database: Database, ledger: Ledger) -> None:
        self._database = database
        self._ledger = ledger

    def change(self, repository: str, visibility: Visibility, *, actor: str) -> None:
        """Change it, with that of the layer cache beside it; raises NameUnknown. What it is already stays so."""
        with self._database.write() as tx:
            before = reading.place(tx, repository)
            if before is None:
                raise NameUnknown(f"There is no repository {repository}.", remedy="See `lading repository ls`.")
            if before[1] == visibility:
                return
            writing.set_visibility(tx, [repository, repository + reading.CACHE_SUFFIX], visibility)
            fact = VisibilityChanged(repository=repository, before=before[1], visibility=visibility)
            self._ledger.append(tx, [fact], actor=actor)

    def listed(self, sight: Sight, *, after: str = "", limit: int = 1_000) -> Sequence[RepositoryRow]:
        """The repositories that `sight` takes in, by name."""
        with self._database.read() as tx:
            rows = reading.repository_rows(tx, sight, after, limit)
        return [
            RepositoryRow(
                repository=row.name, team=row.team, visibility=row.visibility, bytes=row.bytes, created=row.created
            )
            for row in rows
        ]
