"""Facts about copies of the registry in other regions."""

from __future__ import annotations

from lading.facts.fact import Fact
from lading.kernel.subject import Subject, SubjectKind


class _AboutTarget(Fact, frozen=True, kw_only=True, tag="_about-target"):
    target: str

    def subject(self) -> Subject:
        return Subject(SubjectKind.SYSTEM, f"replication/{self.target}")


class _AboutRegion(Fact, frozen=True, kw_only=True, tag="_about-region"):
    region: str

    def subject(self) -> Subject:
        return Subject(SubjectKind.SYSTEM, f"region/{self.region}")


class TargetAdded(_AboutTarget, frozen=True, kw_only=True, tag="replication.target-added"):
    """The registry is copied to a target from now on: another Lading region, or any OCI registry."""

    kind_of: str
    url: str
    patterns: tuple[str, ...]
    states: str


class TargetRemoved(_AboutTarget, frozen=True, kw_only=True, tag="replication.target-removed"):
    """The registry is not copied to this target any more; what is there stays there."""

    waiting: int = 0


class ReplicationFailed(_AboutTarget, frozen=True, kw_only=True, tag="replication.failed"):
    """A target cannot be reached or refuses something; stated once until it has caught up again."""

    why: str
    waiting: int = 0


class ReplicationCaughtUp(_AboutTarget, frozen=True, kw_only=True, tag="replication.caught-up"):
    """A target has everything again (or for the first time): so many items and bytes went over in so many seconds."""

    seconds: float
    items: int
    bytes: int


class RegionAccepted(_AboutRegion, frozen=True, kw_only=True, tag="replication.region-accepted"):
    """What another region signs with this key is taken over from now on."""

    key_id: str
    patterns: tuple[str, ...]
    approvals: bool
    deletions: bool


class RegionDismissed(_AboutRegion, frozen=True, kw_only=True, tag="replication.region-dismissed"):
    """Nothing is taken over from another region any more."""


class ChangeRefused(_AboutRegion, frozen=True, kw_only=True, tag="replication.change-refused"):
    """Another region said something that is not taken over."""

    change: str
    name: str
    why: str


class TagConflictResolved(Fact, frozen=True, kw_only=True, tag="replication.tag-conflict"):
    """A tag was moved in two regions that did not know of each other's move; the later one stays.

    What the other one named is kept under its digest.     `kept` or `lost` is empty where the tag had been deleted.
    """

    repository: str
    tag: str
    kept: str
    kept_region: str
    lost: str
    lost_region: str

    def subject(self) -> Subject:
        return Subject(SubjectKind.REPOSITORY, self.repository)
