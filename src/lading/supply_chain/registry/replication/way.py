"""The port between deciding when something is sent and knowing how: one way for each kind of target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from lading.supply_chain.registry.replication.snapshot import Thing


class End(StrEnum):
    """What became of a thing. What was settled is not sent again until it changes."""

    SETTLED = "settled"
    CARRY = "carry"
    LATER = "later"
    REFUSED = "refused"


class Said(NamedTuple):
    """The end of one thing, and why; what has to be carried over first, when that is another thing."""

    end: End
    why: str = ""
    first: Thing | None = None


class Carried(NamedTuple):
    """What carrying a thing over did: its end, and the bytes that went over."""

    said: Said
    bytes: int = 0


class Way(Protocol):
    """How things get to one target. May be used from several threads.

    Raises from both methods:
        RemoteFailed, TargetFailed, RemoteDenied: the target as a whole is at fault; nothing else can be sent either.
        Other RegistryErrors: this one thing is at fault.
    """

    def tell(self, things: Sequence[Thing]) -> Mapping[Thing, Said]:
        """Settle what takes no content; say of the rest that it has to be carried. Repeating it is harmless."""
        ...

    def carry(self, thing: Thing) -> Carried:
        """Bring a thing over with all its content. Repeating it is harmless, and goes on where it broke off."""
        ...
