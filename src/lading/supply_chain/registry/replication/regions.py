"""The regions whose changes are taken over here, and on what terms."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lading.facts import Ledger
from lading.facts.kinds.replication import RegionAccepted, RegionDismissed
from lading.identity.patterns import checked_pattern, matches
from lading.kernel.clock import Clock, timestamp
from lading.state import Database
from lading.supply_chain.registry.replication.errors import RegionUnknown, TargetInvalid
from lading.supply_chain.registry.replication.sql import registers as sql

_MOST_PATTERNS = 50


class Region(msgspec.Struct, frozen=True, kw_only=True):
    """Another region as it was accepted.

    `approvals`: whether an image that it approved is approved here, and one whose revocation it lifted is let go;
    otherwise this region judges for itself. `deletions`: whether tags and manifests deleted there go here too.
    Revocations are always taken over.
    """

    name: str
    key_id: str
    key: str
    patterns: tuple[str, ...]
    approvals: bool
    deletions: bool
    accepted: str
    accepted_by: str
    heard: str
    applied: int
    refused: int

    def covers(self, repository: str) -> bool:
        """Whether what it says about a repository is taken over."""
        return covered(self.patterns, repository)


class Regions:
    """Accept and dismiss regions."""

    def __init__(self, database: Database, ledger: Ledger, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock

    def accept(
        self,
        name: str,
        *,
        key_id: str,
        key: str,
        patterns: Sequence[str],
        approvals: bool,
        deletions: bool,
        actor: str,
    ) -> None:
        """Take over what a region signs with `key`, from now on or on other terms; raises InvalidName."""
        kept = checked_patterns(patterns)
        values = {
            "key_id": key_id,
            "key": key,
            "patterns": "\n".join(kept),
            "approvals": approvals,
            "deletions": deletions,
            "accepted": timestamp(self._clock.now()),
            "accepted_by": actor,
        }
        fact = RegionAccepted(region=name, key_id=key_id, patterns=kept, approvals=approvals, deletions=deletions)
        with self._database.write() as tx:
            sql.keep_region(tx, name, values)
            self._ledger.append(tx, [fact], actor=actor)

    def dismiss(self, name: str, *, actor: str) -> None:
        """Take nothing over any more; what was taken over stays. Raises RegionUnknown."""
        with self._database.write() as tx:
            if not sql.forget_region(tx, name):
                raise _unknown(name)
            self._ledger.append(tx, [RegionDismissed(region=name)], actor=actor)

    def get(self, name: str) -> Region:
        """An accepted region; raises RegionUnknown."""
        with self._database.read() as tx:
            row = sql.region(tx, name)
        if row is None:
            raise _unknown(name)
        return _region(row)

    def all(self) -> list[Region]:
        """The accepted regions, by name."""
        with self._database.read() as tx:
            return [_region(row) for row in sql.region_rows(tx)]


def checked_patterns(patterns: Sequence[str]) -> tuple[str, ...]:
    """Patterns of repositories, each legal; none at all for everything. Raises InvalidName and TargetInvalid."""
    kept = tuple(dict.fromkeys(checked_pattern(text) for text in patterns))
    if len(kept) > _MOST_PATTERNS:
        raise TargetInvalid(f"{len(kept)} patterns are too many.", remedy=f"Give at most {_MOST_PATTERNS}.")
    return () if "" in kept else kept


def covered(patterns: Sequence[str], repository: str) -> bool:
    """Whether a repository matches one of the patterns; with none, every repository does."""
    return not patterns or any(matches(pattern, repository) for pattern in patterns)


def _unknown(name: str) -> RegionUnknown:
    return RegionUnknown(
        f"This region takes nothing over from {name[:100]!r}.",
        remedy="Accept it here first: `lading registry replicate accept REGION --key FILE`.",
    )


def _region(row: object) -> Region:
    values = {field: getattr(row, field) for field in Region.__struct_fields__ if field != "patterns"}
    return Region(**values, patterns=tuple(filter(None, row.patterns.split("\n"))))  # type: ignore[attr-defined]
