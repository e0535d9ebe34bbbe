"""Statements about targets, what waits for them, uploads under way, and delays."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from lading.state import Transaction
from lading.supply_chain.registry.replication.sql.tables import delays, items, targets, uploads

Row = Any


def target_rows(tx: Transaction) -> Sequence[Row]:
    """The targets, by name."""
    return tx.execute(sa.select(targets).order_by(targets.c.name)).all()


def target(tx: Transaction, name: str, *, for_update: bool = False) -> Row | None:
    """One target."""
    query = sa.select(targets).where(targets.c.name == name)
    return tx.execute(query.with_for_update() if for_update else query).first()


def add_target(tx: Transaction, values: Mapping[str, Any]) -> None:
    """Keep a new target."""
    tx.execute(sa.insert(targets).values(**values))


def change_target(tx: Transaction, name: str, **values: Any) -> None:
    """Change columns of a target."""
    tx.execute(sa.update(targets).where(targets.c.name == name).values(**values))


def remove_target(tx: Transaction, name: str) -> None:
    """Forget a target and all that waits for it."""
    for table in (items, uploads, delays):
        tx.execute(sa.delete(table).where(table.c.target == name))
    tx.execute(sa.delete(targets).where(targets.c.name == name))


def count_sent(tx: Transaction, name: str, sent: int, size: int) -> None:
    """Count what a target got."""
    values = {"items": targets.c["items"] + sent, "bytes": targets.c.bytes + size}
    tx.execute(sa.update(targets).where(targets.c.name == name).values(**values))


def note_items(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """Note what changed; for what is waiting already, that it changed again, which is tried at once."""
    if not rows:
        return
    made = postgresql.insert(items) if tx.dialect.name == "postgresql" else sqlite.insert(items)
    key = [items.c.target, items.c.lane, items.c.kind, items.c.name]
    again = {"seq": made.excluded.seq, "due": "", "attempts": 0, "error": ""}
    tx.execute(made.on_conflict_do_update(index_elements=key, set_=again), rows)


def due_items(tx: Transaction, target: str, lane: int, now: str, limit: int) -> Sequence[Row]:
    """What waits and may be tried now, by the order of the ledger."""
    query = sa.select(items).where(items.c.target == target, items.c.lane == lane, items.c.due <= now)
    return tx.execute(query.order_by(items.c.seq, items.c.kind, items.c.name).limit(limit)).all()


def next_due(tx: Transaction, target: str, lane: int) -> str | None:
    """When something that waits may be tried; None when nothing waits."""
    query = sa.select(sa.func.min(items.c.due)).where(items.c.target == target, items.c.lane == lane)
    return tx.execute(query).scalar()


def waiting_tags(tx: Transaction, target: str, repository: str) -> Sequence[Row]:
    """The tags of a repository that wait."""
    below = items.c.name.startswith(f"{repository}:", autoescape=True)
    query = sa.select(items).where(items.c.target == target, items.c.kind == "tag", below)
    return tx.execute(query.order_by(items.c.seq).limit(1_000)).all()


def drop_item(tx: Transaction, row: Row) -> bool:
    """An item that was sent goes, unless it changed meanwhile; whether it went."""
    return tx.execute(sa.delete(items).where(_same(row), items.c.seq == row.seq)).rowcount > 0


def delay_item(tx: Transaction, row: Row, due: str, error: str, attempts: int) -> None:
    """Try an item again later, unless it changed meanwhile."""
    values = {"due": due, "error": error[:500], "attempts": attempts}
    tx.execute(sa.update(items).where(_same(row), items.c.seq == row.seq).values(**values))


def hurry(tx: Transaction, target: str) -> None:
    """Try everything that waits at once."""
    tx.execute(sa.update(items).where(items.c.target == target).values(due=""))


def waiting(tx: Transaction, target: str) -> Sequence[Row]:
    """For each lane: how many items wait, since when the oldest (us), and how many failed before."""
    failed = sa.func.sum(sa.case((items.c.error != "", 1), else_=0)).label("failed")
    query = sa.select(items.c.lane, sa.func.count().label("items"), sa.func.min(items.c.since).label("oldest"), failed)
    return tx.execute(query.where(items.c.target == target).group_by(items.c.lane).order_by(items.c.lane)).all()


def failing_items(tx: Transaction, target: str, limit: int) -> Sequence[Row]:
    """What was tried in vain, oldest first."""
    query = sa.select(items).where(items.c.target == target, items.c.error != "")
    return tx.execute(query.order_by(items.c.seq).limit(limit)).all()


def count_delay(tx: Transaction, target: str, hour: str, waited_us: Collection[int]) -> None:
    """Count how long items waited."""
    if not waited_us:
        return
    here = (delays.c.target == target) & (delays.c.hour == hour)
    worst = max(waited_us)
    values = {
        "items": delays.c["items"] + len(waited_us),
        "total_us": delays.c.total_us + sum(waited_us),
        "worst_us": sa.case((delays.c.worst_us < worst, worst), else_=delays.c.worst_us),
    }
    if tx.execute(sa.update(delays).where(here).values(**values)).rowcount == 0:
        row = {"items": len(waited_us), "total_us": sum(waited_us), "worst_us": worst}
        tx.execute(sa.insert(delays).values(target=target, hour=hour, **row))


def delays_since(tx: Transaction, target: str, hour: str) -> Row:
    """Items, worst and total delay since an hour."""
    query = sa.select(
        sa.func.coalesce(sa.func.sum(delays.c["items"]), 0).label("items"),
        sa.func.coalesce(sa.func.max(delays.c.worst_us), 0).label("worst_us"),
        sa.func.coalesce(sa.func.sum(delays.c.total_us), 0).label("total_us"),
    )
    return tx.execute(query.where(delays.c.target == target, delays.c.hour >= hour)).one()


def forget_delays(tx: Transaction, target: str, before: str) -> None:
    """Forget old delays."""
    tx.execute(sa.delete(delays).where(delays.c.target == target, delays.c.hour < before))


def upload(tx: Transaction, target: str, repository: str, digest: str) -> str | None:
    """The sealed location of an upload under way."""
    return tx.execute(sa.select(uploads.c.location).where(_upload(target, repository, digest))).scalar()


def keep_upload(tx: Transaction, target: str, repository: str, digest: str, location: str, now: str) -> None:
    """Keep where an upload goes on."""
    here = _upload(target, repository, digest)
    if tx.execute(sa.update(uploads).where(here).values(location=location, at=now)).rowcount == 0:
        row = {"target": target, "repository": repository, "digest": digest, "location": location, "at": now}
        tx.execute(sa.insert(uploads).values(**row))


def forget_upload(tx: Transaction, target: str, repository: str, digest: str) -> None:
    """An upload ended."""
    tx.execute(sa.delete(uploads).where(_upload(target, repository, digest)))


def _upload(target: str, repository: str, digest: str) -> sa.ColumnElement[bool]:
    return sa.and_(uploads.c.target == target, uploads.c.repository == repository, uploads.c.digest == digest)


def _same(row: Row) -> sa.ColumnElement[bool]:
    return sa.and_(
        items.c.target == row.target, items.c.lane == row.lane, items.c.kind == row.kind, items.c.name == row.name
    )
