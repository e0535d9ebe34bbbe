"""Signing as an identity: statements of an image in bundles beside it, each with a certificate of minutes."""

from __future__ import annotations

from typing import Any

from lading.kernel.clock import Clock
from lading.kernel.digest import Digest
from lading.supply_chain.attest.artifacts import ArtifactStore
from lading.supply_chain.attest.identities import IdentitySigner
from lading.supply_chain.attest.statement import Statement
from lading.supply_chain.attest.writing import bundle_annotations, put_bundle, subject_of


class Keyless:
    """Writes for one identity. What it states twice is there twice: each has a time of its own in the log.

    Raises NotFound for an image that is not there, and KeylessUnavailable when nothing was signed.
    """

    def __init__(self, store: ArtifactStore, signer: IdentitySigner, clock: Clock) -> None:
        self._store = store
        self._signer = signer
        self._clock = clock

    def state(self, image: Digest, repository: str, predicate_type: str, predicate: dict[str, Any]) -> Digest:
        """State `predicate` about an image; returns the manifest that it lies in.

        A signature is, as for cosign 3, a statement of type `SIGNATURE` that says nothing more.
        """
        subject = subject_of(self._store.manifest(repository, image), image)
        body = Statement(((repository, image),), predicate_type, predicate).encode()
        content = self._signer.sign(body)
        return put_bundle(self._store, repository, subject, content, bundle_annotations(predicate_type, self._clock))
