"""Facts about the stories that cross domains."""

from __future__ import annotations

from lading.facts.fact import Fact
from lading.kernel.digest import Digest
from lading.kernel.subject import Subject, SubjectKind


class ShipStarted(Fact, frozen=True, kw_only=True, tag="ship.started"):
    """An application is on its way from source to running."""

    ship: str
    application: str
    team: str
    source: str
    commit: str
    dirty: bool

    def subject(self) -> Subject:
        return Subject.workload(self.application)


class ShipFinished(Fact, frozen=True, kw_only=True, tag="ship.finished"):
    """The way ended: `outcome` is `deployed`, `refused`, `rolled-back`, `interrupted` or `failed`."""

    ship: str
    application: str
    outcome: str
    images: dict[str, str]
    reason: str
    seconds: float

    def subject(self) -> Subject:
        return Subject.workload(self.application)


class PatchPlanned(Fact, frozen=True, kw_only=True, tag="patch.planned"):
    """What must change so that no running container has a flaw: per workload, which layer and which rebuild."""

    patch: str
    advisory: str
    workloads: tuple[str, ...]
    containers: tuple[str, ...]
    plan: str

    def subject(self) -> Subject:
        return Subject(SubjectKind.ADVISORY, self.advisory)


class PatchFinished(Fact, frozen=True, kw_only=True, tag="patch.finished"):
    """A patch ended; `remaining` are the running containers that still have the flaw."""

    patch: str
    advisory: str
    outcome: str
    remaining: tuple[str, ...]
    seconds: float

    def subject(self) -> Subject:
        return Subject(SubjectKind.ADVISORY, self.advisory)


class ImageRevocationCarriedOut(Fact, frozen=True, kw_only=True, tag="image.revocation-carried-out"):
    """A revoked image is refused on the pull path, and these containers still run it."""

    digest: str
    running: tuple[str, ...]
    seconds: float

    def subject(self) -> Subject:
        return Subject.image(Digest.parse(self.digest))
