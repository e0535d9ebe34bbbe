"""Whether backups are set up, and how the last ones went."""

from __future__ import annotations

import shutil
from contextlib import closing
from datetime import timedelta

from lading.continuity.records import Records
from lading.entrypoints.cli.doctor.result import CheckResult, fail, ok, warn
from lading.facts import Ledger
from lading.kernel.clock import SystemClock
from lading.kernel.errors import LadingError
from lading.settings import Settings
from lading.state import Database

_DRILL_AGE = timedelta(days=35)


def check_backup_tool(settings: Settings) -> CheckResult:
    """restic stores backups, and pg_dump copies a PostgreSQL database."""
    mend = "Install it: apt-get install restic"
    if not shutil.which("restic"):
        return (fail if settings.backup_repository else warn)("backup tool", "restic is not installed", mend)
    if not settings.backup_repository:
        mend = "Set LADING_BACKUP_REPOSITORY and LADING_BACKUP_PASSWORD_FILE."
        return warn("backup tool", "restic is there, and nothing is backed up", mend)
    if not (settings.backup_password_file or settings.backup_password):
        return fail("backup tool", "no password is set", "Set LADING_BACKUP_PASSWORD_FILE, and keep a copy of it.")
    return ok("backup tool", f"restic, into {settings.backup_repository}")


def check_backups(settings: Settings) -> CheckResult:
    """How old the last good backup is, and whether a restore was drilled."""
    if not settings.backup_repository:
        return ok("backups", "not set up")
    if not settings.database_url and not (settings.data / "lading.db").is_file():
        return ok("backups", "nothing to back up yet")
    try:
        with closing(Database(settings.database, read_only=True)) as database:
            health = {one.work: one for one in Records(database, Ledger(), SystemClock()).health()}
    except LadingError as error:
        return warn("backups", error.what, error.remedy)
    for work in health.values():
        if work.state in ("failed", "late", "incomplete"):
            return fail("backups", work.says, "See `lading backup status` and the job that failed.")
    if health["create"].state == "never":
        return warn("backups", "none was ever taken", "Schedule them: lading backup schedule create --every 1h")
    drilled = health["drill"].age_seconds
    if drilled is None or drilled > _DRILL_AGE.total_seconds():
        mend = "Schedule drills: lading backup schedule drill --every 7d"
        return warn("backups", f"{health['create'].says}; no restore was drilled lately", mend)
    return ok("backups", f"{health['create'].says}; {health['drill'].says}")
