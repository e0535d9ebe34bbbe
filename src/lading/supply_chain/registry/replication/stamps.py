"""The rule by which regions that move the same thing come to agree, without asking each other.

Each thing that moves (a tag, the presence of a manifest, the state of an image, its owner) has a register: its value,
the stamp of the move that set it, and what that move knew. A stamp is the time of the move in the ledger of the region
that made it, in microseconds, and that region's name; a move is stamped later than every move that its region knew of,
however its clock stands. Of two moves the greater rank stays:

    rank = (epoch, is revoked, time, name of the region)

For everything but states, epoch is 0 and nothing is revoked: the later move stays, and of two at one time that of the
greater name. For states, a revocation outranks every move that did not know of it; lifting one (revoked ->
quarantined, only by hand) begins the next epoch. The rank is a total order, so every region keeps the same move,
whatever order moves arrive in and however often.

Two moves conflict when neither knew of the other. `made` says what a move knew: for each region the time of its latest
move of this thing, the move itself included. `seen` is the same for everything that arrived here.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

REVOKED: Final = "revoked"

Seen = dict[str, int]


class Stamp(NamedTuple):
    """When and where something was moved: microseconds since 1970, and the name of the region."""

    at: int
    region: str


class Kind(StrEnum):
    """What moves.

    The name of a tag is `REPOSITORY:TAG`, of a manifest `REPOSITORY@DIGEST`, of a state or an owner the digest, of a
    visibility the repository.
    """

    TAG = "tag"
    MANIFEST = "manifest"
    STATE = "state"
    OWNER = "owner"
    VISIBILITY = "visibility"


class Register(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that moves: where it is, who moved it there, and what was known then and since.

    `value` is the digest of a tag (empty: deleted), `present` or empty for a manifest, the state, the owner or the
    visibility.
    """

    kind: Kind
    name: str
    value: str
    at: int
    region: str
    made: Seen
    seen: Seen
    epoch: int = 0

    @property
    def stamp(self) -> Stamp:
        """The move that set the value."""
        return Stamp(self.at, self.region)

    @property
    def rank(self) -> tuple[int, bool, int, str]:
        """Of two moves the greater one stays."""
        return self.epoch, self.kind is Kind.STATE and self.value == REVOKED, self.at, self.region


class Judged(StrEnum):
    """What a move from elsewhere means here."""

    KNOWN = "known"
    NEWER = "newer"
    OLDER = "older"
    CONFLICT_WON = "conflict-won"
    CONFLICT_LOST = "conflict-lost"


def moved(before: Register | None, kind: Kind, name: str, value: str, stamp: Stamp) -> Register:
    """The register after a move in this region, at `stamp` or just after the latest move that is known."""
    seen = dict(before.seen) if before else {}
    at = max([stamp.at, *(known + 1 for known in seen.values())])
    seen[stamp.region] = at
    epoch = before.epoch if before else 0
    if kind is Kind.STATE and before is not None and before.value == REVOKED and value != REVOKED:
        epoch += 1
    return Register(
        kind=kind, name=name, value=value, at=at, region=stamp.region, made=dict(seen), seen=seen, epoch=epoch
    )


def judge(here: Register | None, told: Register) -> Judged:
    """What `told`, which another region said, means beside what is `here`."""
    if here is None:
        return Judged.NEWER
    if here.stamp == told.stamp:
        return Judged.KNOWN
    newer = told.rank > here.rank
    if _knows(told.made, here.stamp):
        return Judged.NEWER if newer else Judged.OLDER
    if _knows(here.seen, told.stamp):
        # It arrived before, or was overtaken by something that knew it. A revocation may still outrank.
        return Judged.NEWER if newer else Judged.KNOWN
    if here.value == told.value:
        return Judged.NEWER if newer else Judged.OLDER
    return Judged.CONFLICT_WON if newer else Judged.CONFLICT_LOST


def merged(here: Register | None, told: Register) -> Register:
    """The register after `told` was taken in: the greater rank's value, and everything that is known."""
    if here is None:
        return msgspec.structs.replace(told, seen=dict(told.made))
    seen = dict(here.seen)
    for region, at in told.made.items():
        seen[region] = max(at, seen.get(region, 0))
    return msgspec.structs.replace(told if told.rank > here.rank else here, seen=seen)


def _knows(seen: Seen, stamp: Stamp) -> bool:
    return seen.get(stamp.region, 0) >= stamp.at
