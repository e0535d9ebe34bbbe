"""Whether somebody whose signature holds may sign what he signed, as a port: the answer is policy's."""

from __future__ import annotations

from typing import Protocol

from lading.kernel.digest import Digest
from lading.supply_chain.attest.checking import Checked


class Permits(Protocol):
    """Who may sign what."""

    def problem(self, one: Checked, image: Digest, repository: str) -> str:
        """Why a signature or statement that holds does not count for an image; empty when it counts."""
        ...


class Believed:
    """Every key that is believed may sign everything; identities, of which anybody has one, nothing."""

    def problem(self, one: Checked, image: Digest, repository: str) -> str:
        del image, repository
        return "" if one.key_id else f"It is signed by {one.identity} ({one.issuer}), whom no rule names."
