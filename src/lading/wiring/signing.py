"""Signing put together without a server: a registry over HTTP as where signatures are put."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lading.kernel.clock import SystemClock
from lading.kernel.digest import Digest
from lading.kernel.reference import Reference
from lading.supply_chain.attest.identities import IdentitySigner
from lading.supply_chain.attest.keyless import Keyless
from lading.supply_chain.registry.manifest import OCI_MANIFEST
from lading.supply_chain.registry.replication.remote import PushedTo
from lading.wiring.verifying import RemoteArtifacts, registry_of


class PushedArtifacts(RemoteArtifacts):
    """A registry over HTTP as the ArtifactStore of signatures."""

    def __init__(self, registry: PushedTo) -> None:
        super().__init__(registry)
        self._pushed_to = registry

    def put_blob(self, repository: str, content: bytes) -> Digest:
        digest = Digest.of(content)
        if not self._pushed_to.has_blob(repository, digest):
            self._pushed_to.put_blob(repository, digest, [content])
        return digest

    def put_manifest(self, repository: str, content: bytes, *, tag: str = "") -> Digest:
        digest = Digest.of(content)
        self._pushed_to.put_manifest(repository, tag or str(digest), OCI_MANIFEST, content)
        return digest


def open_signer(token: str, trust_config: Path | None) -> IdentitySigner:
    """Who signs, by a token or as the pipeline we run in; raises KeylessUnavailable."""
    from lading.supply_chain.attest.signing_sigstore import SigstoreSigner

    return SigstoreSigner(token, trust_config)


@contextmanager
def open_signing(
    image: Reference, signer: IdentitySigner, *, user: str = "", secret: str = "", plain_http: bool = False
) -> Iterator[tuple[Keyless, Digest, str]]:
    """What signs, the digest that a reference names now, and the repository there.

    Raises:
        InvalidInput: no registry is named.
        RegistryError: it does not have the image, does not answer or does not let us in.
    """
    with registry_of(image, PushedTo, user=user, secret=secret, plain_http=plain_http) as (registry, repository):
        artifacts = PushedArtifacts(registry)
        digest = image.digest or Digest.of(artifacts.manifest(repository, image.tag or "latest"))
        yield Keyless(artifacts, signer, SystemClock()), digest, repository
