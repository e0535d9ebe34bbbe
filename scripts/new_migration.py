"""Write the next migration from what the rooms declare: new_migration.py REVISION "What it does"."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from lading.state import Database, migrate
from lading.wiring.schema import complete_metadata

if __name__ == "__main__":
    identifier, message = sys.argv[1:3]
    complete_metadata()
    with tempfile.TemporaryDirectory() as directory:
        database = Database(f"sqlite:///{Path(directory) / 'empty.db'}")
        if migrate.revisions():
            migrate.upgrade(database)
        sys.stdout.write(f"{migrate.write_revision(database, identifier, message)}\n")
