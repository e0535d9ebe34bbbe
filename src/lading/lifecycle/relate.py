"""Images that were here before lineage was kept are learned, some at a time, once after each start."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final, Protocol

from lading.kernel.digest import Digest
from lading.kernel.errors import LadingError
from lading.state import Database, Transaction

_log: Final = logging.getLogger(__name__)
_PAGE: Final = 50


class Known(Protocol):
    """The images that were read."""

    def images_in(self, tx: Transaction, after: str, limit: int) -> list[str]:
        """Images by digest, beyond `after`."""
        ...


class Learner(Protocol):
    """Who learns what images begin with."""

    def unknown(self, images: Sequence[str]) -> list[str]:
        """Those of which nothing was learned yet."""
        ...

    def learn(self, image: Digest) -> None:
        """Learn one."""
        ...


class Relating:
    """Goes once through all images."""

    def __init__(self, database: Database, known: Known, learner: Learner) -> None:
        self._database = database
        self._known = known
        self._learner = learner
        self._after: str | None = ""

    def step(self) -> bool:
        """Learn the next page of images; whether there was one. One that cannot be read is left out."""
        if self._after is None:
            return False
        with self._database.read() as tx:
            page = self._known.images_in(tx, self._after, _PAGE)
        for image in self._learner.unknown(page):
            try:
                self._learner.learn(Digest.parse(image))
            except LadingError as error:
                _log.info("what an image begins with is not known", extra={"image": image, "error": str(error)})
        self._after = page[-1] if page else None
        return bool(page)
