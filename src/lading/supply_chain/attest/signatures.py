"""Every signature and attestation of an image, each verified: what is found, checked, and listed once.

Reads a registry, keys and a root of trust and nothing else, as anybody outside would.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from lading.kernel.digest import Digest
from lading.supply_chain.attest.artifacts import ArtifactReader
from lading.supply_chain.attest.checking import Checked, Checker, once
from lading.supply_chain.attest.discovery import Found, discover
from lading.supply_chain.attest.identities import IdentityVerifier, NoIdentities
from lading.supply_chain.attest.keys import Verifier


class Signatures:
    """Verifies what lies beside images.

    Args:
        believed: the keys whose signatures are valid, asked for anew each time.
        identities: the root of trust for signatures by identities.
    """

    def __init__(
        self,
        reader: ArtifactReader,
        believed: Callable[[], Sequence[Verifier]],
        identities: IdentityVerifier | None = None,
    ) -> None:
        self._reader = reader
        self._believed = believed
        self._identities = identities or NoIdentities()

    def of(
        self,
        image: Digest,
        repository: str,
        now: datetime,
        *,
        verifiers: Sequence[Verifier] | None = None,
        more: Sequence[Found] = (),
        predicate_type: str = "",
    ) -> list[Checked]:
        """Everything about an image, valid or with its problem; what is in several layouts is listed once.

        Args:
            verifiers: other keys than those that are believed.
            more: what lies elsewhere, such as in a file.
            predicate_type: what is plainly of another type is not looked at.
        """
        keys = self._believed() if verifiers is None else verifiers
        checker = Checker(image, keys, self._identities, now, lambda: self._reader.manifest(repository, image))
        found = [*discover(self._reader, repository, image, predicate_type), *more]
        return once([checker.check(one) for one in found])
