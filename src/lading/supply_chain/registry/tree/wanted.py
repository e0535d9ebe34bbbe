"""What the tree should hold, as the pull endpoint would answer now. Read-only: after this comes `keeper`, which makes
it so."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from lading.kernel.digest import Digest
from lading.state import Database, Transaction
from lading.supply_chain.registry.errors import Denied, NameUnknown
from lading.supply_chain.registry.manifest import MOST_NESTING
from lading.supply_chain.registry.mirroring.upstream import all_upstreams, covering
from lading.supply_chain.registry.referring import index_of
from lading.supply_chain.registry.serving import Serving
from lading.supply_chain.registry.sql import reading as sql
from lading.supply_chain.registry.standing import StateReader
from lading.supply_chain.registry.tree import sql as tree_sql

_MOST_INDEXES: Final = 10_000
# Longer lists come in pages, which the pull endpoint makes.
_MOST_TAGS: Final = 1_000

Pair = tuple[str, Digest]


@dataclass(frozen=True, slots=True)
class Shown:
    """A manifest of a repository: served with its parts and its referrers, or refused for a reason worth keeping.

    `referrers` is empty when there are more than one page; `refusal` when it is served, or was not judged yet.
    """

    media_type: str
    served: bool
    tags: tuple[str, ...]
    parts: Collection[Digest] = ()
    referrers: bytes = b""
    refusal: bytes = b""


class Wanted:
    """Answers for each name what should be there."""

    def __init__(self, database: Database, serving: Serving, states: StateReader) -> None:
        self._database = database
        self._serving = serving
        self._reading = serving.reading
        self._states = states

    def shown(self, repository: str, digest: Digest) -> Shown | None:
        """How a manifest is to be shown; None when the repository does not have it."""
        with self._database.read() as tx:
            row = sql.manifest(tx, repository, str(digest))
            if row is None:
                return None
            tags = tuple(sql.tags_naming(tx, repository, str(digest)))
            own = self._states.state_in(tx, digest)
        try:
            self._serving.check_manifest(repository, digest)
        except Denied as denied:
            judged = own is not None and not own.is_new
            return Shown(row.media_type, False, tags, refusal=refusal_document(denied) if judged else b"")
        return Shown(row.media_type, True, tags, self.parts(repository, digest), self._referrers(repository, digest))

    def parts(self, repository: str, digest: Digest) -> set[Digest]:
        """The blobs of a repository that a manifest is made of, whether the repository still has it or not."""
        with self._database.read() as tx:
            return {Digest.parse(one) for one in tree_sql.linked_parts(tx, repository, str(digest))}

    def serves_blob(self, repository: str, digest: Digest) -> bool:
        """Whether a blob of a repository may be pulled."""
        with self._database.read() as tx:
            if sql.blob_size(tx, repository, str(digest)) is None:
                return False
        try:
            self._serving.check_blob(repository, digest)
        except Denied:
            return False
        return True

    def tagged(self, repository: str, tag: str) -> Digest | None:
        """What a tag leads to in the tree; None where the pull endpoint asks an upstream first what it names."""
        with self._database.read() as tx:
            upstream = covering(all_upstreams(tx), repository)
            found = sql.tagged(tx, repository, tag) if upstream is None or not upstream.on_pull else None
        return Digest.parse(found) if found else None

    def tags(self, repository: str) -> list[str]:
        """All tags of a repository."""
        with self._database.read() as tx:
            return sql.tag_names(tx, repository, "", None)

    def tag_list(self, repository: str) -> bytes:
        """The answer that lists the tags; empty when there is no such repository or the list has several pages."""
        try:
            tags = self._reading.tags(repository, limit=_MOST_TAGS + 1)
        except NameUnknown:
            return b""
        return msgspec.json.encode({"name": repository, "tags": tags}) if len(tags) <= _MOST_TAGS else b""

    def repositories(self) -> Iterator[str]:
        """All repositories, by name."""
        page = [""]
        while page:
            with self._database.read() as tx:
                page = tree_sql.repository_names(tx, page[-1])
            yield from page

    def manifests(self, repository: str) -> Iterator[Digest]:
        """All manifests of a repository, by digest."""
        page = [""]
        while page:
            with self._database.read() as tx:
                page = tree_sql.manifest_digests(tx, repository, page[-1])
            yield from (Digest.parse(one) for one in page)

    def concerned(self, tx: Transaction, digests: set[str]) -> set[Pair]:
        """The manifests whose showing may change when these change: indexes, members, what is attached to any of them,
        and revoked ones that these replace."""
        found = set(digests)
        waiting = set(digests)
        for _ in range(MOST_NESTING):
            waiting = (tree_sql.members(tx, waiting) | sql.indexes_of(tx, waiting, _MOST_INDEXES)) - found
            found |= waiting
            if not waiting:
                break
        waiting = set(found)
        for _ in range(MOST_NESTING):
            waiting = tree_sql.attached(tx, waiting) - found
            found |= waiting
            if not waiting:
                break
        pairs = tree_sql.places(tx, found) | tree_sql.predecessors(tx, digests)
        return {(repository, Digest.parse(digest)) for repository, digest in pairs}

    def _referrers(self, repository: str, digest: Digest) -> bytes:
        page = self._reading.referrers_page(repository, digest)
        return b"" if page.more else msgspec.json.encode(index_of(page.manifests))


def refusal_document(denied: Denied) -> bytes:
    """A refusal as errors go over the wire (OCI distribution 1.1, "Error Codes")."""
    detail = {"remedy": denied.remedy} if denied.remedy else None
    return msgspec.json.encode({"errors": [{"code": denied.oci_code, "message": str(denied), "detail": detail}]})
