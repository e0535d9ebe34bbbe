"""The table of keys."""

from __future__ import annotations

from typing import Final

import msgspec
import sqlalchemy as sa

from lading.state import Transaction
from lading.state.schema import metadata

keys: Final = sa.Table(
    "attest_keys",
    metadata,
    sa.Column("key_id", sa.Text, primary_key=True, comment="sha256: and the hex SHA-256 of the SubjectPublicKeyInfo"),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("algorithm", sa.Text, nullable=False),
    sa.Column("pem", sa.Text, nullable=False, comment="the public key"),
    sa.Column("ours", sa.Boolean, nullable=False, comment="Lading signs with it, or did"),
    sa.Column("since", sa.Text, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("revoked", sa.Text, nullable=False, comment="empty: its signatures count"),
    sa.Column("why", sa.Text, nullable=False, comment="why it was revoked"),
)


class KnownKey(msgspec.Struct, frozen=True, kw_only=True):
    """A public key and what it may do here. `since` and `revoked` are times, `revoked` is empty while it counts."""

    key_id: str
    name: str
    algorithm: str
    pem: str
    ours: bool
    since: str
    who: str
    revoked: str = ""
    why: str = ""

    @property
    def counts(self) -> bool:
        """Whether its signatures hold here."""
        return not self.revoked


class KeyStore:
    """Rows of keys."""

    def is_there(self, tx: Transaction) -> bool:
        """Whether the database has the table: a backup of an earlier version has none."""
        return sa.inspect(tx).has_table(keys.name)

    def all(self, tx: Transaction) -> list[KnownKey]:
        """Every key, in the order in which they came."""
        rows = tx.execute(sa.select(keys).order_by(keys.c.since, keys.c.key_id))
        return [KnownKey(**{name: getattr(row, name) for name in KnownKey.__struct_fields__}) for row in rows]

    def put(self, tx: Transaction, key: KnownKey) -> None:
        """Keep a key as it is now."""
        values = msgspec.structs.asdict(key)
        if not tx.execute(sa.update(keys).where(keys.c.key_id == key.key_id).values(values)).rowcount:
            tx.execute(sa.insert(keys).values(values))
