"""Bring a database to the schema of this version, or back to an older one.

Each call is one transaction on both databases: a migration that fails leaves the schema as it was.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from lading.kernel.errors import Conflict
from lading.state.database import Database

_ADVISORY_LOCK: Final = 0x1AD0
_SCRIPTS: Final = Path(__file__).parent / "migrations"


def upgrade(database: Database, revision: str = "head") -> None:
    """Apply every migration up to `revision`.

    Raises:
        Conflict: the database was written by a newer Lading.
        Unavailable: the database does not answer.
    """
    with database.write() as connection:
        if not database.is_sqlite:
            # Several hosts may start at once: the second one finds everything done.
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        _refuse_newer(connection, database.label)
        command.upgrade(_config(connection), revision)


def downgrade(database: Database, revision: str) -> None:
    """Undo every migration after `revision` (`base`: all of them)."""
    with database.write() as connection:
        command.downgrade(_config(connection), revision)


def current(database: Database) -> str:
    """The revision that the database has; empty for none."""
    with database.read() as connection:
        return revision_in(connection)


def revision_in(tx: sa.Connection) -> str:
    """The revision that a transaction sees; empty for none."""
    return MigrationContext.configure(tx).get_current_revision() or ""


def revisions() -> list[str]:
    """Every revision of this version, oldest first."""
    script = ScriptDirectory(str(_SCRIPTS))
    return [item.revision for item in script.walk_revisions()][::-1]


def write_revision(database: Database, identifier: str, message: str) -> Path:
    """Write the migration between the database's schema and the declared one, for a person to read and mend."""
    with database.write() as connection:
        made = command.revision(_config(connection), message, autogenerate=True, rev_id=identifier)
    assert made is not None and not isinstance(made, list)
    return Path(made.path)


def _refuse_newer(connection: sa.Connection, label: str) -> None:
    found = MigrationContext.configure(connection).get_current_revision()
    if found is not None and found not in revisions():
        raise Conflict(
            f"The database {label} has schema {found}, which this version of Lading does not know.",
            remedy="Run the newer Lading that wrote it, or downgrade the database with it first.",
        )


def _config(connection: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    return config
