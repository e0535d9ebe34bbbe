"""Facts about registries that are mirrored here."""

from __future__ import annotations

from lading.facts.fact import Fact
from lading.kernel.digest import Digest
from lading.kernel.subject import Subject, SubjectKind


class _AboutUpstream(Fact, frozen=True, kw_only=True, tag="_about-upstream"):
    upstream: str

    def subject(self) -> Subject:
        return Subject(SubjectKind.SYSTEM, f"upstream/{self.upstream}")


class UpstreamAdded(_AboutUpstream, frozen=True, kw_only=True, tag="mirror.upstream-added"):
    """Another registry is mirrored from now on, below a prefix, for a team."""

    url: str
    prefix: str
    team: str


class UpstreamChanged(_AboutUpstream, frozen=True, kw_only=True, tag="mirror.upstream-changed"):
    """How a registry is mirrored is another now; `changed` names what. Secrets are named and never told."""

    changed: tuple[str, ...]


class UpstreamRemoved(_AboutUpstream, frozen=True, kw_only=True, tag="mirror.upstream-removed"):
    """A registry is not mirrored any more; what came from it stays."""


class UpstreamFailed(_AboutUpstream, frozen=True, kw_only=True, tag="mirror.upstream-failed"):
    """An upstream does not answer (`failing`), or wants to be asked later (`throttled`); stated once until it is well.

    Until then what was approved before is served, and says that it may be old.
    """

    standing: str
    why: str
    until: str = ""


class UpstreamRecovered(_AboutUpstream, frozen=True, kw_only=True, tag="mirror.upstream-recovered"):
    """An upstream answers again, after so many seconds."""

    seconds: float


class UpstreamLied(_AboutUpstream, frozen=True, kw_only=True, tag="mirror.upstream-lied"):
    """An upstream served something else than the digest names, or nothing that can be read; none of it was kept."""

    repository: str
    reference: str
    why: str


class MirrorSynced(_AboutUpstream, frozen=True, kw_only=True, tag="mirror.synced"):
    """The schedule of an upstream was carried out: its lists were read, and what they name was asked for."""

    repositories: int
    tags: int
    gone: int
    error: str = ""


class ImageMirrored(Fact, frozen=True, kw_only=True, tag="mirror.image-brought"):
    """An image was brought from an upstream, with what refers to it. Where it stands here, others say."""

    digest: str
    upstream: str
    remote: str
    repository: str
    tag: str
    referrers: int
    blobs: int
    bytes: int
    seconds: float

    def subject(self) -> Subject:
        return Subject.image(Digest.parse(self.digest))


class UpstreamTagGone(Fact, frozen=True, kw_only=True, tag="mirror.tag-gone"):
    """An upstream has a tag no longer; here it stays, with what it named last."""

    upstream: str
    repository: str
    tag: str
    digest: str

    def subject(self) -> Subject:
        return Subject(SubjectKind.REPOSITORY, self.repository)


class UpstreamTagHeld(Fact, frozen=True, kw_only=True, tag="mirror.tag-held"):
    """A tag names another image at its upstream, which is not approved here; the tag stays at the one before."""

    upstream: str
    repository: str
    tag: str
    digest: str
    kept: str
    why: str

    def subject(self) -> Subject:
        return Subject(SubjectKind.REPOSITORY, self.repository)


class StaleServed(Fact, frozen=True, kw_only=True, tag="mirror.stale-served"):
    """A mirrored tag was served as it was here, because its upstream could not be asked; said once a minute at most."""

    repository: str
    reference: str
    digest: str
    why: str

    def subject(self) -> Subject:
        return Subject.image(Digest.parse(self.digest))
