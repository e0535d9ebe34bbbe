"""A verification put together without a server: a registry over HTTP as what signatures are read from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from lading.kernel.clock import SystemClock
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.kernel.reference import Reference
from lading.lifecycle.verify import Trust, Verifications
from lading.supply_chain.attest.artifacts import Artifact, annotations_of
from lading.supply_chain.attest.errors import MalformedEnvelope
from lading.supply_chain.registry.client import RemoteRegistry
from lading.supply_chain.registry.errors import ContentMismatch
from lading.supply_chain.scan.remote import address_of, find_credentials

_Kind = TypeVar("_Kind", bound=RemoteRegistry)


class RemoteArtifacts:
    """A registry over HTTP as the ArtifactReader of signatures. Manifests are checked against their digest."""

    def __init__(self, registry: RemoteRegistry) -> None:
        self._registry = registry

    def manifest(self, repository: str, reference: Digest | str) -> bytes:
        body = self._registry.manifest(repository, str(reference)).body
        if isinstance(reference, Digest) and Digest.of(body, reference.algorithm) != reference:
            raise ContentMismatch(f"The registry serves another manifest than {reference}.")
        return body

    def blob(self, repository: str, digest: Digest, *, most: int) -> bytes:
        content = bytearray()
        with self._registry.open_blob(repository, digest) as chunks:
            for chunk in chunks:
                content += chunk
                if len(content) > most:
                    break
        if len(content) > most:
            raise MalformedEnvelope(f"Blob {digest} of {repository} is larger than {most} bytes.")
        if Digest.of(bytes(content), digest.algorithm) != digest:
            raise ContentMismatch(f"The registry serves another blob than {digest}.")
        return bytes(content)

    def referrers(self, repository: str, subject: Digest) -> list[Artifact]:
        found = []
        for one in self._registry.referring(repository, subject):
            try:
                digest = Digest.parse(str(one.get("digest")))
            except InvalidInput:
                continue
            found.append(Artifact(digest, str(one.get("artifactType") or ""), annotations_of(one)))
        return found


@contextmanager
def registry_of(
    image: Reference, kind: type[_Kind], *, user: str, secret: str, plain_http: bool
) -> Iterator[tuple[_Kind, str]]:
    """The registry that an image is in, and its repository there; raises InvalidInput when none is named."""
    if not image.domain:
        raise InvalidInput(f"{image} names no registry.", remedy="Write it as HOST/NAME:TAG.")
    if not secret:
        user, secret = find_credentials(image.domain)
    host, repository = address_of(image)
    registry = kind(f"{'http' if plain_http else 'https'}://{host}", user, secret)
    try:
        yield registry, repository
    finally:
        registry.close()


@contextmanager
def open_verification(
    image: Reference, trust: Trust, *, user: str = "", secret: str = "", plain_http: bool = False
) -> Iterator[tuple[Verifications, Digest, str]]:
    """What verifies, the digest that a reference names now, and the repository there.

    Raises:
        InvalidInput: nobody is to be believed, or no registry is named.
        RegistryError: it does not have the image, does not answer or does not let us in.
    """
    with registry_of(image, RemoteRegistry, user=user, secret=secret, plain_http=plain_http) as (registry, repository):
        artifacts = RemoteArtifacts(registry)
        verifications = Verifications(artifacts, trust, SystemClock())
        digest = image.digest or Digest.of(artifacts.manifest(repository, image.tag or "latest"))
        yield verifications, digest, repository
