"""The tables of reports: what was handed in about which image, and by which ids its flaws are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa
import zstandard

from lading.state import Transaction
from lading.state.schema import BigInteger, metadata
from lading.supply_chain.foreign.report import ForeignReport

reports: Final = sa.Table(
    "foreign_reports",
    metadata,
    sa.Column("id", BigInteger, primary_key=True, autoincrement=True),
    sa.Column("image", sa.Text, nullable=False),
    sa.Column("content", sa.Text, nullable=False, comment="digest of the report as it was handed in"),
    sa.Column("form", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("tool", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("configuration", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("attestation", sa.Text, nullable=False),
    sa.Column("current", sa.Boolean, nullable=False, comment="no later report of the same tool and configuration"),
    sa.Column("body", sa.LargeBinary, nullable=False, comment="zstd of msgpack"),
    sa.Index("ix_foreign_reports_image_content", "image", "content", unique=True),
)

names: Final = sa.Table(
    "foreign_names",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("image", sa.Text, primary_key=True),
    sa.Column("report", sa.BigInteger, primary_key=True),
    sa.Index("ix_foreign_names_report", "report"),
)

_MOST: Final = 1 << 30
_decode = msgspec.msgpack.Decoder(ForeignReport).decode


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A report as it is kept."""

    id: int
    image: str
    content: str
    at: str
    actor: str
    attestation: str
    current: bool
    report: ForeignReport


def known(tx: Transaction, image: str, content: str) -> Row | None:
    """The same report about the same image, if it was handed in before."""
    query = sa.select(reports).where(reports.c.image == image, reports.c.content == content)
    row = tx.execute(query).first()
    return None if row is None else _row(row)


def same_setting(tx: Transaction, image: str, report: ForeignReport) -> int:
    """How many reports of the same tool, version and configuration there are about an image."""
    return int(tx.execute(sa.select(sa.func.count()).where(*_same(image, report))).scalar() or 0)


def add(
    tx: Transaction, image: str, content: str, at: str, actor: str, attestation: str, report: ForeignReport
) -> None:
    """Keep a report as the current one of its tool and configuration; the names of older ones are forgotten."""
    older = [*_same(image, report)[:3], reports.c.configuration == report.configuration, reports.c.current.is_(True)]
    stale = list(tx.execute(sa.select(reports.c.id).where(*older)).scalars())
    if stale:
        tx.execute(sa.update(reports).where(reports.c.id.in_(stale)).values(current=False))
        tx.execute(sa.delete(names).where(names.c.report.in_(stale)))
    values = {
        "image": image, "content": content, "form": report.form, "kind": report.kind, "tool": report.tool,
        "version": report.version, "configuration": report.configuration, "at": at, "actor": actor,
        "attestation": attestation, "current": True,
        "body": zstandard.ZstdCompressor(level=3).compress(msgspec.msgpack.encode(report)),
    }  # fmt: skip
    number = tx.execute(sa.insert(reports).values(values).returning(reports.c.id)).scalar_one()
    told = {name for one in report.results if one.kind == "vulnerability" for name in one.names}
    if told:
        tx.execute(sa.insert(names), [{"name": name, "image": image, "report": number} for name in sorted(told)])


def of(tx: Transaction, image: str) -> list[Row]:
    """Every report about an image, oldest first."""
    query = sa.select(reports).where(reports.c.image == image).order_by(reports.c.id)
    return [_row(row) for row in tx.execute(query)]


def images_with(tx: Transaction, some: Sequence[str], limit: int) -> list[str]:
    """The images of which a current report tells a flaw by one of these names."""
    query = sa.select(names.c.image).where(names.c.name.in_(some)).distinct().limit(limit)
    return list(tx.execute(query).scalars())


def images_after(tx: Transaction, after: str, limit: int) -> list[str]:
    """Images with reports, in order, beyond `after`."""
    query = sa.select(reports.c.image).where(reports.c.image > after).distinct().order_by(reports.c.image)
    return list(tx.execute(query.limit(limit)).scalars())


def forget(tx: Transaction, images: Sequence[str]) -> None:
    """Images that are no more."""
    gone = sa.select(reports.c.id).where(reports.c.image.in_(images))
    tx.execute(sa.delete(names).where(names.c.report.in_(gone)))
    tx.execute(sa.delete(reports).where(reports.c.image.in_(images)))


def _same(image: str, report: ForeignReport) -> list[Any]:
    return [
        reports.c.image == image,
        reports.c.tool == report.tool,
        reports.c.kind == report.kind,
        reports.c.version == report.version,
        reports.c.configuration == report.configuration,
    ]


def _row(row: Any) -> Row:
    body = zstandard.ZstdDecompressor().decompress(bytes(row.body), max_output_size=_MOST)
    return Row(
        id=row.id, image=row.image, content=row.content, at=row.at, actor=row.actor, attestation=row.attestation,
        current=row.current, report=_decode(body),
    )  # fmt: skip
