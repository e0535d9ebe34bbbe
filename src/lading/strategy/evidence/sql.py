"""How often each kind of fact was seen, and where last."""

from __future__ import annotations

from typing import Final

import msgspec
import sqlalchemy as sa

from lading.state import Transaction
from lading.state.schema import metadata

seen: Final = sa.Table(
    "strategy_evidence",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("times", sa.BigInteger, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
)
tools: Final = sa.Table(
    "strategy_tools",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("role", sa.Text, primary_key=True),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
)
waste: Final = sa.Table(
    "strategy_waste",
    metadata,
    sa.Column("tool", sa.Text, primary_key=True),
    sa.Column("times", sa.BigInteger, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
)


class Waste(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that did the same work again: how often, and for how many seconds, as far as they are known."""

    tool: str
    times: int
    seconds: float


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """How often a kind of fact was seen, and the last time: entry, moment and subject."""

    kind: str
    times: int
    seq: int
    at: str
    subject: str


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that took part, and in which role."""

    name: str
    role: str
    version: str
    at: str


def count(tx: Transaction, kind: str, times: int, seq: int, at: str, subject: str) -> None:
    """Add `times` sightings of a kind, the last one at entry `seq`."""
    values = {"times": seen.c.times + times, "seq": seq, "at": at, "subject": subject}
    if tx.execute(sa.update(seen).where(seen.c.kind == kind).values(values)).rowcount == 0:
        tx.execute(sa.insert(seen).values(kind=kind, times=times, seq=seq, at=at, subject=subject))


def keep_tool(tx: Transaction, tool: Tool) -> None:
    """Keep that a tool took part."""
    where = (tools.c.name == tool.name) & (tools.c.role == tool.role)
    if tx.execute(sa.update(tools).where(where).values(version=tool.version, at=tool.at)).rowcount == 0:
        tx.execute(sa.insert(tools).values(msgspec.structs.asdict(tool)))


def add_waste(tx: Transaction, tool: str, seconds: float) -> None:
    """Add one repetition of a tool's work."""
    values = {"times": waste.c.times + 1, "seconds": waste.c.seconds + seconds}
    if tx.execute(sa.update(waste).where(waste.c.tool == tool).values(values)).rowcount == 0:
        tx.execute(sa.insert(waste).values(tool=tool, times=1, seconds=seconds))


def all_waste(tx: Transaction) -> list[Waste]:
    """Every tool that repeated itself, the most seconds first."""
    query = sa.select(waste).order_by(waste.c.seconds.desc(), waste.c.times.desc(), waste.c.tool)
    return [Waste(**row._mapping) for row in tx.execute(query)]


def everything(tx: Transaction) -> tuple[dict[str, Seen], list[Tool]]:
    """All evidence by kind, and all tools by role."""
    kinds = {row.kind: Seen(**row._mapping) for row in tx.execute(sa.select(seen))}
    found = tx.execute(sa.select(tools).order_by(tools.c.role, tools.c.name))
    return kinds, [Tool(**row._mapping) for row in found]
