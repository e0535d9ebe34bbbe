"""PostgreSQL: snapshots that another program can join, versions, emptiness, scratch databases."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from lading.continuity.errors import CopyFailed
from lading.state import Database, Transaction


@contextmanager
def exported(database: Database) -> Iterator[tuple[Transaction, str]]:
    """A transaction that sees one moment, and the name under which pg_dump can see the same."""
    try:
        with database.engine.connect() as connection:
            connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                name = str(connection.execute(sa.text("SELECT pg_export_snapshot()")).scalar_one())
                yield connection, name
    except sa.exc.SQLAlchemyError as error:
        raise CopyFailed(f"The database {database.label} cannot be read: {_first_line(error)}.") from error


def version(tx: Transaction) -> int:
    """The server's version: 150017 is 15.17."""
    return int(tx.execute(sa.text("SHOW server_version_num")).scalar_one())


def tables(database: Database) -> int:
    """How many tables of ours and others the database has."""
    query = "SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    with database.read() as tx:
        return int(tx.execute(sa.text(query)).scalar_one())


def clear(database: Database) -> None:
    """Remove everything in the schema `public`."""
    with database.write() as tx:
        tx.execute(sa.text("DROP SCHEMA public CASCADE"))
        tx.execute(sa.text("CREATE SCHEMA public"))


@contextmanager
def scratch(url: str, name: str) -> Iterator[str]:
    """A new database on the same server, removed afterwards; yields its URL.

    Raises:
        CopyFailed: the role may not make databases.
    """
    here = _parsed(url)
    engine = sa.create_engine(here, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    except sa.exc.SQLAlchemyError as error:
        engine.dispose()
        raise CopyFailed(
            f"A drill needs a database of its own and could not make one: {_first_line(error)}.",
            remedy="Let its role make databases: ALTER ROLE … CREATEDB",
        ) from error
    try:
        yield here.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        engine.dispose()


def connection_environment(url: str) -> dict[str, str]:
    """What libpq programs are told of a connection, so that nothing of it stands in their arguments."""
    parts = _parsed(url)
    query = {name: value for name, value in parts.query.items() if isinstance(value, str)}
    said = {
        "PGHOST": parts.host or query.get("host", ""),
        "PGPORT": str(parts.port or query.get("port", "")),
        "PGUSER": parts.username or query.get("user", ""),
        "PGPASSWORD": str(parts.password or query.get("password", "")),
        "PGDATABASE": parts.database or "",
        "PGSSLMODE": query.get("sslmode", ""),
        "PGSSLROOTCERT": query.get("sslrootcert", ""),
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LADING_")}
    return kept | {name: value for name, value in said.items() if value} | {"LC_ALL": "C.UTF-8"}


def _parsed(url: str) -> sa.URL:
    return sa.make_url(url.replace("postgresql://", "postgresql+psycopg://", 1))


def _first_line(error: Exception) -> str:
    return (str(getattr(error, "orig", None) or error).strip().splitlines() or ["no reason given"])[0][:300]
