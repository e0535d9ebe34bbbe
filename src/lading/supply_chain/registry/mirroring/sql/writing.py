"""Statements that write: upstreams, how they are, tags that were looked at, wishes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from lading.state import Transaction
from lading.supply_chain.registry.mirroring.sql.tables import health, seen, upstreams, wishes


def add_upstream(tx: Transaction, values: Mapping[str, Any]) -> None:
    """Keep a new upstream."""
    tx.execute(sa.insert(upstreams).values(**values))


def change_upstream(tx: Transaction, name: str, values: Mapping[str, Any]) -> bool:
    """Change columns of an upstream; whether there is one."""
    return tx.execute(sa.update(upstreams).where(upstreams.c.name == name).values(**values)).rowcount > 0


def remove_upstream(tx: Transaction, name: str) -> None:
    """Forget an upstream, and what was noted about it."""
    for table in (health, seen, wishes):
        tx.execute(sa.delete(table).where(table.c.upstream == name))
    tx.execute(sa.delete(upstreams).where(upstreams.c.name == name))


def lock_health(tx: Transaction, upstream: str, now: str) -> Any:
    """How an upstream is, to be changed in this transaction."""
    first = {"upstream": upstream, "standing": "up", "since": now}
    tx.execute(_insert(tx, health).values(**first).on_conflict_do_nothing())
    return tx.execute(sa.select(health).where(health.c.upstream == upstream).with_for_update()).one()


def change_health(tx: Transaction, upstream: str, **values: Any) -> None:
    """Change columns of how an upstream is."""
    tx.execute(sa.update(health).where(health.c.upstream == upstream).values(**values))


def save_tag(tx: Transaction, repository: str, tag: str, values: Mapping[str, Any]) -> None:
    """Keep how a tag was seen."""
    made = _insert(tx, seen).values(repository=repository, tag=tag, **values)
    tx.execute(made.on_conflict_do_update(index_elements=[seen.c.repository, seen.c.tag], set_=dict(values)))


def change_tags(tx: Transaction, upstream: str, **values: Any) -> None:
    """Change columns of all tags that came from an upstream."""
    tx.execute(sa.update(seen).where(seen.c.upstream == upstream).values(**values))


def note_wish(tx: Transaction, repository: str, reference: str, values: Mapping[str, Any]) -> None:
    """Note a wish; one that ended is made anew, one that is open only gets more urgent."""
    made = _insert(tx, wishes).values(repository=repository, reference=reference, **values)
    fresh = dict(begun="", ended="", outcome="", why="", until="", digest="", **values)
    key = [wishes.c.repository, wishes.c.reference]
    tx.execute(made.on_conflict_do_update(index_elements=key, set_=fresh, where=wishes.c.state == "done"))
    urgent = (wishes.c.repository == repository) & (wishes.c.reference == reference) & (wishes.c.rank > values["rank"])
    tx.execute(sa.update(wishes).where(urgent).values(rank=values["rank"]))


def claim_wish(tx: Transaction, repository: str, reference: str, now: str) -> bool:
    """Begin to work on a wish; whether nobody else does or did."""
    here = (wishes.c.repository == repository) & (wishes.c.reference == reference) & (wishes.c.state == "waiting")
    return tx.execute(sa.update(wishes).where(here).values(state="running", begun=now)).rowcount > 0


def end_wish(tx: Transaction, repository: str, reference: str, values: Mapping[str, Any]) -> None:
    """Say how a wish ended."""
    here = (wishes.c.repository == repository) & (wishes.c.reference == reference)
    tx.execute(sa.update(wishes).where(here).values(state="done", **values))


def renew_wishes(tx: Transaction) -> int:
    """Let wishes wait again that a process worked on which is gone; how many."""
    running = wishes.c.state == "running"
    return tx.execute(sa.update(wishes).where(running).values(state="waiting", begun="")).rowcount


def forget_wishes(tx: Transaction, before: str, outcomes: Collection[str] = ()) -> int:
    """Forget wishes that ended before a moment, in one of some ways or in any; how many."""
    old = sa.delete(wishes).where(wishes.c.state == "done", wishes.c.ended < before)
    return tx.execute(old.where(wishes.c.outcome.in_(outcomes)) if outcomes else old).rowcount


def forget_answers(tx: Transaction, upstream: str) -> None:
    """Forget how the wishes for an upstream ended: it is another one now, or is tried again."""
    tx.execute(sa.delete(wishes).where(wishes.c.upstream == upstream, wishes.c.state == "done"))


def _insert(tx: Transaction, table: sa.Table) -> Any:
    return postgresql.insert(table) if tx.dialect.name == "postgresql" else sqlite.insert(table)
