"""Rows of VEX statements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from lading.state import Transaction
from lading.supply_chain.match.sql import chunks, image_groups, images, members, names, vex, vex_names
from lading.supply_chain.match.vex.statement import Statement

_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(Statement).decode


class Kept(NamedTuple):
    """A statement, and who took it in when."""

    statement: Statement
    taken: str
    actor: str


class VexStore:
    """Every method works in the caller's transaction."""

    def put(self, tx: Transaction, statements: Sequence[Statement], *, taken: str, actor: str) -> None:
        """Keep statements, in the place of those with the same ids."""
        self.remove(tx, [one.id for one in statements])
        tx.execute(sa.insert(vex), [
            {"id": one.id, "document": one.document, "until": one.until, "taken": taken, "actor": actor,
             "body": _encode(one)}
            for one in statements
        ])  # fmt: skip
        tx.execute(sa.insert(vex_names), [{"name": name, "vex": one.id} for one in statements for name in one.names])

    def remove(self, tx: Transaction, ids: Sequence[str]) -> None:
        """Forget statements."""
        for chunk in chunks(ids):
            tx.execute(sa.delete(vex).where(vex.c.id.in_(chunk)))
            tx.execute(sa.delete(vex_names).where(vex_names.c.vex.in_(chunk)))

    def all(self, tx: Transaction) -> list[Kept]:
        """Every statement, oldest first."""
        rows = tx.execute(sa.select(vex.c.body, vex.c.taken, vex.c.actor).order_by(vex.c.taken, vex.c.id))
        return [Kept(_decode(bytes(body)), taken, actor) for body, taken, actor in rows]

    def called(self, tx: Transaction, name: str) -> list[Statement]:
        """The statement with this id, or all of the document with it."""
        rows = tx.execute(sa.select(vex.c.body).where(sa.or_(vex.c.id == name, vex.c.document == name)))
        return [_decode(bytes(body)) for body in rows.scalars()]

    def about(self, tx: Transaction, some: Sequence[str], now: str) -> list[Statement]:
        """The statements about flaws of these names that have not ended."""
        if not self.is_any(tx):
            return []
        found: dict[str, Statement] = {}
        query = sa.select(vex.c.id, vex.c.body).join(vex_names, vex_names.c.vex == vex.c.id).where(vex.c.until > now)
        for chunk in chunks(some):
            for identity, body in tx.execute(query.where(vex_names.c.name.in_(chunk))):
                found[identity] = _decode(bytes(body))
        return list(found.values())

    def ended(self, tx: Transaction, now: str) -> list[Statement]:
        """Those that have ended, and whose end was not told yet."""
        rows = tx.execute(sa.select(vex.c.body).where(vex.c.until <= now, vex.c.ended.is_(False)))
        return [_decode(bytes(body)) for body in rows.scalars()]

    def tell_ended(self, tx: Transaction, ids: Sequence[str]) -> None:
        """Note that their end was told."""
        for chunk in chunks(ids):
            tx.execute(sa.update(vex).where(vex.c.id.in_(chunk)).values(ended=True))

    def concerned(self, tx: Transaction, some: Sequence[str], now: str) -> set[str]:
        """Those of the images in which a flaw is that some statement names."""
        if not self.is_any(tx):
            return set()
        query = (
            sa.select(images.c.image)
            .distinct()
            .join(image_groups, image_groups.c.image_id == images.c.id)
            .join(members, members.c.group_id == image_groups.c.group_id)
            .join(names, names.c.package == members.c.package)
            .join(vex_names, vex_names.c.name == names.c.name)
            .join(vex, vex.c.id == vex_names.c.vex)
            .where(vex.c.until > now)
        )
        return {
            image for chunk in chunks(some) for image in tx.execute(query.where(images.c.image.in_(chunk))).scalars()
        }

    def is_any(self, tx: Transaction) -> bool:
        """Whether there is any statement."""
        return tx.execute(sa.select(vex.c.id).limit(1)).first() is not None
