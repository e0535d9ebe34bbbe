"""Keep the tree as the registry is: follow the ledger, drop approvals the moment they end, compare now and then.

    start: go on where the last word was given, or compare everything first
    ten times a second: new entries, ended approvals -> the manifests concerned -> each settled -> word given

Settling looks at the database and makes the files so, whatever they were before: doing it twice, or once more after a
kill in the middle, changes nothing. So the cursor may lie beside the files instead of in a transaction with them.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from lading.facts import Entry, Ledger
from lading.facts.kinds.collecting import GarbageCollected
from lading.facts.kinds.mirroring import UpstreamAdded, UpstreamChanged, UpstreamRemoved
from lading.facts.kinds.supply_chain import ImageMoved, ImagePushed, ManifestDeleted, TagMoved
from lading.kernel.clock import Clock, SystemClock, timestamp
from lading.kernel.digest import Digest
from lading.state import Database, Transaction
from lading.supply_chain.registry.content import Content
from lading.supply_chain.registry.errors import RegistryError
from lading.supply_chain.registry.tree import layout, sql
from lading.supply_chain.registry.tree.beat import Beat, BeatReader, boot
from lading.supply_chain.registry.tree.files import TreeFiles
from lading.supply_chain.registry.tree.settling import Settling, known_names, subject_of
from lading.supply_chain.registry.tree.wanted import Pair, Wanted

TICK_SECONDS: Final = 0.1
_COMPARE_SECONDS: Final = 3_600.0
# Of a tick: the first comparison holds everything up, later ones run beside the work.
_SLICE_SECONDS: Final = 0.05
_FIRST_SLICE_SECONDS: Final = 0.3
_SWEEPING: Final = (GarbageCollected, UpstreamAdded, UpstreamChanged, UpstreamRemoved)
_KINDS: Final = tuple(kind.kind() for kind in (ImagePushed, ImageMoved, TagMoved, ManifestDeleted, *_SWEEPING))
_BATCH: Final = 500
_log: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class _Concerned:
    """What some entries of the ledger ask to be settled."""

    pairs: set[Pair] = field(default_factory=set)
    tags: set[tuple[str, str]] = field(default_factory=set)
    lists: set[str] = field(default_factory=set)
    deleted: set[Pair] = field(default_factory=set)
    everything: bool = False


class TreeKeeper:
    """Keeps one tree. Only one process does; others wait until it ends."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        wanted: Wanted,
        content: Content,
        files: TreeFiles,
        clock: Clock | None = None,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._wanted = wanted
        self._content = content
        self._files = files
        self._clock = clock or SystemClock()
        self._settling = Settling(wanted, content, files)
        self._beat = Beat()
        self._comparison: Iterator[None] | None = None
        self._compare_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Keep the tree until told to stop; raises StorageFailed and Unavailable."""
        while not self._files.open():
            if stop.wait(1.0):
                return
        try:
            self.resume()
            while not stop.is_set():
                self.tick()
                stop.wait(TICK_SECONDS)
        finally:
            self._files.close()

    def resume(self) -> None:
        """Go on where the last keeper was, if that is known for sure; compare everything in any case."""
        last = BeatReader(self._files.root, self._clock).read() or Beat()
        with self._database.read() as tx:
            head = self._ledger.head(tx)
            same = last.boot == boot() and (self._ledger.hash_at(tx, last.seq) or b"").hex() == last.hash
        if same and last.compared and last.hash:
            self._beat = last
        else:
            self._beat = Beat(seq=head.seq, hash=head.hash.hex(), moment=timestamp(self._clock.now()))
        self._comparison = self._compare()

    def tick(self) -> None:
        """Take in what happened, compare a little, and give word."""
        if self._files.asked() or (self._comparison is None and self._clock.monotonic() >= self._compare_at):
            self._comparison = self._compare()
        self._follow()
        self._advance(_SLICE_SECONDS if self._beat.compared else _FIRST_SLICE_SECONDS)
        now = self._clock.monotonic()
        self._beat = msgspec.structs.replace(self._beat, at=now, boot=boot(), pid=os.getpid())
        self._files.tell(self._beat)

    def compare(self) -> None:
        """Compare all of the tree with the database, and make it so."""
        for _ in self._compare():
            pass

    # Following

    def _follow(self) -> None:
        now = timestamp(self._clock.now())
        with self._database.read() as tx:
            head = self._ledger.head(tx)
            entries = self._ledger.read(tx, after=self._beat.seq, limit=_BATCH, kinds=_KINDS)
            concerned = self._concerned(tx, entries)
            concerned.pairs |= self._wanted.concerned(tx, set(sql.ended(tx, self._beat.moment, now)))
        self._settle(concerned)
        seq, shown = (head.seq, head.hash) if len(entries) < _BATCH else (entries[-1].seq, entries[-1].hash)
        self._beat = msgspec.structs.replace(
            self._beat, seq=seq, hash=shown.hex(), moment=now, behind=max(head.seq - seq, 0)
        )

    def _concerned(self, tx: Transaction, entries: Sequence[Entry]) -> _Concerned:
        found = _Concerned()
        digests: set[str] = set()
        for entry in entries:
            match entry.fact:
                case ImageMoved() as fact:
                    digests.add(fact.digest)
                case ImagePushed() as fact:
                    digests |= {fact.digest, fact.refers_to} - {""}
                    found.lists.add(fact.repository)
                case ManifestDeleted() as fact:
                    digests.add(fact.digest)
                    found.deleted.add((fact.repository, Digest.parse(fact.digest)))
                    found.lists.add(fact.repository)
                case TagMoved() as fact:
                    digests |= {fact.digest, fact.previous} - {""}
                    found.tags.add((fact.repository, fact.tag))
                    found.lists.add(fact.repository)
                    left = sql.left_behind(tx, fact.repository, fact.tag)
                    found.pairs |= {(repository, Digest.parse(digest)) for repository, digest in left}
                case GarbageCollected() | UpstreamAdded() | UpstreamChanged() | UpstreamRemoved():
                    # It changes how images are served, and says not of which.
                    found.everything = True
        found.pairs |= self._wanted.concerned(tx, digests)
        return found

    def _settle(self, concerned: _Concerned) -> None:
        pairs = concerned.pairs | concerned.deleted
        for repository, digest in concerned.deleted:
            pairs |= self._subjects(repository, digest)
        self._settling.manifests(pairs)
        for repository, tag in sorted(concerned.tags):
            self._settling.tag(repository, tag)
        for repository in sorted(concerned.lists):
            self._settling.tag_list(repository)
            self._files.tidy(repository)
        if concerned.everything:
            self._comparison = self._compare()

    def _subjects(self, repository: str, deleted: Digest) -> set[Pair]:
        """The manifest that a deleted one referred to; every one with referrers when that cannot be read any more."""
        try:
            subject = subject_of(self._content, deleted)
        except RegistryError:
            return {(repository, digest) for digest in known_names(self._files, repository, layout.REFERRERS)}
        return {(repository, subject)} if subject is not None else set()

    # Comparing

    def _advance(self, seconds: float) -> None:
        if self._comparison is None:
            return
        until = self._clock.monotonic() + seconds
        while self._clock.monotonic() < until:
            if next(self._comparison, self) is self:
                self._comparison = None
                self._compare_at = self._clock.monotonic() + _COMPARE_SECONDS
                self._beat = msgspec.structs.replace(self._beat, compared=timestamp(self._clock.now()))
                return

    def _compare(self) -> Iterator[None]:
        known = set()
        for repository in self._wanted.repositories():
            known.add(repository)
            yield from self._compare_repository(repository)
        for repository in self._files.repositories():
            if repository not in known:
                yield from self._compare_repository(repository)

    def _compare_repository(self, repository: str) -> Iterator[None]:
        needed: set[Digest] = set()
        there = known_names(self._files, repository, layout.MANIFESTS, layout.REFUSED, layout.REFERRERS)
        for digest in sorted(there.union(self._wanted.manifests(repository))):
            shown = self._settling.manifest(repository, digest)
            needed.update(shown.parts if shown is not None and shown.served else ())
            yield
        for tag in sorted({*self._wanted.tags(repository), *self._files.names(repository, layout.TAGS)}):
            self._settling.tag(repository, tag)
            yield
        for digest in sorted(known_names(self._files, repository, layout.BLOBS) - needed):
            self._settling.blob(repository, digest)
            yield
        self._settling.tag_list(repository)
        self._files.tidy(repository)
        yield
