"""Whether somebody whose signature holds may sign what he signed, as a port: the answer is policy's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from lading.kernel.digest import Digest
from lading.supply_chain.attest.checking import Checked

# Why a signature or statement that holds does not count for an image; empty when it counts.
Problem = Callable[[Checked], str]


class Permits(Protocol):
    """Who may sign what."""

    def about(self, image: Digest, repository: str) -> Problem:
        """What to ask about each signature of an image; what is the same for all of them is looked up once."""
        ...


class Believed:
    """Every key that is believed may sign everything; identities, of which anybody has one, nothing."""

    def about(self, image: Digest, repository: str) -> Problem:
        del image, repository
        return unnamed


def unnamed(one: Checked) -> str:
    """The problem of an identity that no rule names."""
    return "" if one.key_id else f"It is signed by {one.identity} ({one.issuer}), whom no rule names."
