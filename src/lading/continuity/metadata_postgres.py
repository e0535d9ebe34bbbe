"""Copies of a PostgreSQL database: pg_dump joins a snapshot that our own transaction reads the rows of.

That transaction lasts as long as pg_dump does. It reads only and locks nobody out; it is the one exception to the rule
that no transaction spans the work of another program, and the reason why dump and rows agree.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from lading.continuity.errors import CopyFailed, ToolMissing
from lading.continuity.ports import Captured
from lading.continuity.sql import postgres
from lading.state import Database

_NAME: Final = "lading.pgdump"
_BINARIES: Final = Path("/usr/lib/postgresql")


class PostgresMetadata:
    """A database on a server.

    Args:
        url: where it is; the password in it reaches pg_dump in its environment only.
    """

    kind = "postgresql"

    def __init__(self, url: str) -> None:
        self._url = url

    @contextmanager
    def capture(self, directory: Path) -> Iterator[Captured]:
        with closing(Database(self._url)) as database, postgres.exported(database) as (tx, snapshot):
            server = postgres.version(tx)
            program = find_program("pg_dump", server // 10_000)
            # Not compressed: restic compresses, and finds again what did not change.
            options = ("--format=custom", "--compress=0", "--no-owner", "--no-privileges", f"--snapshot={snapshot}")
            self._run(program, *options, f"--file={directory / _NAME}")
            yield Captured(tx, f"{server // 10_000}.{server % 10_000}")

    def is_empty(self) -> bool:
        with closing(Database(self._url)) as database:
            return postgres.tables(database) == 0

    def load(self, directory: Path, data: Path) -> Database:
        del data
        database = Database(self._url)
        try:
            with database.read() as tx:
                program = find_program("pg_restore", postgres.version(tx) // 10_000)
            if postgres.tables(database):
                postgres.clear(database)
            options = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges")
            self._run(program, *options, "--dbname=", str(directory / _NAME))
        except BaseException:
            database.close()
            raise
        return database

    def _run(self, program: Path, *arguments: str) -> None:
        ended = subprocess.run(
            [str(program), *arguments],
            env=postgres.connection_environment(self._url),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if ended.returncode != 0:
            said = ended.stderr.decode("utf-8", errors="replace").strip().splitlines()
            raise CopyFailed(
                f"{program.name} failed on {Database(self._url).label} (exit code {ended.returncode}).",
                remedy="Its words are below.",
                details=tuple(line[:300] for line in said[:10]),
            )


def find_program(name: str, server: int) -> Path:
    """pg_dump or pg_restore of the server's major version or a newer one, the oldest that will do.

    Raises:
        ToolMissing: there is none, or only older ones, which do not understand the server.
    """
    found = [Path(path)] if (path := shutil.which(name)) else []
    found += sorted(_BINARIES.glob(f"*/bin/{name}"))
    versions = sorted((major, program) for program in found if (major := _major(program)))
    good = [program for major, program in versions if major >= server]
    if good:
        return good[0]
    had = f"only version {versions[-1][0]}" if versions else "no version"
    raise ToolMissing(
        f"The database is PostgreSQL {server}, and {had} of {name} is installed.",
        remedy=f"Install the client of its version: apt-get install postgresql-client-{server}",
    )


def _major(program: Path) -> int:
    try:
        shown = subprocess.run([str(program), "--version"], capture_output=True, check=False, timeout=30).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(rb"(\d+)(?:\.\d+)?", shown)
    return int(found[1]) if found else 0
