"""Where rows live: one database, one transaction type, one schema that every room adds its tables to.

Below `facts`, because a fact is written in the same transaction as the state it speaks of. SQLite (WAL) by default,
PostgreSQL when it is outgrown; nothing above this room knows which.
"""

from lading.state.database import Database, Transaction
from lading.state.schema import metadata

__all__ = ["Database", "Transaction", "metadata"]
