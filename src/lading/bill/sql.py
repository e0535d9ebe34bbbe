"""The bill's own projection: which subjects belong together, so that one subject's history includes its relatives."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from lading.state import Transaction
from lading.state.schema import metadata

subjects: Final = sa.Table(
    "bill_subjects",
    metadata,
    sa.Column("subject", sa.Text, primary_key=True, comment="kind:id"),
    sa.Column("name", sa.Text, nullable=False, comment="what people call it"),
    sa.Column("team", sa.Text, nullable=False, server_default=""),
    sa.Column("body", sa.LargeBinary, nullable=False, comment="what is known of it, JSON"),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Index("ix_bill_subjects_name", "name"),
)

relatives: Final = sa.Table(
    "bill_relatives",
    metadata,
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("relative", sa.Text, primary_key=True),
    sa.Column("relation", sa.Text, nullable=False, comment="image, container, base or workload"),
    sa.Column("seq", sa.BigInteger, nullable=False),
)


def keep(tx: Transaction, subject: str, *, name: str, team: str, body: bytes, seq: int) -> None:
    """Keep what is known of a subject, in place of what was known before."""
    values: dict[str, Any] = {"body": body, "seq": seq, "name": name, "team": team}
    if tx.execute(sa.update(subjects).where(subjects.c.subject == subject).values(values)).rowcount == 0:
        tx.execute(sa.insert(subjects).values(subject=subject, **values))


def relate(tx: Transaction, subject: str, relative: str, relation: str, seq: int) -> None:
    """Keep that two subjects belong together."""
    where = (relatives.c.subject == subject) & (relatives.c.relative == relative)
    if tx.execute(sa.update(relatives).where(where).values(relation=relation, seq=seq)).rowcount == 0:
        values = {"subject": subject, "relative": relative, "relation": relation, "seq": seq}
        tx.execute(sa.insert(relatives).values(values))


def body_of(tx: Transaction, subject: str) -> bytes | None:
    """What is known of a subject."""
    return tx.execute(sa.select(subjects.c.body).where(subjects.c.subject == subject)).scalar()


def relatives_of(tx: Transaction, subject: str, relation: str = "") -> list[str]:
    """The relatives of a subject, those heard of last first."""
    query = sa.select(relatives.c.relative).where(relatives.c.subject == subject)
    if relation:
        query = query.where(relatives.c.relation == relation)
    return list(tx.execute(query.order_by(relatives.c.seq.desc())).scalars())


def named(tx: Transaction, text: str, limit: int = 50) -> list[tuple[str, str]]:
    """Subjects and names where the name, the id or a beginning of at least 6 characters of the id is `text`."""
    like = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    exact = (subjects.c.name == text) | subjects.c.subject.in_([text, f"container:{text}", f"image:{text}"])
    query = sa.select(subjects.c.subject, subjects.c.name, subjects.c.seq).where(exact)
    found = tx.execute(query.order_by(subjects.c.seq.desc()).limit(limit)).all()
    if not found and len(text) >= 6:
        prefixes = [f"container:{like}%", f"image:{like}%", f"image:sha256:{like}%"]
        matches = sa.or_(*(subjects.c.subject.like(prefix, escape="\\") for prefix in prefixes))
        wider = sa.select(subjects.c.subject, subjects.c.name, subjects.c.seq).where(matches)
        found = tx.execute(wider.order_by(subjects.c.seq.desc()).limit(limit)).all()
    return [(row.subject, row.name) for row in found]
