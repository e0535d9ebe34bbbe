"""Judging put together: what rules see of images, and what becomes of an image by them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lading.lifecycle.admit import Admission
from lading.lifecycle.document import Documents

if TYPE_CHECKING:
    from lading.wiring import Wiring


def open_documents(wiring: Wiring) -> Documents:
    """The policy inputs of images and workloads."""
    return Documents(
        wiring.registry,
        wiring.states,
        wiring.inventories,
        wiring.findings,
        wiring.attestations,
        wiring.owners,
        wiring.clock,
        wiring.advisories,
        wiring.reports,
        wiring.checking,
        wiring.lineages,
    )


def open_admission(wiring: Wiring) -> Admission:
    """Who judges images."""
    return Admission(
        database=wiring.database,
        ledger=wiring.ledger,
        states=wiring.states,
        inventories=wiring.inventories,
        findings=wiring.findings,
        documents=wiring.documents,
        policy=wiring.policy,
        attestations=wiring.attestations,
        bill_of_materials=wiring.bill_of_materials,
        indexes=wiring.registry,
        lineages=wiring.lineages,
        clock=wiring.clock,
        platforms=wiring.settings.index_platforms,
        version=wiring.version,
    )
