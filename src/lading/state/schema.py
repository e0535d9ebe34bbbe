"""The schema: each room declares its own tables on `metadata` in its `sql.py`, and reads nobody else's.

Constraint names are fixed by convention so that migrations can name them on both databases.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

metadata: Final = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# INTEGER PRIMARY KEY is SQLite's row id; PostgreSQL wants 64 bits spelled out.
BigInteger: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
