"""How one kind of secret looks, and what tells a real one from an example."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from lading.kernel.severity import Severity

# How far a pattern is tried before and behind the place where the prefilter struck, in bytes.
BACK: Final = 256
REACH: Final = 1_024
MOST_REACH: Final = 20_480
NEAR: Final = 4_096


class Found(msgspec.Struct, frozen=True, array_like=True, order=True):
    """The id of a kind of secret, and a line, from one. Nothing of the secret itself."""

    kind: str
    line: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """What fits a pattern, before anybody asked whether it is real."""

    match: re.Match[bytes]
    path: str

    @property
    def value(self) -> bytes:
        """What would be the secret: the group `value`."""
        return self.match["value"]

    def near(self, before: int = NEAR, after: int = NEAR) -> bytes:
        """The value and what stands around it."""
        return self.match.string[max(0, self.match.start() - before) : self.match.end() + after]


def always(candidate: Candidate) -> bool:
    """For forms that nothing else has."""
    return bool(candidate.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of secret. `id` stays the same for good: ignore files, policies and what was kept name it."""

    id: str
    title: str
    severity: Severity
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How one kind of secret looks.

    `trigger` is what the prefilter looks for, a part of what `pattern` matches; both have bounded repetitions only.
    From the end of a trigger, `pattern` begins at most `back` bytes before, and ends at most `reach` bytes behind.
    `genuine` says whether a candidate is real. A form is `sure` when it alone proves that something is a secret (a
    checksum, a vendor's prefix with a fixed length): it also counts where examples are to be expected. Of forms that
    are found on one line, those that are the least `general` are told. `wants` narrows it to files of some names.
    """

    kind: Kind
    trigger: bytes
    pattern: re.Pattern[bytes]
    genuine: Callable[[Candidate], bool] = always
    sure: bool = False
    general: int = 0
    back: int = BACK
    reach: int = REACH
    wants: Callable[[str], bool] | None = None

    def found(self, content: bytes, low: int, high: int, path: str) -> list[int]:
        """Offsets of real secrets that lie between two offsets."""
        return [
            match.start("value")
            for match in self.pattern.finditer(content, low, high)
            if self.genuine(Candidate(match, path))
        ]
