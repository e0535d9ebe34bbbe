"""How old the advisories are: what is not known cannot be found."""

from __future__ import annotations

from contextlib import closing

from lading.entrypoints.cli.doctor.result import CheckResult, ok, warn
from lading.facts import Ledger
from lading.kernel.errors import LadingError
from lading.settings import Settings
from lading.state import Database
from lading.supply_chain.advisories import Advisories
from lading.supply_chain.advisories.sources import read_stale_days


def check_feeds(settings: Settings) -> CheckResult:
    """Every feed was updated within its days, and the last attempt did not fail."""
    if not settings.database_url and not (settings.data / "lading.db").is_file():
        return ok("advisories", "nothing is taken in yet; a snapshot comes with Lading")
    try:
        with closing(Database(settings.database, read_only=True)) as database:
            days = read_stale_days(settings.advisory_stale_days)
            feeds = Advisories(database, Ledger(), stale_days=days).status()
    except LadingError as error:
        return warn("advisories", error.what, error.remedy)
    mend = "Run `lading advisories update`, or import a bundle where there is no network."
    if stale := [f"{one.source} {one.age_days:.0f} days" for one in feeds if one.is_stale]:
        return warn("advisories", f"stale: {', '.join(stale)}", mend)
    if failed := [f"{one.source} ({one.error})" for one in feeds if one.error]:
        return warn("advisories", f"not updated: {', '.join(failed)[:300]}", mend)
    return ok("advisories", f"{len(feeds)} feeds, {sum(one.records for one in feeds)} records")
