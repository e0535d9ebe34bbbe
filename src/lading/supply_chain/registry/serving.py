"""What the pull endpoint serves: images that are approved now, and what belongs to them. Read-only.

Servable is an approved image or index, a member of an approved index, and what refers to a servable image (signatures,
attestations). A blob is servable when a servable manifest of the repository names it.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from lading.kernel.digest import Digest
from lading.state import Database, Transaction
from lading.supply_chain.registry.errors import Denied
from lading.supply_chain.registry.reading import Reading
from lading.supply_chain.registry.sql import manifests, parts
from lading.supply_chain.registry.states import ImageState, State, StateReader

_MOST_DEPTH: Final = 8


class Serving:
    """Decides what may be pulled."""

    def __init__(self, database: Database, reading: Reading, states: StateReader) -> None:
        self.reading = reading
        self._database = database
        self._states = states

    def check_manifest(self, repository: str, digest: Digest) -> None:
        """Raises Denied, with the reason, unless the manifest may be pulled."""
        with self._database.read() as tx:
            verdict = self._verdict(tx, str(digest), _MOST_DEPTH)
        if verdict is None or verdict.state is not State.APPROVED:
            raise refusal(repository, digest, verdict)

    def check_blob(self, repository: str, digest: Digest) -> None:
        """Raises Denied unless a manifest of the repository that may be pulled names the blob."""
        query = (
            sa.select(manifests.c.digest)
            .join(parts, parts.c.manifest == manifests.c.digest)
            .where(manifests.c.repository == repository, parts.c.digest == str(digest), parts.c.role != "manifest")
        )
        verdict = None
        with self._database.read() as tx:
            for owner in tx.execute(query.order_by(manifests.c.pushed.desc()).limit(1_000)).scalars():
                verdict = self._verdict(tx, owner, _MOST_DEPTH)
                if verdict is not None and verdict.state is State.APPROVED:
                    return
        raise refusal(repository, digest, verdict)

    def _verdict(self, tx: Transaction, digest: str, depth: int) -> ImageState | None:
        """The best state that the manifest has by itself, through an index, or through what it refers to."""
        own = self._states.state_in(tx, Digest.parse(digest))
        if depth == 0 or (own is not None and own.state in (State.APPROVED, State.REVOKED)):
            return own
        subjects = sa.select(manifests.c.refers_to).where(manifests.c.digest == digest, manifests.c.refers_to != "")
        indexes = sa.select(parts.c.manifest).where(parts.c.digest == digest, parts.c.role == "manifest")
        for parent in tx.execute(sa.union(subjects, indexes)).scalars().all():
            through = self._verdict(tx, parent, depth - 1)
            if through is not None and through.state is State.APPROVED:
                return through
        return own


def refusal(repository: str, digest: Digest, state: ImageState | None) -> Denied:
    """The error that tells a client why it may not have something."""
    if state is None:
        return Denied(f"{repository}@{digest} is not part of any approved image.", remedy="Have its image approved.")
    if state.state is State.REVOKED:
        instead = f"Use {state.replaced_by} instead." if state.replaced_by else "Ask its owner for a replacement."
        return Denied(f"{repository}@{digest} was revoked by {state.who}: {state.why}.", remedy=instead)
    decision = f" (decision {state.decision})" if state.decision else ""
    return Denied(
        f"{repository}@{digest} is quarantined: {state.why}{decision}.",
        remedy=f"See why with `lading policy explain {state.decision}`."
        if state.decision
        else "Wait for its decision.",
    )
