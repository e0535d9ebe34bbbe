"""A PostgreSQL server of the test run's own: in a temporary directory, on a socket only, ended by its process id."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest


def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def _unprivileged() -> dict[str, int]:
    """PostgreSQL refuses to run as root: run it as the account its package made, or as nobody."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": account.pw_uid, "group": account.pw_gid}
    return {}


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Path]:
    """The directory of the server's socket."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server binaries; scripts/install_test_tools.sh installs them")
    account = _unprivileged()
    home = Path(tempfile.mkdtemp(prefix="lading-pg-"))
    if account:
        os.chown(home, account["user"], account["group"])
    data = home / "data"
    extra = {**account, "extra_groups": []} if account else {}
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    subprocess.run(
        [binaries / "initdb", "-D", data, "-U", "lading", "-A", "trust", "-E", "UTF8", "--no-sync"],
        check=True, capture_output=True, env=environment, cwd=home, **extra,
    )  # fmt: skip
    control = [binaries / "pg_ctl", "-D", data, "-l", home / "log", "-w"]
    options = f"-c listen_addresses='' -k {home} -c fsync=off -c max_connections=200"
    subprocess.run(
        [*control, "-o", options, "start"], check=True, capture_output=True, env=environment, cwd=home, **extra
    )
    yield home
    subprocess.run(
        [*control, "-m", "immediate", "stop"], check=True, capture_output=True, env=environment, cwd=home, **extra
    )
    shutil.rmtree(home)


@pytest.fixture
def postgres_url(postgres_server: Path) -> Iterator[str]:
    """An empty database of its own for one test."""
    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(host=str(postgres_server), user="lading", dbname="postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield f"postgresql://lading@/{name}?host={postgres_server}"
    with psycopg.connect(host=str(postgres_server), user="lading", dbname="postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
