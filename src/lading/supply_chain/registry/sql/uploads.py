"""The state of uploads into an object store, shared by every process on the database."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from lading.state import Transaction
from lading.supply_chain.registry.sql.tables import upload_pieces, uploads


class Piece(NamedTuple):
    """A part of an upload: the object that holds it, where it begins, and its bytes."""

    key: str
    at: int
    size: int


def start(tx: Transaction, upload: str, now: str) -> None:
    """Begin an upload."""
    tx.execute(sa.insert(uploads).values(id=upload, size=0, touched=now))


def size(tx: Transaction, upload: str) -> int | None:
    """How many bytes an upload has; None when there is no such upload."""
    return tx.execute(sa.select(uploads.c.size).where(uploads.c.id == upload)).scalar()


def pieces(tx: Transaction, upload: str) -> list[Piece]:
    """The pieces of an upload, in order."""
    query = sa.select(upload_pieces.c.key, upload_pieces.c.at, upload_pieces.c.size)
    query = query.where(upload_pieces.c.upload == upload, upload_pieces.c.size.is_not(None))
    return [Piece(*row) for row in tx.execute(query.order_by(upload_pieces.c.at))]


def last_pieces(tx: Transaction, upload: str, limit: int) -> list[Piece]:
    """The last pieces of an upload, at most `limit`, in order."""
    query = sa.select(upload_pieces.c.key, upload_pieces.c.at, upload_pieces.c.size)
    query = query.where(upload_pieces.c.upload == upload, upload_pieces.c.size.is_not(None))
    return [Piece(*row) for row in tx.execute(query.order_by(upload_pieces.c.at.desc()).limit(limit))][::-1]


def intend(tx: Transaction, key: str, upload: str, at: int, now: str) -> None:
    """Note down that an object is about to be written."""
    tx.execute(sa.insert(upload_pieces).values(key=key, upload=upload, at=at, made=now))


def accept(tx: Transaction, upload: str, piece: Piece, now: str) -> bool:
    """Make a piece a part of its upload; False when the upload ends elsewhere by now, or is gone."""
    here = (uploads.c.id == upload) & (uploads.c.size == piece.at)
    if tx.execute(sa.update(uploads).where(here).values(size=piece.at + piece.size, touched=now)).rowcount == 0:
        return False
    return _fill(tx, piece)


def merge(tx: Transaction, upload: str, merged: Piece, parts: Collection[str]) -> bool:
    """Put one piece in the place of several; False when they are no longer there. Their objects become leftovers."""
    if tx.execute(sa.select(uploads.c.id).where(uploads.c.id == upload).with_for_update()).first() is None:
        return False
    replaced = sa.update(upload_pieces).where(upload_pieces.c.key.in_(parts), upload_pieces.c.size.is_not(None))
    if tx.execute(replaced.values(size=None, upload="")).rowcount != len(parts):
        return False
    return _fill(tx, merged)


def close(tx: Transaction, upload: str) -> bool:
    """Forget an upload; its objects become leftovers. Whether it was there."""
    return tx.execute(sa.delete(uploads).where(uploads.c.id == upload)).rowcount > 0


def close_idle(tx: Transaction, before: str) -> int:
    """Forget uploads that got nothing since `before`; returns how many."""
    return tx.execute(sa.delete(uploads).where(uploads.c.touched < before)).rowcount


def leftovers(tx: Transaction, before: str, limit: int) -> list[str]:
    """Objects that belong to no upload any more, or were intended before `before` and never became a part of one."""
    known = sa.select(uploads.c.id).where(uploads.c.id == upload_pieces.c.upload).exists()
    stale = upload_pieces.c.size.is_(None) & (upload_pieces.c.made < before)
    lost = upload_pieces.c.size.is_not(None) & ~known
    query = sa.select(upload_pieces.c.key).where(stale | lost).order_by(upload_pieces.c.key).limit(limit)
    return list(tx.execute(query).scalars())


def forget_pieces(tx: Transaction, keys: Sequence[str]) -> None:
    """Forget objects that are gone."""
    if keys:
        tx.execute(sa.delete(upload_pieces).where(upload_pieces.c.key.in_(keys)))


def _fill(tx: Transaction, piece: Piece) -> bool:
    """Say how large an intended piece became; False when it was swept away meanwhile."""
    here: Any = upload_pieces.c.key == piece.key
    return tx.execute(sa.update(upload_pieces).where(here).values(size=piece.size)).rowcount > 0
