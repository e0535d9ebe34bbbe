"""Bring what was planned, whether or not anybody asks: read the lists of an upstream now and then, want what fits.

What is wanted goes the way of every wish, after those that somebody waits for. What the upstream has no longer stays
here, and is stated once; when it goes, retention says.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from lading.facts import Ledger
from lading.facts.kinds.mirroring import MirrorSynced
from lading.kernel.clock import Clock, timestamp
from lading.kernel.errors import LadingError
from lading.state import Database
from lading.supply_chain.registry.errors import ManifestUnknown
from lading.supply_chain.registry.mirroring.bringing import FROM_MIRROR, Bringer, Connect
from lading.supply_chain.registry.mirroring.health import Health
from lading.supply_chain.registry.mirroring.selecting import selected, split
from lading.supply_chain.registry.mirroring.sql import reading, writing
from lading.supply_chain.registry.mirroring.upstream import Upstream, all_upstreams
from lading.supply_chain.registry.mirroring.upstream_registry import UpstreamRegistry
from lading.supply_chain.registry.mirroring.wishes import Rank, Wish, Wishes

_MOST_REPOSITORIES: Final = 1_000
_MOST_TAGS: Final = 20_000
_TRIED_AGAIN: Final = 60
# What is attached to an image by way of tags comes with the image.
_ATTACHED: Final = re.compile(r"sha(?:256|512)-[0-9a-f]{64,128}(?:\..+)?")
_log: Final = logging.getLogger(__name__)


class Schedule:
    """The plans of all upstreams."""

    def __init__(
        self,
        *,
        database: Database,
        ledger: Ledger,
        health: Health,
        wishes: Wishes,
        bringer: Bringer,
        connect: Connect,
        clock: Clock,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._health = health
        self._wishes = wishes
        self._bringer = bringer
        self._connect = connect
        self._clock = clock

    def due(self) -> list[Upstream]:
        """The upstreams whose plan is to be carried out now."""
        now = self._clock.now()
        with self._database.read() as tx:
            known = all_upstreams(tx)
        return [item for item in known if item.enabled and item.mirror and _is_due(item, now)]

    def carry_out(self, upstream: Upstream) -> MirrorSynced:
        """Read the lists of an upstream and want what its plan names; never raises what the upstream causes."""
        error, repositories, tags, gone = "", 0, 0, 0
        try:
            trial = self._health.check(upstream.name)
            source = self._connect(upstream)
            with self._bringer.told(upstream, "its lists", "", source, trial=trial):
                for remote in self._repositories(upstream, source):
                    found = self._want(upstream, remote, source)
                    repositories, tags, gone = repositories + 1, tags + found[0], gone + found[1]
                    if repositories >= _MOST_REPOSITORIES or tags >= _MOST_TAGS:
                        error = f"more than {_MOST_REPOSITORIES} repositories or {_MOST_TAGS} tags fit its plan"
                        break
        except LadingError as failure:
            error = failure.what
            _log.warning("a plan was not carried out", extra={"upstream": upstream.name, "error": error[:300]})
        return self._state(upstream, repositories, tags, gone, error)

    def _repositories(self, upstream: Upstream, source: UpstreamRegistry) -> Iterator[str]:
        """The repositories of the plan, in the names of the upstream."""
        names = dict.fromkeys(split(pattern)[0] for pattern in upstream.mirror)
        yield from (name for name in names if "*" not in name)
        if any("*" in name for name in names):
            for name in source.repositories():
                if name not in names and any(selected((pattern,), name, "") for pattern in names):
                    yield name

    def _want(self, upstream: Upstream, remote: str, source: UpstreamRegistry) -> tuple[int, int]:
        """Want the tags of a repository that the plan names; how many, and how many of ours are gone there."""
        repository = upstream.local(remote)
        if not repository:
            return 0, 0
        try:
            there = set(source.tags(remote))
        except ManifestUnknown:
            there = set()
        wanted = [
            tag
            for tag in sorted(there)
            if selected(upstream.mirror, remote, tag) and upstream.lets_in(remote, tag) and not _ATTACHED.fullmatch(tag)
        ]
        for tag in wanted[:_MOST_TAGS]:
            self._wishes.note(Wish(repository, tag, upstream.name, Rank.SCHEDULED))
        with self._database.read() as tx:
            known = [row.tag for row in reading.seen_tags(tx, upstream.name, repository) if row.tag not in there]
        gone = sum(self._bringer.note_gone(upstream, repository, tag) for tag in known)
        return len(wanted), gone

    def _state(self, upstream: Upstream, repositories: int, tags: int, gone: int, error: str) -> MirrorSynced:
        fact = MirrorSynced(upstream=upstream.name, repositories=repositories, tags=tags, gone=gone, error=error[:500])
        with self._database.write() as tx:
            now = timestamp(self._clock.now())
            known = writing.change_upstream(tx, upstream.name, {"synced": now, "sync_error": error[:500]})
            # A failure is stated once, however often it is tried again.
            if known and not (error and upstream.sync_error):
                self._ledger.append(tx, [fact], actor=FROM_MIRROR + upstream.name)
        return fact


def _is_due(upstream: Upstream, now: datetime) -> bool:
    if not upstream.synced:
        return True
    rest = _TRIED_AGAIN if upstream.sync_error else upstream.every
    return bool(rest) and upstream.synced <= timestamp(now - timedelta(seconds=rest))
