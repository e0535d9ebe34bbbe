"""Signatures and attestations put together: where they lie, who signs, whom to believe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lading.lifecycle.permit import SignerRules
from lading.supply_chain.attest.attestations import Attestations
from lading.supply_chain.attest.identities import IdentityVerifier, NoIdentities
from lading.supply_chain.attest.writing import read_layouts
from lading.wiring.adapters import RegistryArtifacts

if TYPE_CHECKING:
    from lading.wiring import Wiring


def open_identities(trusted_root: Path | None) -> IdentityVerifier:
    """The root of trust of a setting; raises KeylessUnavailable for one that cannot be used."""
    if trusted_root is None:
        return NoIdentities()
    from lading.supply_chain.attest.identities_sigstore import SigstoreIdentities

    return SigstoreIdentities(trusted_root)


def open_attestations(wiring: Wiring) -> Attestations:
    """The attestations of the registry; raises InvalidInput for a setting that does not fit."""
    return Attestations(
        RegistryArtifacts(wiring.registry),
        wiring.key,
        wiring.database,
        wiring.ledger,
        wiring.clock,
        lambda: [*wiring.keyring.believed(), *wiring.replication.trusted()],
        layouts=read_layouts(wiring.settings.signature_layouts),
        revoked=wiring.keyring.revoked,
        identities=open_identities(wiring.settings.trusted_root),
        permits=SignerRules(wiring.policy, wiring.keyring, wiring.registry, wiring.clock),
    )
