"""The tables of the ledger, its checkpoints and its followers' cursors."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from lading.state.schema import BigInteger, metadata

entries: Final = sa.Table(
    "ledger_entries",
    metadata,
    sa.Column("seq", BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", sa.BigInteger, nullable=False, comment="microseconds since 1970, never decreasing"),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.Index("ix_ledger_entries_subject_seq", "subject", "seq"),
    sa.Index("ix_ledger_entries_kind_seq", "kind", "seq"),
)

checkpoints: Final = sa.Table(
    "ledger_checkpoints",
    metadata,
    sa.Column("seq", BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("signature", sa.LargeBinary, nullable=False),
)

cursors: Final = sa.Table(
    "ledger_cursors",
    metadata,
    sa.Column("follower", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
)
