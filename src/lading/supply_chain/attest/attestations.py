"""The centre of this room: make a signed statement about an image, sign an image, and verify both.

Making is idempotent: the same statement by the same key is made once, so a ship that is repeated after a crash adds
nothing. Verifying reads the registry and a public key and nothing else, as anybody outside would.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from lading.facts import Ledger
from lading.facts.kinds.supply_chain import AttestationMade
from lading.kernel.clock import Clock, SystemClock, timestamp
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput, LadingError, NotFound
from lading.state import Database, Transaction
from lading.supply_chain.attest.artifacts import ArtifactStore
from lading.supply_chain.attest.checking import Checked
from lading.supply_chain.attest.errors import KeyUnusable, NotSigned, SignatureInvalid
from lading.supply_chain.attest.identities import IdentityVerifier
from lading.supply_chain.attest.keys import Signer, Verifier
from lading.supply_chain.attest.permits import Believed, Permits
from lading.supply_chain.attest.signatures import Signatures
from lading.supply_chain.attest.sql import Attestation, AttestationStore
from lading.supply_chain.attest.statement import APPROVAL, SIGNATURE, Statement
from lading.supply_chain.attest.writing import LAYOUTS, Layout, Put, Writing

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


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
        trusted: the keys whose signatures count beside that of `signer`.
        identities: the root of trust for signatures by identities.
        layouts: where signatures and statements are put.
        revoked: the ids of keys whose signatures do not count any more.
        permits: who may sign what; whoever is believed may sign everything without it.
    """

    def __init__(
        self,
        store: ArtifactStore,
        signer: Signer,
        database: Database,
        ledger: Ledger,
        clock: Clock | None = None,
        trusted: Callable[[], Sequence[Verifier]] = tuple,
        identities: IdentityVerifier | None = None,
        layouts: Collection[Layout] = LAYOUTS,
        revoked: Callable[[], Collection[str]] = tuple,
        permits: Permits | None = None,
    ) -> None:
        self._store = store
        self._signer = signer
        self._database = database
        self._ledger = ledger
        self._clock = clock or SystemClock()
        self._rows = AttestationStore()
        self._trusted = trusted
        self._revoked = revoked
        self._permits = permits or Believed()
        self._writing = Writing(store, signer, self._clock, layouts)
        self._signatures = Signatures(store, self._believed, identities)

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
        self._may_sign()
        statement = Statement(((repository, image),), predicate_type, predicate)
        known = self._known(image, repository, Digest.of(statement.encode()))
        if known is not None and self._is_kept(repository, known.digest):
            return known
        put = self._writing.state(image, repository, statement)
        return self._keep(image, repository, put, predicate_type, "" if until is None else timestamp(until), actor)

    def sign(self, image: Digest, repository: str, *, actor: str) -> Attestation:
        """Sign an image as cosign does, beside the signatures that others made. Raises as `attest`."""
        self._may_sign()
        put = self._writing.sign(image, repository)
        known = self._known(image, repository, put.statement)
        # Signed but not recorded: a crash came between the two.
        if known is not None and (not put.fresh or known.digest == put.digest):
            return known
        return self._keep(image, repository, put, SIGNATURE, "", actor)

    def stated_by(self, keys: Collection[str], after: str, limit: int) -> list[Digest]:
        """The images about which one of these keys stated something here, in order, beyond `after`."""
        with self._database.read() as tx:
            return [Digest.parse(one) for one in self._rows.subjects_by(tx, keys, after, limit)]

    def state_again(self, image: Digest, *, actor: str) -> list[LadingError]:
        """Sign anew what was stated here with keys that were revoked since, and what went wrong with some of it.

        What was stated is believed because our own database has its digest, not because of the signature. An approval
        keeps the moment it ends.
        """
        problems = []
        revoked = self._revoked()
        rows = self.about(image)
        stated = {(row.repository, row.statement) for row in rows if row.key_id not in revoked}
        for row in rows:
            if row.key_id not in revoked or (row.repository, row.statement) in stated:
                continue
            try:
                if row.predicate_type == SIGNATURE:
                    self.sign(image, row.repository, actor=actor)
                else:
                    self._state_again(row, actor)
            except LadingError as error:
                problems.append(error)
        return problems

    def _state_again(self, row: Attestation, actor: str) -> None:
        body = self._writing.body(row.repository, row.digest)
        if Digest.of(body) != row.statement:
            raise SignatureInvalid(f"The statement {row.digest} about {row.subject} is not the one that was made here.")
        self._may_sign()
        put = self._writing.state(row.subject, row.repository, Statement.decode(body))
        self._keep(row.subject, row.repository, put, row.predicate_type, row.until, actor)

    def about(self, image: Digest, repository: str | None = None) -> list[Attestation]:
        """What was attested and signed here about an image, oldest first, without verifying it again."""
        with self._database.read() as tx:
            return self._rows.of(tx, image, repository)

    def images_in(self, tx: Transaction, after: str, limit: int) -> list[str]:
        """The images about which something was attested here, in order, beyond `after`."""
        return self._rows.subjects_after(tx, after, limit)

    def forget_in(self, tx: Transaction, images: Sequence[str]) -> None:
        """The images are no more; what refers to them in the registry is the registry's to give up."""
        self._rows.forget(tx, images)

    def predicate_types(self, image: Digest, repository: str = "") -> list[str]:
        """The kinds of attestation in force, for the policy input: expired ones are left out.

        Where none was made here, those that others made count, in `repository`, as far as they verify.
        """
        revoked = self._revoked()
        with self._database.read() as tx:
            now = timestamp(self._now(tx))
            rows = [row for row in self._rows.of(tx, image) if row.key_id not in revoked]
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
        """The id of the key, or the identity, that signed an image and may.

        Raises:
            NotSigned: there is no signature.
            SignatureInvalid: none of those there are holds.
        """
        found = [
            one
            for one in self.check(image, repository, verifiers, predicate_type=SIGNATURE)
            if one.what in ("signature", "unknown")
        ]
        for one in found:
            if one.valid:
                return one.signer
        if not found:
            raise NotSigned(f"The image {repository}@{image} is not signed.", remedy="Ship it to sign it.")
        raise SignatureInvalid(
            f"No signature of {repository}@{image} holds: {found[0].problem}",
            remedy="Check the key, and that it was not copied from another image.",
        )

    def check(
        self,
        image: Digest,
        repository: str,
        verifiers: Sequence[Verifier] | None = None,
        *,
        predicate_type: str = "",
    ) -> list[Checked]:
        """Every signature and attestation that lies beside an image, valid or with its problem.

        Args:
            verifiers: other keys than those that are believed here; whether they may sign is not asked then.
            predicate_type: what is plainly of another type is not looked at.
        """
        with self._database.read() as tx:
            now = self._now(tx)
        found = self._signatures.of(image, repository, now, verifiers=verifiers, predicate_type=predicate_type)
        if verifiers is not None:
            return found
        problem = self._permits.about(image, repository)
        return [msgspec.structs.replace(one, problem=problem(one)) if one.valid else one for one in found]

    def verify(
        self, image: Digest, repository: str, verifiers: Sequence[Verifier] | None = None
    ) -> list[VerifiedAttestation]:
        """Check every attestation that refers to an image: signature, subject, and that an approval has not ended.

        Those that do not hold are in the list with their problem. `verifiers` are our own key and
        those trusted, unless told otherwise.
        """
        return [_attested(one) for one in self.check(image, repository, verifiers) if _is_statement(one)]

    def _believed(self) -> list[Verifier]:
        revoked = self._revoked()
        known = {key.key_id: key for key in (*self._trusted(), self._signer)}
        return [key for key in known.values() if key.key_id not in revoked]

    def _may_sign(self) -> None:
        if self._signer.key_id in self._revoked():
            raise KeyUnusable(
                f"The signing key {self._signer.key_id} was revoked.", remedy="Name another in LADING_SIGNING_KEY."
            )

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
        self, image: Digest, repository: str, put: Put, predicate_type: str, until: str, actor: str
    ) -> Attestation:
        with self._database.write() as tx:
            # Somebody else may have stated the same at this moment: the one waits for the other.
            self._ledger.head(tx, for_update=True)
            if (there := self._rows.get(tx, repository, put.digest)) is not None:
                return there
            made = Attestation(
                repository=repository,
                digest=put.digest,
                subject=image,
                predicate_type=predicate_type,
                statement=put.statement,
                key_id=self._signer.key_id,
                made_at=timestamp(self._now(tx)),
                until=until,
            )
            self._rows.add(tx, made)
            fact = AttestationMade(
                digest=str(image),
                predicate_type=predicate_type,
                attestation=str(put.digest),
                key_id=self._signer.key_id,
                until=until,
            )
            self._ledger.append(tx, [fact], actor=actor)
        return made

    def _now(self, tx: Transaction) -> datetime:
        """Never before the head of the ledger: a clock set back brings no approval back."""
        return max(self._clock.now(), _EPOCH + timedelta(microseconds=self._ledger.head(tx).at))


def _is_statement(one: Checked) -> bool:
    return one.what == "attestation" or (one.what == "unknown" and not one.is_signature)


def _attested(one: Checked) -> VerifiedAttestation:
    return VerifiedAttestation(
        Digest.parse(one.digest), one.predicate_type, one.signer, one.predicate, one.until, one.problem
    )
