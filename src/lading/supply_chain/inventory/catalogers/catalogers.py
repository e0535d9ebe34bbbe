"""All catalogers together: which of them wants a file, their version, and which layers a new version must read again.

The version names every cataloger with its own revision. A layer that was read under another version keeps its result
when none of the catalogers that changed, came or went has to do with a file of it; the index of its files answers that
without its blob.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from lading.supply_chain.inventory.catalogers.cataloger import Cataloger
from lading.supply_chain.inventory.files import unpack
from lading.supply_chain.inventory.values import TEXT, LayerInventory
from lading.supply_chain.secrets.forms import REVISION

# Raised when what is kept of every file changes: then every layer is read again.
READER: Final = "3"
# Forms of secrets are versioned as a cataloger of every text.
_SECRETS: Final = "secrets"
_Table = dict[str, tuple[Cataloger, ...]]


class Catalogers:
    """Catalogers in the order in which they are asked.

    Args:
        every: each with a name of its own.
        reader: the version of what all of them depend on.
        secrets: the revision of the forms of secrets.
    """

    def __init__(self, every: Sequence[Cataloger], reader: str = READER, secrets: int = REVISION) -> None:
        self._every = tuple(every)
        self._reader = reader
        self._revisions = {one.name: str(one.revision) for one in every} | {_SECRETS: str(secrets)}
        self.version = "+".join((reader, *sorted(f"{name}.{number}" for name, number in self._revisions.items())))
        self._names = _table((one, one.places.names) for one in every)
        self._suffixes = _table((one, one.places.suffixes) for one in every)
        self._directories = _table((one, one.places.directories) for one in every)
        self._folders = _table((one, one.places.folders) for one in every)
        self._forms = _table((one, one.places.forms) for one in every)

    def __iter__(self) -> Iterator[Cataloger]:
        return iter(self._every)

    def at(self, path: str) -> Cataloger | None:
        """The cataloger that wants the file at `path` for where it lies. Called for every file of every layer."""
        directory, _, name = path.rpartition("/")
        candidates = (
            self._names.get(name, ())
            + self._suffixes.get(name[name.rfind(".") :], ())
            + self._directories.get(directory, ())
            + self._folders.get(directory[directory.rfind("/") + 1 :], ())
        )
        for cataloger in candidates:
            if cataloger.wants(path):
                return cataloger
        return None

    def wanting(self, path: str, form: str) -> tuple[Cataloger, ...]:
        """Who is to be asked about a file, one after the other until one finds something."""
        placed = self.at(path)
        if placed is not None:
            return (placed,)
        return tuple(one for one in self._forms.get(form, ()) if one.wants(path)) if form else ()

    def carried(self, known: LayerInventory) -> LayerInventory | None:
        """What was read of a layer under another version, where this one would find the same; else None."""
        reader, revisions = _parsed(known.cataloger_version)
        mine = self._revisions
        if reader != self._reader:
            return None
        changed = {name for name in mine.keys() | revisions.keys() if mine.get(name) != revisions.get(name)}
        if any(database.cataloger in changed for database in known.databases):
            return None
        for file in unpack(known.files):
            if file.form == TEXT and _SECRETS in changed:
                return None
            if any(one.name in changed for one in self.wanting(file.path, file.form)):
                return None
        return msgspec.structs.replace(known, cataloger_version=self.version)


def _table(places: Iterator[tuple[Cataloger, frozenset[str]]]) -> _Table:
    table: _Table = {}
    for cataloger, keys in places:
        for key in keys:
            table[key] = (*table.get(key, ()), cataloger)
    return table


def _parsed(version: str) -> tuple[str, dict[str, str]]:
    reader, *rest = version.split("+")
    return reader, {name: revision for name, _, revision in (one.rpartition(".") for one in rest)}
