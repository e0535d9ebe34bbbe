"""The centre of this room: make a signed statement about an image, sign an image, and verify both.

Making is idempotent: the same statement by the same key is made once, so a ship that is repeated after a crash adds
nothing. Verifying reads the registry and a public key and nothing else, as anybody outside would.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from lading.facts import Ledger
from lading.facts.kinds.supply_chain import AttestationMade
from lading.kernel.canonical import canonical_json
from lading.kernel.clock import Clock, SystemClock, parse_timestamp, timestamp
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput, LadingError, NotFound
from lading.state import Database, Transaction
from lading.supply_chain.attest import cosign, dsse
from lading.supply_chain.attest.artifacts import (
    EMPTY,
    EMPTY_CONTENT,
    MANIFEST,
    ArtifactStore,
    descriptor,
    layers_of,
    read_manifest,
)
from lading.supply_chain.attest.errors import MalformedEnvelope, NotSigned, SignatureInvalid
from lading.supply_chain.attest.keys import Signer, Verifier
from lading.supply_chain.attest.sql import Attestation, AttestationStore
from lading.supply_chain.attest.statement import APPROVAL, MEDIA_TYPE, SIGNATURE, Statement

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_REFERRERS: Final = 1_000
_PREDICATE: Final = "in-toto.io/predicate-type"


@dataclass(frozen=True, slots=True)
class VerifiedAttestation:
    """What verification found about one referrer: `problem` is empty when it holds, and then `key_id` says by whom."""

    digest: Digest
    predicate_type: str
    key_id: str
    predicate: dict[str, Any]
    until: str = ""
    problem: str = ""


class Attestations:
    """Makes, lists and verifies signatures and attestations.

    Args:
        trusted: the keys of others whose signatures count as our own do.
    """

    def __init__(
        self,
        store: ArtifactStore,
        signer: Signer,
        database: Database,
        ledger: Ledger,
        clock: Clock | None = None,
        trusted: Callable[[], Sequence[Verifier]] = tuple,
    ) -> None:
        self._store = store
        self._signer = signer
        self._database = database
        self._ledger = ledger
        self._clock = clock or SystemClock()
        self._rows = AttestationStore()
        self._trusted = trusted

    @property
    def key_id(self) -> str:
        """The key that signs here."""
        return self._signer.key_id

    def public_pem(self) -> str:
        """The public key that verifies what is signed here."""
        return self._signer.public_pem()

    def attest(
        self,
        image: Digest,
        repository: str,
        predicate_type: str,
        predicate: dict[str, Any],
        *,
        actor: str,
        until: datetime | None = None,
    ) -> Attestation:
        """State `predicate` about an image and keep it as a referrer of it.

        Args:
            until: for approvals only: the moment it ends, written into the signed predicate.

        Raises:
            NotFound: the image is not in the repository.
            InvalidInput: `until` is given for a predicate that does not end.
            KeyUnusable: nothing was signed.
        """
        if until is not None:
            if predicate_type != APPROVAL:
                raise InvalidInput(f"A statement of type {predicate_type} does not end.", remedy="Leave `until` out.")
            predicate = predicate | {"until": timestamp(until)}
        body = Statement(((repository, image),), predicate_type, predicate).encode()
        known = self._known(image, repository, Digest.of(body))
        if known is not None and self._is_kept(repository, known.digest):
            return known
        subject = self._store.manifest(repository, image)
        digest = self._unrecorded(image, repository, body) or self._put(
            image, repository, predicate_type, body, subject
        )
        return self._keep(image, repository, digest, predicate_type, Digest.of(body), until, actor)

    def _put(self, image: Digest, repository: str, predicate_type: str, body: bytes, subject: bytes) -> Digest:
        envelope = dsse.sign(MEDIA_TYPE, body, self._signer).encode()
        annotations = {_PREDICATE: predicate_type}
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": MEDIA_TYPE,
            "config": descriptor(EMPTY, EMPTY_CONTENT),
            "layers": [descriptor(dsse.MEDIA_TYPE, envelope, annotations)],
            "subject": _subject(subject, image),
            "annotations": annotations,
        }
        self._store.put_blob(repository, EMPTY_CONTENT)
        self._store.put_blob(repository, envelope)
        return self._store.put_manifest(repository, canonical_json(manifest))

    def _unrecorded(self, image: Digest, repository: str, body: bytes) -> Digest | None:
        """The same statement by our key that was put just before a crash kept it from being recorded."""
        for one in self._store.referrers(repository, image)[:_MOST_REFERRERS]:
            try:
                envelope = self._envelope(repository, one.digest)
                if envelope.payload != body:
                    continue
                dsse.verify(envelope, [self._signer])
            except LadingError:
                continue
            return one.digest
        return None

    def sign(self, image: Digest, repository: str, *, actor: str) -> Attestation:
        """Sign an image as cosign does, beside the signatures that others made. Raises as `attest`."""
        content = cosign.payload(image, repository)
        known = self._known(image, repository, Digest.of(content))
        tag = cosign.signature_tag(image)
        if self.is_signed(image, repository, [self._signer]):
            # Signed but not recorded: a crash came between the two.
            digest = Digest.of(self._store.manifest(repository, tag))
            return known or self._keep(image, repository, digest, SIGNATURE, Digest.of(content), None, actor)
        self._store.manifest(repository, image)
        try:
            before = read_manifest(self._store.manifest(repository, tag))
            others = [layer for layer, _, _ in cosign.signature_layers(before)]
        except (NotFound, MalformedEnvelope):
            others = []
        manifest, config = cosign.manifest([*others, cosign.signed_layer(content, self._signer)])
        self._store.put_blob(repository, content)
        self._store.put_blob(repository, config)
        digest = self._store.put_manifest(repository, manifest, tag=tag)
        return self._keep(image, repository, digest, SIGNATURE, Digest.of(content), None, actor)

    def about(self, image: Digest, repository: str | None = None) -> list[Attestation]:
        """What was attested and signed here about an image, oldest first, without verifying it again."""
        with self._database.read() as tx:
            return self._rows.of(tx, image, repository)

    def predicate_types(self, image: Digest, repository: str = "") -> list[str]:
        """The kinds of attestation in force, for the policy input: expired ones are left out.

        Where none was made here, those that others made count, in `repository`, as far as they verify.
        """
        with self._database.read() as tx:
            now = timestamp(self._now(tx))
            rows = self._rows.of(tx, image)
        if not rows and repository:
            return sorted({one.predicate_type for one in self.verify(image, repository) if not one.problem})
        return sorted({row.predicate_type for row in rows if not row.until or row.until > now})

    def is_signed(self, image: Digest, repository: str, verifiers: Sequence[Verifier] | None = None) -> bool:
        """Whether a signature in the registry holds (by our own key or a trusted one, unless told otherwise)."""
        try:
            self.verify_signature(image, repository, verifiers)
        except LadingError:
            return False
        return True

    def verify_signature(self, image: Digest, repository: str, verifiers: Sequence[Verifier] | None = None) -> str:
        """The id of the key that signed an image.

        Raises:
            NotSigned: there is no signature.
            SignatureInvalid: none of those there are holds.
        """
        try:
            manifest = read_manifest(self._store.manifest(repository, cosign.signature_tag(image)))
        except NotFound as error:
            raise NotSigned(f"The image {repository}@{image} is not signed.", remedy="Ship it to sign it.") from error
        problem: LadingError = NotSigned(f"The image {repository}@{image} has no signature in its signature manifest.")
        for _, digest, signature in cosign.signature_layers(manifest):
            try:
                content = self._content(repository, digest, cosign.MOST_PAYLOAD)
                return cosign.verify(content, signature, image, verifiers or self._believed()).key_id
            except LadingError as error:
                problem = error
        raise problem

    def verify(
        self, image: Digest, repository: str, verifiers: Sequence[Verifier] | None = None
    ) -> list[VerifiedAttestation]:
        """Check every attestation that refers to an image: signature, subject, and that an approval has not ended.

        Those that do not hold are in the list with their problem. `verifiers` are our own key and
        those trusted, unless told otherwise.
        """
        with self._database.read() as tx:
            now = self._now(tx)
        found = [one for one in self._store.referrers(repository, image) if one.artifact_type == MEDIA_TYPE]
        believed = self._believed()
        return [
            self._verified(one.digest, image, repository, verifiers or believed, now) for one in found[:_MOST_REFERRERS]
        ]

    def _believed(self) -> list[Verifier]:
        return [self._signer, *self._trusted()]

    def _verified(
        self, digest: Digest, image: Digest, repository: str, verifiers: Sequence[Verifier], now: datetime
    ) -> VerifiedAttestation:
        kind, key_id, until = "", "", ""
        predicate: dict[str, Any] = {}
        try:
            envelope = self._envelope(repository, digest)
            key_id = dsse.verify(envelope, verifiers).key_id
            if envelope.payload_type != MEDIA_TYPE:
                raise MalformedEnvelope(f"The envelope holds {envelope.payload_type[:100]}, not a statement.")
            statement = Statement.decode(envelope.payload)
            kind, predicate = statement.predicate_type, statement.predicate
            if not statement.is_about(image):
                raise SignatureInvalid("The statement is about another image.")
            until = _until(statement)
            problem = "It has ended." if until and parse_timestamp(until) <= now else ""
        except (LadingError, ValueError) as error:
            problem = error.what if isinstance(error, LadingError) else f"It cannot be read: {error}"
        return VerifiedAttestation(digest, kind, key_id, predicate, until, problem)

    def _envelope(self, repository: str, digest: Digest) -> dsse.Envelope:
        layers = layers_of(read_manifest(self._store.manifest(repository, digest)))
        if len(layers) != 1 or layers[0].get("mediaType") != dsse.MEDIA_TYPE:
            raise MalformedEnvelope("It does not hold exactly one envelope.")
        blob = Digest.parse(str(layers[0].get("digest")))
        return dsse.Envelope.decode(self._content(repository, blob, dsse.MOST_BYTES))

    def _content(self, repository: str, digest: Digest, most: int) -> bytes:
        content = self._store.blob(repository, digest, most=most)
        if Digest.of(content, digest.algorithm) != digest:
            raise SignatureInvalid(f"The blob {digest} has other content than its digest says.")
        return content

    def _known(self, image: Digest, repository: str, statement: Digest) -> Attestation | None:
        with self._database.read() as tx:
            rows = self._rows.of(tx, image, repository)
        same = (row for row in reversed(rows) if row.statement == statement and row.key_id == self._signer.key_id)
        return next(same, None)

    def _is_kept(self, repository: str, digest: Digest) -> bool:
        try:
            self._store.manifest(repository, digest)
        except NotFound:
            return False
        return True

    def _keep(
        self,
        image: Digest,
        repository: str,
        digest: Digest,
        predicate_type: str,
        statement: Digest,
        until: datetime | None,
        actor: str,
    ) -> Attestation:
        ends = "" if until is None else timestamp(until)
        with self._database.write() as tx:
            made = Attestation(
                repository=repository,
                digest=digest,
                subject=image,
                predicate_type=predicate_type,
                statement=statement,
                key_id=self._signer.key_id,
                made_at=timestamp(self._now(tx)),
                until=ends,
            )
            self._rows.add(tx, made)
            fact = AttestationMade(
                digest=str(image),
                predicate_type=predicate_type,
                attestation=str(digest),
                key_id=self._signer.key_id,
                until=ends,
            )
            self._ledger.append(tx, [fact], actor=actor)
        return made

    def _now(self, tx: Transaction) -> datetime:
        """Never before the head of the ledger: a clock set back brings no approval back."""
        return max(self._clock.now(), _EPOCH + timedelta(microseconds=self._ledger.head(tx).at))


def _subject(manifest: bytes, image: Digest) -> dict[str, Any]:
    media_type = read_manifest(manifest).get("mediaType")
    return descriptor(str(media_type or MANIFEST), manifest) | {"digest": str(image)}


def _until(statement: Statement) -> str:
    until = statement.predicate.get("until", "")
    return until if statement.predicate_type == APPROVAL and isinstance(until, str) else ""
