"""This room's tables: what was done and how it ended, and what is to be done when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from lading.state import Transaction, metadata

runs: Final = sa.Table(
    "backup_runs",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("work", sa.Text, nullable=False, comment="create, verify or drill"),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("started", sa.Text, nullable=False),
    sa.Column("ended", sa.Text, nullable=False, server_default=""),
    sa.Column("outcome", sa.Text, nullable=False, comment="running, succeeded or failed"),
    sa.Column("backup", sa.Text, nullable=False, server_default=""),
    sa.Column("at", sa.Text, nullable=False, server_default="", comment="the moment of the backup"),
    sa.Column("repository", sa.Text, nullable=False, server_default=""),
    sa.Column("figures", sa.LargeBinary, nullable=False),
    sa.Column("why", sa.Text, nullable=False, server_default=""),
    sa.Index("ix_backup_runs_work_id", "work", "id"),
)

plans: Final = sa.Table(
    "backup_plans",
    metadata,
    sa.Column("work", sa.Text, primary_key=True),
    sa.Column("every_seconds", sa.BigInteger, nullable=False),
    sa.Column("due", sa.Text, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
)


def insert_run(tx: Transaction, values: dict[str, Any]) -> None:
    """Keep that something began."""
    tx.execute(sa.insert(runs).values(**values))


def end_run(tx: Transaction, run: str, values: dict[str, Any]) -> bool:
    """Keep how it ended; whether it was still running."""
    here = (runs.c.id == run) & (runs.c.outcome == "running")
    return tx.execute(sa.update(runs).where(here).values(**values)).rowcount > 0


def running(tx: Transaction, host: str) -> Sequence[sa.Row[Any]]:
    """What has begun on a machine and has not ended."""
    return tx.execute(sa.select(runs).where(runs.c.outcome == "running", runs.c.host == host)).all()


def recent(tx: Transaction, work: str, limit: int) -> Sequence[sa.Row[Any]]:
    """The youngest of a kind, youngest first; of every kind for an empty one."""
    query = sa.select(runs).order_by(runs.c.id.desc()).limit(limit)
    return tx.execute(query.where(runs.c.work == work) if work else query).all()


def last(tx: Transaction, work: str, outcome: str) -> sa.Row[Any] | None:
    """The youngest of a kind that ended in one way."""
    query = sa.select(runs).where(runs.c.work == work, runs.c.outcome == outcome).order_by(runs.c.id.desc())
    return tx.execute(query.limit(1)).first()


def last_repository(tx: Transaction) -> str:
    """The id of the repository that the last good backup went into; empty when there was none."""
    found = last(tx, "create", "succeeded")
    return str(found.repository) if found else ""


def drop_old_runs(tx: Transaction, before: str) -> None:
    """Forget what ended long ago."""
    tx.execute(sa.delete(runs).where(runs.c.ended != "", runs.c.ended < before))


def all_plans(tx: Transaction) -> Sequence[sa.Row[Any]]:
    """Every plan."""
    return tx.execute(sa.select(plans).order_by(plans.c.work)).all()


def save_plan(tx: Transaction, values: dict[str, Any]) -> None:
    """Keep a plan instead of the one for the same work."""
    delete_plan(tx, values["work"])
    tx.execute(sa.insert(plans).values(**values))


def delete_plan(tx: Transaction, work: str) -> bool:
    """Remove a plan; whether there was one."""
    return tx.execute(sa.delete(plans).where(plans.c.work == work)).rowcount > 0


def claim_due(tx: Transaction, work: str, due: str, following: str) -> bool:
    """Take what is due, for one claimer of several; whether it was ours to take."""
    here = (plans.c.work == work) & (plans.c.due == due)
    return tx.execute(sa.update(plans).where(here).values(due=following)).rowcount > 0
