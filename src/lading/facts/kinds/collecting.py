"""Facts about what the registry gave up: content that nothing names, and images that retention lets go."""

from __future__ import annotations

from lading.facts.fact import Fact
from lading.kernel.subject import Subject, SubjectKind


class GarbageCollected(Fact, frozen=True, kw_only=True, tag="registry.collected"):
    """A collection ended: links to blobs that no manifest names were dropped, then blobs that nothing links to."""

    collection: str
    links: int
    blobs: int
    bytes: int
    seconds: float

    def subject(self) -> Subject:
        return Subject(SubjectKind.SYSTEM, "lading")


class RetentionChanged(Fact, frozen=True, kw_only=True, tag="retention.changed"):
    """A rule of retention is another now; `rule` is its JSON, empty when it was removed."""

    pattern: str
    rule: str

    def subject(self) -> Subject:
        return Subject(SubjectKind.SYSTEM, "lading")


class RetentionApplied(Fact, frozen=True, kw_only=True, tag="retention.applied"):
    """Images of a repository were deleted because no rule keeps them."""

    repository: str
    deleted: int
    kept: int

    def subject(self) -> Subject:
        return Subject(SubjectKind.REPOSITORY, self.repository)


class QuotaChanged(Fact, frozen=True, kw_only=True, tag="quota.changed"):
    """How much a team's repositories may hold; -1 for no limit."""

    team: str
    bytes: int

    def subject(self) -> Subject:
        return Subject(SubjectKind.TEAM, self.team)
