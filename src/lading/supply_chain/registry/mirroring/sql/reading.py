"""Statements that read: upstreams, how they are, tags that were looked at, wishes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from lading.state import Transaction
from lading.supply_chain.registry.mirroring.sql.tables import health, seen, upstreams, wishes

Row = Any


def upstream_rows(tx: Transaction) -> Sequence[Row]:
    """The upstreams, by name."""
    return tx.execute(sa.select(upstreams).order_by(upstreams.c.name)).all()


def upstream_row(tx: Transaction, name: str) -> Row | None:
    """One upstream."""
    return tx.execute(sa.select(upstreams).where(upstreams.c.name == name)).first()


def health_row(tx: Transaction, upstream: str) -> Row | None:
    """How an upstream is; None while nobody asked it anything."""
    return tx.execute(sa.select(health).where(health.c.upstream == upstream)).first()


def health_rows(tx: Transaction) -> Sequence[Row]:
    """How the upstreams are, by name."""
    return tx.execute(sa.select(health).order_by(health.c.upstream)).all()


def seen_tag(tx: Transaction, repository: str, tag: str) -> Row | None:
    """A tag as it was last seen."""
    return tx.execute(sa.select(seen).where(seen.c.repository == repository, seen.c.tag == tag)).first()


def seen_tags(tx: Transaction, upstream: str, repository: str) -> Sequence[Row]:
    """The tags of a repository that came from an upstream."""
    query = sa.select(seen).where(seen.c.upstream == upstream, seen.c.repository == repository)
    return tx.execute(query.order_by(seen.c.tag)).all()


def repositories_seen(tx: Transaction, upstream: str) -> list[str]:
    """The repositories of ours with tags that came from an upstream."""
    query = sa.select(seen.c.repository).where(seen.c.upstream == upstream).distinct().order_by(seen.c.repository)
    return list(tx.execute(query).scalars())


def remarkable_tags(tx: Transaction, upstream: str, limit: int) -> Sequence[Row]:
    """Tags that went at the upstream, or whose image there is not served here."""
    query = sa.select(seen).where(seen.c.upstream == upstream, sa.or_(seen.c.gone != "", seen.c.held != ""))
    return tx.execute(query.order_by(seen.c.repository, seen.c.tag).limit(limit)).all()


def tag_counts(tx: Transaction, upstream: str) -> Row:
    """How many tags came from an upstream, how many of them went there, how many are held here."""
    query = sa.select(
        sa.func.count().label("tags"),
        sa.func.coalesce(sa.func.sum(sa.case((seen.c.gone != "", 1), else_=0)), 0).label("gone"),
        sa.func.coalesce(sa.func.sum(sa.case((seen.c.held != "", 1), else_=0)), 0).label("held"),
    )
    return tx.execute(query.where(seen.c.upstream == upstream)).one()


def wish(tx: Transaction, repository: str, reference: str) -> Row | None:
    """The wish for an image."""
    return tx.execute(sa.select(wishes).where(_this(repository, reference))).first()


def waiting_wishes(tx: Transaction, limit: int) -> Sequence[Row]:
    """Wishes that nobody works on, in their order."""
    query = sa.select(wishes).where(wishes.c.state == "waiting")
    return tx.execute(query.order_by(wishes.c.rank, wishes.c.noted).limit(limit)).all()


def open_wishes(tx: Transaction, upstream: str) -> dict[str, int]:
    """How many wishes wait and run for an upstream."""
    query = sa.select(wishes.c.state, sa.func.count()).where(wishes.c.upstream == upstream, wishes.c.state != "done")
    return {state: int(count) for state, count in tx.execute(query.group_by(wishes.c.state))}


def count_waiting(tx: Transaction) -> int:
    """How many wishes wait that somebody waits for."""
    query = sa.select(sa.func.count()).where(wishes.c.state == "waiting", wishes.c.rank == 0)
    return int(tx.execute(query).scalar() or 0)


def failed_wishes(tx: Transaction, upstream: str, limit: int) -> Sequence[Row]:
    """Wishes that ended badly, the latest first."""
    query = sa.select(wishes).where(wishes.c.upstream == upstream, wishes.c.state == "done", wishes.c.why != "")
    return tx.execute(query.order_by(wishes.c.ended.desc()).limit(limit)).all()


def _this(repository: str, reference: str) -> sa.ColumnElement[bool]:
    return sa.and_(wishes.c.repository == repository, wishes.c.reference == reference)
