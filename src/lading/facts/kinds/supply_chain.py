"""Facts about how images come to be."""

from __future__ import annotations

from lading.facts.fact import Fact
from lading.kernel.digest import Digest
from lading.kernel.subject import Subject, SubjectKind


class _AboutImage(Fact, frozen=True, kw_only=True, tag="_about-image"):
    digest: str

    def subject(self) -> Subject:
        return Subject.image(Digest.parse(self.digest))


class BaseImageMade(_AboutImage, frozen=True, kw_only=True, tag="image.base-made"):
    """A base image was made from distribution packages; `inputs` is the digest of all that decides its content."""

    repository: str
    tag: str
    distribution: str
    packages: int
    snapshot: str
    inputs: str
    include: tuple[str, ...] = ()
    reproduced: bool | None = None
    seconds: float = 0.0


class ImageBuilt(_AboutImage, frozen=True, kw_only=True, tag="image.built"):
    """A build ended with an image. `bases` maps the reference in the Dockerfile to the digest that was used."""

    repository: str
    tag: str
    builder: str
    source: str
    commit: str
    dirty: bool
    dockerfile: str
    bases: dict[str, str]
    steps: int
    cached_steps: int
    seconds: float
    wasted_seconds: float = 0.0


class ImagePushed(_AboutImage, frozen=True, kw_only=True, tag="image.pushed"):
    """A manifest or index was accepted by the push endpoint. `layers` are blob digests, lowest first."""

    repository: str
    tag: str
    media_type: str
    size: int
    layers: tuple[str, ...]
    config: str
    team: str
    principal: str
    commit: str = ""
    pipeline: str = ""
    artifact_type: str = ""
    refers_to: str = ""


class ImageUnattributed(_AboutImage, frozen=True, kw_only=True, tag="image.unattributed"):
    """A push did not say where its image comes from: a finding. `missing` are of `commit` and `pipeline`."""

    repository: str
    team: str
    principal: str
    missing: tuple[str, ...]


class TagMoved(Fact, frozen=True, kw_only=True, tag="tag.moved"):
    """A tag names another digest now; `previous` is empty for a new tag, `digest` for a deleted one."""

    repository: str
    tag: str
    digest: str
    previous: str

    def subject(self) -> Subject:
        return Subject(SubjectKind.REPOSITORY, self.repository)


class ManifestDeleted(_AboutImage, frozen=True, kw_only=True, tag="image.deleted"):
    """A manifest was deleted from a repository."""

    repository: str


class PullRefused(_AboutImage, frozen=True, kw_only=True, tag="image.pull-refused"):
    """The pull endpoint did not serve an image, and why; the same refusal again is one fact a minute, with a count."""

    repository: str
    principal: str
    reason: str
    times: int = 1


class LayerInventoried(Fact, frozen=True, kw_only=True, tag="layer.inventoried"):
    """A layer was read, once. `gaps` name what could not be read: never silence."""

    layer: str
    cataloger_version: str
    packages: int
    files: int
    bytes: int
    gaps: tuple[str, ...]
    seconds: float

    def subject(self) -> Subject:
        return Subject.layer(Digest.parse(self.layer))


class ImageInventoried(_AboutImage, frozen=True, kw_only=True, tag="image.inventoried"):
    """The inventories of an image's layers were merged; `reused` of `layers` had been read before."""

    layers: int
    reused: int
    packages: int
    ecosystems: dict[str, int]
    gaps: tuple[str, ...]
    seconds: float


class AdvisoriesUpdated(Fact, frozen=True, kw_only=True, tag="advisories.updated"):
    """A feed was taken in. `newest` is the youngest `modified` time that it carried."""

    source: str
    records: int
    changed: int
    withdrawn: int
    newest: str
    content: str

    def subject(self) -> Subject:
        return Subject(SubjectKind.ADVISORY, self.source)


class FeedStale(Fact, frozen=True, kw_only=True, tag="advisories.stale"):
    """A feed was not updated for longer than it should be: what is not known cannot be found. Ages are in days."""

    source: str
    age_days: float
    stale_days: int
    error: str

    def subject(self) -> Subject:
        return Subject(SubjectKind.ADVISORY, self.source)


class VexTaken(Fact, frozen=True, kw_only=True, tag="vex.taken"):
    """Statements about flaws (VEX) were taken in. `statuses` counts them; `scope` is where they count beside what the
    document says."""

    document: str
    author: str
    statements: tuple[str, ...]
    flaws: tuple[str, ...]
    statuses: dict[str, int]
    scope: tuple[str, ...]
    until: str

    def subject(self) -> Subject:
        return Subject(SubjectKind.ADVISORY, self.document)


class VexEnded(Fact, frozen=True, kw_only=True, tag="vex.ended"):
    """A statement about flaws counts no more: `why` is `removed` or `expired`."""

    document: str
    statement: str
    flaws: tuple[str, ...]
    why: str

    def subject(self) -> Subject:
        return Subject(SubjectKind.ADVISORY, self.document)


class FindingsChanged(_AboutImage, frozen=True, kw_only=True, tag="image.findings-changed"):
    """What is known to be wrong with an image changed. `opened` and `closed` are finding ids (`ADVISORY@purl`).

    When the cause is `vex-changed`, they count no more or again, because of what somebody says of them. `by_severity`
    counts all that is known, whatever is said of it.
    """

    opened: tuple[str, ...]
    closed: tuple[str, ...]
    by_severity: dict[str, int]
    advisories: tuple[str, ...]
    cause: str


class ImageMoved(_AboutImage, frozen=True, kw_only=True, tag="image.moved"):
    """An image changed state: quarantined, approved or revoked."""

    before: str
    after: str
    why: str
    decision: str = ""
    until: str = ""
    replaced_by: str = ""


class AttestationMade(_AboutImage, frozen=True, kw_only=True, tag="image.attested"):
    """A signed statement about an image is kept as a referrer of it."""

    predicate_type: str
    attestation: str
    key_id: str
    until: str = ""


class OwnerChanged(_AboutImage, frozen=True, kw_only=True, tag="image.owner-changed"):
    """An image belongs to another team now."""

    before: str
    team: str
