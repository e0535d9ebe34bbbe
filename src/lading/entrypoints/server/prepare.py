"""What happens before the first process starts: directories, schema, space, first admin, engine.

Everything here may run again after a kill at any point and ends in the same state.
"""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from lading import settings as settings_module
from lading.continuity.restoring import refuse_half_restored
from lading.entrypoints.server.supervisor import check_ports
from lading.facts.kinds.system import ServerStarted, ServerStopped
from lading.kernel.errors import Unavailable
from lading.settings import Settings
from lading.state import Database, migrate
from lading.wiring import Wiring
from lading.wiring.engine import ready_engine

_SUBDIRECTORIES: Final = ("run", "log", "tmp", "spool", "keys", "sources", "engine", "tools")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Prepared:
    """What the roles are told beyond the settings, and the first admin token if one was made just now."""

    environment: dict[str, str] = field(default_factory=dict)
    first_token: str = ""


def prepare(settings: Settings, say: Say) -> Prepared:
    """Make the machine ready for the roles.

    Raises:
        Conflict: a port is taken, a restore was not finished, or the database belongs to a newer version.
        Unavailable: the disk is full, the database or the engine does not answer.
        PolicyInvalid, KeyUnusable, TokenKeysUnusable: the rules or a key cannot be used; names file and line.
        InvalidInput: what is set about the identity provider does not fit.
    """
    check_ports(settings)
    refuse_half_restored(settings.data)
    _directories(settings)
    _space(settings)
    database = Database(settings.database)
    migrate.upgrade(database)
    database.close()
    wiring = Wiring(settings)
    token = engine = ""
    if {"api", "worker"} & set(settings.roles):
        _readable(wiring)
        wiring.keyring.use(wiring.key)
        token = wiring.identity.first_admin(settings.admin_token_file) or ""
    if {"push", "pull"} & set(settings.roles):
        wiring.tokens.ready()
    if "worker" in settings.roles:
        wiring.load_first_knowledge(say)
        engine = ready_engine(settings, say)
    running = settings.data / "run" / "running"
    started = ServerStarted(version=wiring.version, clean=not running.exists(), host=platform.node())
    with wiring.database.write() as tx:
        wiring.ledger.append(tx, [started], actor="system:lading")
    running.touch()
    wiring.close()
    return Prepared({settings_module.variable("engine"): engine} if engine else {}, token)


def _readable(wiring: Wiring) -> None:
    """Read what every decision needs, so that a mistake in it is found now and not by the first ship."""
    _ = (wiring.pack, wiring.key, wiring.logins)


def stopped(settings: Settings, seconds: float) -> None:
    """State that the server stopped gracefully; without this the next start says that it did not."""
    wiring = Wiring(settings)
    with wiring.database.write() as tx:
        wiring.ledger.append(tx, [ServerStopped(seconds=seconds)], actor="system:lading")
    (settings.data / "run" / "running").unlink(missing_ok=True)
    wiring.close()


def _directories(settings: Settings) -> None:
    try:
        for name in _SUBDIRECTORIES:
            (settings.data / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise Unavailable(
            f"The data directory {settings.data} cannot be written: {error.strerror}.",
            remedy="Give another with --data or LADING_DATA, or mend its permissions.",
        ) from error


def _space(settings: Settings) -> None:
    free = shutil.disk_usage(settings.data).free // 1_000_000
    if free < settings.min_free_megabytes:
        raise Unavailable(
            f"{settings.data} has only {free} MB free, and {settings.min_free_megabytes} MB are needed.",
            remedy="Free some space, or lower LADING_MIN_FREE_MEGABYTES if you know better.",
        )
