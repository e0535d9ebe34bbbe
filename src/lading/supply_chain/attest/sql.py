"""The table of attestations made here: an index; what counts is in the registry, signed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from lading.kernel.digest import Digest
from lading.state import Transaction
from lading.state.schema import metadata

attestations: Final = sa.Table(
    "attest_attestations",
    metadata,
    sa.Column("repository", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, primary_key=True, comment="manifest of the attestation or of the signature"),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("predicate_type", sa.Text, nullable=False),
    sa.Column("statement", sa.Text, nullable=False, comment="digest of what was signed"),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("made_at", sa.Text, nullable=False),
    sa.Column("until", sa.Text, nullable=False, comment="empty: does not expire"),
    sa.Index("ix_attest_attestations_subject", "subject"),
)


@dataclass(frozen=True, slots=True)
class Attestation:
    """One signed statement about an image, or one signature of it."""

    repository: str
    digest: Digest
    subject: Digest
    predicate_type: str
    statement: Digest
    key_id: str
    made_at: str
    until: str = ""


class AttestationStore:
    """Rows of attestations."""

    def add(self, tx: Transaction, made: Attestation) -> None:
        """Keep one."""
        tx.execute(
            sa.insert(attestations).values(
                repository=made.repository,
                digest=str(made.digest),
                subject=str(made.subject),
                predicate_type=made.predicate_type,
                statement=str(made.statement),
                key_id=made.key_id,
                made_at=made.made_at,
                until=made.until,
            )
        )

    def of(self, tx: Transaction, subject: Digest, repository: str | None = None) -> list[Attestation]:
        """All about an image, oldest first."""
        query = sa.select(attestations).where(attestations.c.subject == str(subject))
        if repository is not None:
            query = query.where(attestations.c.repository == repository)
        return [_read(row) for row in tx.execute(query.order_by(attestations.c.made_at, attestations.c.digest))]

    def get(self, tx: Transaction, repository: str, digest: Digest) -> Attestation | None:
        """The one that lies in this manifest, if it was made here."""
        place = (attestations.c.repository == repository, attestations.c.digest == str(digest))
        row = tx.execute(sa.select(attestations).where(*place)).first()
        return None if row is None else _read(row)

    def subjects_after(self, tx: Transaction, after: str, limit: int) -> list[str]:
        """Images about which something was attested, in order, beyond `after`."""
        subject = attestations.c.subject
        return list(
            tx.execute(sa.select(subject).where(subject > after).distinct().order_by(subject).limit(limit)).scalars()
        )

    def subjects_by(self, tx: Transaction, keys: Collection[str], after: str, limit: int) -> list[str]:
        """Images about which one of these keys stated something here, in order, beyond `after`."""
        subject = attestations.c.subject
        query = sa.select(subject).where(subject > after, attestations.c.key_id.in_(keys))
        return list(tx.execute(query.distinct().order_by(subject).limit(limit)).scalars())

    def forget(self, tx: Transaction, subjects: Sequence[str]) -> None:
        """Images that are no more."""
        tx.execute(sa.delete(attestations).where(attestations.c.subject.in_(subjects)))


def _read(row: Any) -> Attestation:
    return Attestation(
        repository=row.repository,
        digest=Digest.parse(row.digest),
        subject=Digest.parse(row.subject),
        predicate_type=row.predicate_type,
        statement=Digest.parse(row.statement),
        key_id=row.key_id,
        made_at=row.made_at,
        until=row.until,
    )
