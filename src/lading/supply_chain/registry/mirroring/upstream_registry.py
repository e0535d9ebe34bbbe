"""The port to an upstream: what bringing images takes of another registry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from lading.supply_chain.registry.copies import ReferringSource
from lading.supply_chain.registry.mirroring.quota import Quota


class Looked(NamedTuple):
    """What a tag names, without its content: the digest, empty where the registry does not say, and its entity tag."""

    digest: str
    etag: str = ""
    unchanged: bool = False


class UpstreamRegistry(ReferringSource, Protocol):
    """A registry to bring images from. May be used from several threads.

    What it serves is not checked: whoever copies compares it with the digest that was asked for. `open_blob` goes on
    where a connection was cut, a bounded number of times.

    Raises from every method:
        Throttled: it wants to be asked later; says when, where it did.
        RemoteFailed: it does not answer, or answers what it should not.
        RemoteDenied: it does not let us in.
    """

    def look(self, repository: str, tag: str, etag: str = "") -> Looked:
        """What a tag names; `unchanged` when that is still what had this entity tag. Raises ManifestUnknown."""
        ...

    def tags(self, repository: str) -> Iterator[str]:
        """All tags of a repository, page by page; raises ManifestUnknown when there is no such repository."""
        ...

    def repositories(self) -> Iterator[str]:
        """All its repositories, page by page; raises ManifestUnknown when it keeps no such list."""
        ...

    def quota(self) -> Quota | None:
        """What it last said about how often it may be asked."""
        ...
