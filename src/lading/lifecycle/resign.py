"""After a key was revoked: what Lading stated with it is signed anew, and images that it alone signed are judged again.

Nothing is noted anywhere: what is left to do is what the database says. A pass goes over the images by digest; one
begins when the process does, and whenever the set of revoked keys has changed.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any, Final, Protocol

from lading.kernel.digest import Digest
from lading.kernel.errors import LadingError

_log: Final = logging.getLogger(__name__)
_ACTOR: Final = "system:admission"


class Revoked(Protocol):
    """Which keys were revoked."""

    def revoked(self) -> frozenset[str]:
        """Their ids."""
        ...


class Statements(Protocol):
    """What was stated here."""

    def stated_by(self, keys: Collection[str], after: str, limit: int) -> list[Digest]:
        """Images about which one of these keys stated something, in order, beyond `after`."""
        ...

    def state_again(self, image: Digest, *, actor: str) -> list[LadingError]:
        """Sign anew what revoked keys stated; what went wrong."""
        ...


class Judge(Protocol):
    """Who judges images."""

    def reconsider(self, image: Digest, repository: str) -> Any:
        """Judge an approved image again."""
        ...


class Resigning:
    """Signs anew, some images at a time."""

    def __init__(self, keys: Revoked, statements: Statements, judge: Judge) -> None:
        self._keys = keys
        self._statements = statements
        self._judge = judge
        self._done: frozenset[str] = frozenset()
        self._going: frozenset[str] = frozenset()
        self._after = ""

    def step(self, most: int = 10) -> int:
        """Look at the next images; how many there were. A few milliseconds each, so that followers are not held up."""
        revoked = self._keys.revoked()
        if revoked == self._done:
            return 0
        if revoked != self._going:
            self._going, self._after = revoked, ""
        images = self._statements.stated_by(revoked, self._after, most)
        for image in images:
            self._again(image)
            self._after = str(image)
        if not images:
            self._done = revoked
        return len(images)

    def _again(self, image: Digest) -> None:
        problems = self._statements.state_again(image, actor=_ACTOR)
        for problem in problems:
            _log.warning("a statement could not be signed anew", extra={"image": str(image), "error": str(problem)})
        if problems:
            self._judge.reconsider(image, "")
