"""Facts about what must not be deleted."""

from __future__ import annotations

from lading.facts.fact import Fact
from lading.kernel.digest import Digest
from lading.kernel.subject import Subject, SubjectKind


class _AboutHold(Fact, frozen=True, kw_only=True, tag="_about-hold"):
    hold: str
    name: str

    def subject(self) -> Subject:
        return Subject.image(Digest.parse(self.name)) if ":" in self.name else Subject(SubjectKind.SYSTEM, "lading")


class HoldPlaced(_AboutHold, frozen=True, kw_only=True, tag="hold.placed"):
    """Nothing that the hold covers is deleted: an image under legal hold, or all blobs while a backup is taken."""

    why: str
    until: str = ""


class HoldReleased(_AboutHold, frozen=True, kw_only=True, tag="hold.released"):
    """A hold ended before it ran out."""
