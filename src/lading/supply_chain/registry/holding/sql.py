"""The table of holds and its statements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from lading.state import Transaction, metadata

_LOCK: Final = 0x1AD2

holds: Final = sa.Table(
    "registry_holds",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True, comment="the backup's id, or the digest of the image that is held"),
    sa.Column("until", sa.Text, nullable=False, server_default="", comment="empty: until it is released"),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("made", sa.Text, nullable=False),
)


def shut_out_readers(tx: Transaction) -> None:
    """Wait until nobody decides by the holds, and keep everybody from it until the transaction ends.

    SQLite has one writer at a time anyway.
    """
    if tx.dialect.name == "postgresql":
        tx.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def shut_out_writers(tx: Transaction) -> None:
    """Keep new holds waiting until the transaction ends; others may decide by the holds at the same time."""
    if tx.dialect.name == "postgresql":
        tx.execute(sa.text("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": _LOCK})


def save(tx: Transaction, values: dict[str, str]) -> None:
    """Keep a hold; the one of the same kind and name is replaced."""
    delete(tx, values["kind"], values["name"])
    tx.execute(sa.insert(holds).values(**values))


def extend(tx: Transaction, kind: str, name: str, until: str) -> bool:
    """Let a hold end later; whether there is one."""
    here = (holds.c.kind == kind) & (holds.c.name == name)
    return tx.execute(sa.update(holds).where(here).values(until=until)).rowcount > 0


def delete(tx: Transaction, kind: str, name: str) -> bool:
    """Remove a hold; whether it was there."""
    return tx.execute(sa.delete(holds).where(holds.c.kind == kind, holds.c.name == name)).rowcount > 0


def delete_ended(tx: Transaction, kind: str, now: str) -> None:
    """Remove the holds of a kind that ran out."""
    tx.execute(sa.delete(holds).where(holds.c.kind == kind, holds.c.until != "", holds.c.until <= now))


def in_force(tx: Transaction, now: str, kind: str = "") -> Sequence[sa.Row[Any]]:
    """The holds that have not run out, oldest first."""
    query = sa.select(holds).where((holds.c.until == "") | (holds.c.until > now))
    if kind:
        query = query.where(holds.c.kind == kind)
    return tx.execute(query.order_by(holds.c.made, holds.c.name)).all()


def find(tx: Transaction, kind: str, name: str) -> sa.Row[Any] | None:
    """One hold, also one that ran out."""
    return tx.execute(sa.select(holds).where(holds.c.kind == kind, holds.c.name == name)).first()
