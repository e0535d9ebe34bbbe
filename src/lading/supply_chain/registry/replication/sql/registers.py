"""Statements about registers, positions, accepted regions and conflicts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from lading.state import Transaction
from lading.supply_chain.registry.replication.sql.tables import conflicts, positions, regions, registers
from lading.supply_chain.registry.replication.stamps import Kind, Register

_LEDGER = "ledger"
_FEW = 500


def hold_still(tx: Transaction) -> None:
    """Give up soon rather than keep a push waiting: the transaction takes its locks in another order than a push."""
    if tx.dialect.name == "postgresql":
        tx.execute(sa.text("SET LOCAL lock_timeout = '500ms'"))


def register(tx: Transaction, kind: Kind, name: str) -> Register | None:
    """One register."""
    return next(iter(named(tx, kind, [name]).values()), None)


def named(tx: Transaction, kind: Kind, names: Collection[str]) -> dict[str, Register]:
    """Several registers of one kind, by name."""
    found: dict[str, Register] = {}
    listed = list(names)
    for start in range(0, len(listed), _FEW):
        here = listed[start : start + _FEW]
        query = sa.select(registers).where(registers.c.kind == kind, registers.c.name.in_(here))
        found |= {row.name: _register(row) for row in tx.execute(query)}
    return found


def actors(tx: Transaction, kind: Kind, names: Collection[str]) -> dict[str, str]:
    """Who made the moves that set some registers."""
    query = sa.select(registers.c.name, registers.c.actor)
    query = query.where(registers.c.kind == kind, registers.c.name.in_(list(names)))
    return {row.name: row.actor for row in tx.execute(query)}


def keep(tx: Transaction, item: Register, actor: str) -> None:
    """Keep a register."""
    values = {
        "value": item.value,
        "at": item.at,
        "region": item.region,
        "made": msgspec.json.encode(item.made).decode(),
        "seen": msgspec.json.encode(item.seen).decode(),
        "epoch": item.epoch,
        "actor": actor,
    }
    here = (registers.c.kind == item.kind) & (registers.c.name == item.name)
    if tx.execute(sa.update(registers).where(here).values(**values)).rowcount == 0:
        tx.execute(sa.insert(registers).values(kind=item.kind, name=item.name, **values))


def _register(row: Any) -> Register:
    return Register(
        kind=Kind(row.kind),
        name=row.name,
        value=row.value,
        at=row.at,
        region=row.region,
        made=msgspec.json.decode(row.made),
        seen=msgspec.json.decode(row.seen),
        epoch=row.epoch,
    )


def position(tx: Transaction) -> int:
    """How far the ledger was taken into the registers; nobody else moves it until the transaction ends."""
    query = sa.select(positions.c.seq).where(positions.c.name == _LEDGER).with_for_update()
    return tx.execute(query).scalar() or 0


def move_position(tx: Transaction, seq: int) -> None:
    """Keep how far the ledger was taken in."""
    if tx.execute(sa.update(positions).where(positions.c.name == _LEDGER).values(seq=seq)).rowcount == 0:
        tx.execute(sa.insert(positions).values(name=_LEDGER, seq=seq))


def region_rows(tx: Transaction) -> Sequence[Any]:
    """The accepted regions, by name."""
    return tx.execute(sa.select(regions).order_by(regions.c.name)).all()


def region(tx: Transaction, name: str) -> Any | None:
    """An accepted region."""
    return tx.execute(sa.select(regions).where(regions.c.name == name)).first()


def keep_region(tx: Transaction, name: str, values: Mapping[str, Any]) -> None:
    """Accept a region, or change on what terms."""
    if tx.execute(sa.update(regions).where(regions.c.name == name).values(**values)).rowcount == 0:
        tx.execute(sa.insert(regions).values(name=name, **values))


def forget_region(tx: Transaction, name: str) -> bool:
    """Accept a region no longer; whether it was accepted."""
    return tx.execute(sa.delete(regions).where(regions.c.name == name)).rowcount > 0


def heard(tx: Transaction, name: str, now: str, applied: int, refused: int) -> None:
    """Note that a region said something."""
    counted = {"applied": regions.c.applied + applied, "refused": regions.c.refused + refused}
    tx.execute(sa.update(regions).where(regions.c.name == name).values(heard=now, **counted))


def keep_conflict(tx: Transaction, values: Mapping[str, Any]) -> None:
    """Keep how a conflict was resolved."""
    tx.execute(sa.insert(conflicts).values(**values))


def latest_conflicts(tx: Transaction, limit: int) -> Sequence[Any]:
    """Conflicts, the latest first."""
    return tx.execute(sa.select(conflicts).order_by(conflicts.c.id.desc()).limit(limit)).all()


def count_conflicts(tx: Transaction) -> int:
    """How many conflicts there ever were."""
    return tx.execute(sa.select(sa.func.count()).select_from(conflicts)).scalar_one()
