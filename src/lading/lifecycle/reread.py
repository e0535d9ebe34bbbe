"""Images that older catalogers looked into are looked at again, one after the other, while nothing else is to be done.

Most of their layers keep what was read: only those are read again that have a file which concerns a cataloger that
changed. What is found is matched, and an approved image is judged again, as if it was pushed now.
"""

from __future__ import annotations

import logging
from typing import Any, Final, Protocol

from lading.kernel.digest import Digest
from lading.kernel.errors import LadingError
from lading.supply_chain.inventory.inventories import Inventories

_log: Final = logging.getLogger(__name__)


class Judge(Protocol):
    """Who knows and judges images."""

    def learn(self, image: Digest) -> None:
        """Take the inventory of an image and match it."""
        ...

    def reconsider(self, image: Digest, repository: str) -> Any:
        """Judge an approved image again; None for one that is not approved."""
        ...


class Rereading:
    """Goes once through the images whose inventory is older than the catalogers."""

    def __init__(self, inventories: Inventories, judge: Judge) -> None:
        self._inventories = inventories
        self._judge = judge
        self._after: str | None = ""

    def step(self) -> bool:
        """Look at the next image again; whether there was one. One whose layers are gone stays as it was read."""
        if self._after is None:
            return False
        found = self._inventories.outdated(after=self._after, limit=1)
        self._after = str(found[0]) if found else None
        if not found:
            return False
        try:
            self._judge.learn(found[0])
            self._judge.reconsider(found[0], "")
        except LadingError as error:
            _log.info("an image could not be read again", extra={"image": str(found[0]), "error": str(error)})
        return True
