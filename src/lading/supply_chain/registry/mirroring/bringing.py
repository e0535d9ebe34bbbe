"""Bring one image from an upstream: look what its tag names, copy what is not here, with everything that refers to it.

Nothing is tagged here yet: the image is judged first (`lifecycle.mirror`), and `settle` then moves the tag. So a tag
that moved at the upstream goes on naming the last approved image until the new one is approved, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

import msgspec

from lading.facts import Fact, Ledger
from lading.facts.kinds.mirroring import ImageMirrored, UpstreamTagGone, UpstreamTagHeld
from lading.kernel.clock import Clock, timestamp
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput, LadingError
from lading.state import Database
from lading.supply_chain.registry.access import Visibility, Visitor
from lading.supply_chain.registry.copies import CopyResult, copy_everything
from lading.supply_chain.registry.errors import (
    BlobUnknown,
    ContentMismatch,
    DigestInvalid,
    RemoteFailed,
)
from lading.supply_chain.registry.manifest import read_manifest
from lading.supply_chain.registry.mirroring.errors import NotMirrored, Throttled
from lading.supply_chain.registry.mirroring.health import Health
from lading.supply_chain.registry.mirroring.sink import MirrorSink
from lading.supply_chain.registry.mirroring.sql import reading, writing
from lading.supply_chain.registry.mirroring.upstream import UNNAMED, Upstream
from lading.supply_chain.registry.mirroring.upstream_registry import Looked, UpstreamRegistry
from lading.supply_chain.registry.registry import Registry
from lading.supply_chain.registry.sql import reading as registry_sql
from lading.supply_chain.registry.visibility import Visibilities

# How long an image is taken for whole, with all that refers to it: each look costs requests.
_WHOLE_FOR: Final = timedelta(days=1)
FROM_MIRROR: Final = "system:mirror:"
# A signature or attestation in the layout of cosign: it is pulled by this very tag.
_COSIGN_TAG: Final = re.compile(r"sha(?:256|512)-[0-9a-f]{64,128}\.(?:sig|att|sbom)")

Connect = Callable[[Upstream], UpstreamRegistry]


class Brought(msgspec.Struct, frozen=True, kw_only=True):
    """An image that is here now, `fresh` if it was not before; `tag` is to be settled, `etag` is its entity tag.

    `whole` says that what refers to it was looked for, too.
    """

    upstream: Upstream
    repository: str
    tag: str
    digest: Digest
    etag: str = ""
    fresh: bool = False
    whole: bool = False
    runnable: bool = False


class Bringer:
    """Brings images into our registry."""

    def __init__(
        self,
        *,
        database: Database,
        ledger: Ledger,
        registry: Registry,
        visibilities: Visibilities,
        health: Health,
        connect: Connect,
        clock: Clock,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._registry = registry
        self._visibilities = visibilities
        self._health = health
        self._connect = connect
        self._clock = clock

    def bring(self, upstream: Upstream, repository: str, reference: str) -> Brought:
        """See that an image is here as it is at the upstream now; once a day, with what refers to it by now.

        Raises:
            NotMirrored: the lists of the upstream do not let it in.
            Throttled, RemoteFailed: the upstream is left alone now, or does not answer.
            RemoteDenied: it does not let us in.
            ManifestUnknown: it has no such image.
            ContentMismatch: it serves something else; nothing of that was kept.
        """
        remote, tag = upstream.remote(repository), "" if ":" in reference else reference
        if not remote or not upstream.lets_in(remote, tag):
            raise NotMirrored(
                f"{repository} {reference} is not mirrored: the lists of {upstream.name} do not let it in.",
                remedy="See `lading registry mirror ls`.",
            )
        if not tag:
            self._check_platform(upstream, repository, reference)
        trial = self._health.check(upstream.name)
        source = self._connect(upstream)
        with self.told(upstream, repository, reference, source, trial=trial):
            return self._bring(upstream, repository, remote, reference, source, trial=trial)

    def settle(self, brought: Brought, *, approved: bool, why: str) -> None:
        """Let a tag name what was brought, once it was judged.

        What is not approved gets the tag only when that names nothing yet: who pulls it is told why not. Otherwise the
        tag stays, and the reason is kept beside it.
        """
        if not brought.tag or _COSIGN_TAG.fullmatch(brought.tag):
            return
        repository, tag, digest = brought.repository, brought.tag, str(brought.digest)
        now = timestamp(self._clock.now())
        with self._database.write() as tx:
            kept = registry_sql.tagged(tx, repository, tag) or ""
            before = reading.seen_tag(tx, repository, tag)
            held = "" if approved or not brought.runnable or kept in ("", digest) else why[:500]
            values = {"upstream": brought.upstream.name, "digest": digest, "etag": brought.etag, "checked": now}
            whole = now if brought.whole or before is None else before.whole
            writing.save_tag(tx, repository, tag, values | {"gone": "", "held": held, "whole": whole})
            if held and (before is None or (before.digest, before.held) != (digest, held)):
                fact = UpstreamTagHeld(
                    upstream=brought.upstream.name, repository=repository, tag=tag, digest=digest, kept=kept, why=held
                )
                self._ledger.append(tx, [fact], actor=_actor(brought.upstream))
        if not held and kept != digest:
            stored = self._registry.resolve(repository, digest)
            body = self._registry.manifest(stored.digest)
            self._sink(brought.upstream).put_manifest(repository, tag, stored.media_type, body)

    def note_gone(self, upstream: Upstream, repository: str, tag: str) -> bool:
        """Note that a tag is gone at the upstream, if it is here; whether that is news. It stays here."""
        now = timestamp(self._clock.now())
        with self._database.write() as tx:
            row = reading.seen_tag(tx, repository, tag)
            kept = registry_sql.tagged(tx, repository, tag)
            if row is None or row.upstream != upstream.name or kept is None:
                return False
            values = {
                "upstream": upstream.name,
                "digest": row.digest,
                "etag": row.etag,
                "checked": now,
                "held": row.held,
            }
            writing.save_tag(tx, repository, tag, values | {"gone": row.gone or now})
            if not row.gone:
                fact = UpstreamTagGone(upstream=upstream.name, repository=repository, tag=tag, digest=kept)
                self._ledger.append(tx, [fact], actor=_actor(upstream))
        return not row.gone

    # How it is done

    @contextmanager
    def told(
        self, upstream: Upstream, repository: str, reference: str, source: UpstreamRegistry, *, trial: bool
    ) -> Iterator[None]:
        """Let the health of the upstream know how asking it goes."""
        name = upstream.name
        try:
            yield
        except Throttled as error:
            self._health.throttled(name, error.what, error.until, trial=trial)
            raise
        except RemoteFailed as error:
            self._health.failed(name, error.what, trial=trial)
            raise
        except (ContentMismatch, DigestInvalid, BlobUnknown) as error:
            self._health.lied(name, repository, reference, error.what)
            self._health.answered(name, source.quota(), trial=trial)
            raise ContentMismatch(
                f"{name} serves something else than {repository} {reference}: {error.what}",
                remedy="Nothing of it was kept. Ask whoever runs it.",
            ) from error
        except LadingError:
            # It answered; what it said was no, or the fault is ours.
            self._health.answered(name, source.quota(), trial=trial)
            raise
        self._health.answered(name, source.quota(), trial=trial)

    def _bring(
        self, upstream: Upstream, repository: str, remote: str, reference: str, source: UpstreamRegistry, *, trial: bool
    ) -> Brought:
        began = self._clock.monotonic()
        if _COSIGN_TAG.fullmatch(reference):
            return self._bring_signature(upstream, repository, remote, reference, source)
        tag = "" if ":" in reference else reference
        looked = self._look(repository, remote, tag, source) if tag else Looked(reference)
        digest = self._named(looked, repository, remote, tag, source)
        if trial and tag:
            # It answers again: nobody has to wait until all of this image is here.
            self._health.answered(upstream.name, source.quota(), trial=True)
        here = self._is_here(repository, digest)
        again = here and tag != "" and self._is_due(repository, tag)
        if not here or again:
            self._open(upstream, repository)
            sink = self._sink(upstream, None if here else digest)
            platform = upstream.platforms[0] if upstream.name == UNNAMED and tag else ""
            copied = copy_everything(
                source, remote, str(digest), sink, to=repository, platform=platform, wanted=sink.wanted
            )
            sink.finish()
            digest = Digest.parse(copied.digest)
            if copied.moved or not here:
                self._state(upstream, repository, remote, tag, copied, self._clock.monotonic() - began)
        stored = self._registry.resolve(repository, str(digest))
        runnable = read_manifest(self._registry.manifest(digest), stored.media_type, digest.algorithm).is_runnable
        return Brought(
            upstream=upstream,
            repository=repository,
            tag=tag,
            digest=digest,
            etag=looked.etag,
            fresh=not here,
            whole=not here or again,
            runnable=runnable,
        )

    def _bring_signature(
        self, upstream: Upstream, repository: str, remote: str, tag: str, source: UpstreamRegistry
    ) -> Brought:
        """A signature that is asked for by its tag, which says what it signs."""
        found = source.manifest(remote, tag)
        digest = read_manifest(found.body, found.media_type).digest
        fresh = not self._is_here(repository, digest)
        if fresh:
            self._open(upstream, repository)
            copy_everything(source, remote, tag, self._sink(upstream), to=repository, tag=tag)
        return Brought(upstream=upstream, repository=repository, tag=tag, digest=digest, fresh=fresh)

    def _look(self, repository: str, remote: str, tag: str, source: UpstreamRegistry) -> Looked:
        """What the tag names there, asked with the entity tag of what is here already."""
        with self._database.read() as tx:
            row = reading.seen_tag(tx, repository, tag)
        if row is None or not row.etag or not self._is_here(repository, Digest.parse(row.digest)):
            return source.look(remote, tag)
        looked = source.look(remote, tag, row.etag)
        if looked.unchanged:
            return Looked(row.digest, looked.etag or row.etag, unchanged=True)
        return looked

    def _named(self, looked: Looked, repository: str, remote: str, tag: str, source: UpstreamRegistry) -> Digest:
        """The digest to bring; of a registry that does not say, that of what it serves for the tag."""
        if not looked.digest:
            found = source.manifest(remote, tag)
            return read_manifest(found.body, found.media_type).digest
        try:
            return Digest.parse(looked.digest)
        except InvalidInput as error:
            raise ContentMismatch(f"The tag {tag} of {repository} names {looked.digest[:100]!r}.") from error

    def _is_due(self, repository: str, tag: str) -> bool:
        """Whether what refers to an image is to be looked for again."""
        with self._database.read() as tx:
            row = reading.seen_tag(tx, repository, tag)
        return row is None or str(row.whole) <= timestamp(self._clock.now() - _WHOLE_FOR)

    def _is_here(self, repository: str, digest: Digest) -> bool:
        with self._database.read() as tx:
            return registry_sql.manifest(tx, repository, str(digest)) is not None

    def _open(self, upstream: Upstream, repository: str) -> None:
        """Make the repository, whose it is and who may see it."""
        with self._database.read() as tx:
            there = registry_sql.place(tx, repository) is not None
        if there:
            return
        self._registry.claim(repository, self._visitor(upstream))
        if upstream.visibility != Visibility.INTERNAL:
            self._visibilities.change(repository, Visibility(upstream.visibility), actor=_actor(upstream))

    def _check_platform(self, upstream: Upstream, repository: str, digest: str) -> None:
        """Raises NotMirrored for an image that an index here lists, for a platform that does not come along."""
        if not upstream.platforms or upstream.name == UNNAMED:
            return
        wanted = self._sink(upstream).wanted
        with self._database.read() as tx:
            for index in registry_sql.indexes_of(tx, {digest}, 100):
                row = registry_sql.manifest(tx, repository, index)
                if row is None:
                    continue
                body = self._registry.manifest(Digest.parse(index))
                for part in read_manifest(body, row.media_type, index.partition(":")[0]).of_role("manifest"):
                    if str(part.digest) == digest and not wanted(part):
                        raise NotMirrored(
                            f"{repository}@{digest} is for {part.platform}, which {upstream.name} is not mirrored for.",
                            remedy="Add the platform to the upstream.",
                        )

    def _state(
        self, upstream: Upstream, repository: str, remote: str, tag: str, copied: CopyResult, seconds: float
    ) -> None:
        facts: list[Fact] = [
            ImageMirrored(
                digest=copied.digest,
                upstream=upstream.name,
                remote=f"{upstream.url}/{remote}",
                repository=repository,
                tag=tag,
                referrers=copied.referrers,
                blobs=copied.moved,
                bytes=copied.bytes,
                seconds=round(seconds, 3),
            )
        ]
        with self._database.write() as tx:
            self._ledger.append(tx, facts, actor=_actor(upstream))
        self._health.count(upstream.name, copied.bytes)

    def _sink(self, upstream: Upstream, last: Digest | None = None) -> MirrorSink:
        platforms = () if upstream.name == UNNAMED else upstream.platforms
        return MirrorSink(self._registry, self._visitor(upstream), platforms, last)

    def _visitor(self, upstream: Upstream) -> Visitor:
        return Visitor(_actor(upstream), upstream.team)


def _actor(upstream: Upstream) -> str:
    return FROM_MIRROR + upstream.name
