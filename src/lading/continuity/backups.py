"""Backups of one Lading: take, list, verify, drill, each with its record; and restore."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from lading.continuity.drilling import ScratchMetadata, drill
from lading.continuity.errors import RepositoryAbsent
from lading.continuity.keeping import Keep, tidy
from lading.continuity.point import Point, choose, points
from lading.continuity.ports import Books, Content, Metadata, Telling
from lading.continuity.records import CREATE, DRILL, VERIFY, Records
from lading.continuity.repository import Vault
from lading.continuity.restoring import assemble, move_into_place, prepare_staging
from lading.continuity.taking import Parts, Taking, exclusive
from lading.continuity.verifying import verify
from lading.facts import Fact, Ledger
from lading.facts.kinds.continuity import (
    BackupRestored,
    BackupsForgotten,
    BackupTaken,
    BackupVerified,
    RestoreDrilled,
)
from lading.kernel.clock import Clock
from lading.kernel.errors import LadingError

ACTOR: Final = "system:backup"


@dataclass(frozen=True, slots=True)
class Site:
    """Where backups of this Lading are prepared and tried.

    Args:
        work: a directory in the data directory.
        scratch: where drills restore to.
        metadata: makes the database of a drill.
    """

    work: Path
    scratch: Path
    metadata: ScratchMetadata
    books: Books
    keep: Keep


class Backups:
    """What the worker does. `vault` opens the repository, so that a wrong setting is an error of its use only."""

    def __init__(self, vault: Callable[[], Vault], parts: Parts, records: Records, site: Site) -> None:
        self._vault = vault
        self._parts = parts
        self._records = records
        self._site = site

    def list(self) -> list[Point]:
        """The points of the repository, oldest first; raises what opening it raises."""
        return points(self._vault().snapshots())

    def create(
        self,
        telling: Telling,
        *,
        actor: str = ACTOR,
        telemetry: bool = False,
        full: bool = False,
        new_repository: bool = False,
    ) -> dict[str, Any]:
        """Take a backup, and forget those that are not kept any longer.

        Args:
            new_repository: begin a new repository where there is none, although backups went elsewhere before.
        """
        with self._recorded(CREATE, actor) as run:
            vault = self._vault()
            repository = self._opened(vault, telling, new_repository=new_repository)
            taken = Taking(vault, self._parts, self._site.work).take(run, telling, telemetry=telemetry, full=full)
            manifest = taken.manifest
            fact = BackupTaken(
                backup=run,
                at=manifest.at,
                repository=repository,
                items=manifest.items,
                new_items=taken.new_items,
                bytes=manifest.bytes,
                added=taken.added,
                entries=manifest.entries,
                seconds=round(taken.seconds, 3),
                missing=len(manifest.missing),
            )
            figures = _figures(fact)
            self._records.succeeded(
                run, [fact], actor=actor, backup=run, at=manifest.at, repository=repository, figures=figures
            )
            self._tidy(vault, telling, actor)
        return figures | {"snapshot": taken.point.snapshot}

    def verify(
        self, telling: Telling, *, actor: str = ACTOR, read_data: bool = False, backup: str = ""
    ) -> dict[str, Any]:
        """Check the repository and the last backup, or the one named."""
        with self._recorded(VERIFY, actor) as run, exclusive(self._site.work):
            vault, started = self._vault(), self._parts.clock.monotonic()
            found = verify(vault, self._site.work / "verify", telling, read_data=read_data, backup=backup)
            seconds = round(self._parts.clock.monotonic() - started, 3)
            fact = BackupVerified(
                backup=found.point.backup,
                repository=vault.identity(),
                items=found.items,
                read_data=read_data,
                seconds=seconds,
            )
            figures = _figures(fact) | {"at": found.point.at, "backups": found.points}
            self._records.succeeded(run, [fact], actor=actor, backup=fact.backup, figures=figures)
        return figures

    def drill(self, telling: Telling, *, actor: str = ACTOR, backup: str = "") -> dict[str, Any]:
        """Try a restore, compare every digest, measure."""
        with self._recorded(DRILL, actor) as run, exclusive(self._site.scratch):
            done = drill(
                self._vault(),
                self._site.scratch / "drill",
                scratch=self._site.metadata,
                content=self._parts.content,
                books=self._site.books,
                clock=self._parts.clock,
                telling=telling,
                backup=backup,
            )
            fact = RestoreDrilled(
                backup=done.point.backup,
                outcome="succeeded",
                at=done.point.at,
                rto_seconds=round(done.rto_seconds, 3),
                rpo_seconds=round(done.rpo_seconds, 3),
                compared=done.compared,
                bytes=done.bytes,
                entries=done.entries,
            )
            figures = _figures(fact)
            self._records.succeeded(run, [fact], actor=actor, backup=fact.backup, figures=figures)
        return figures

    def _opened(self, vault: Vault, telling: Telling, *, new_repository: bool) -> str:
        """The id of the repository; one that is not there is made for the first backup only.

        A disk that is not mounted would otherwise be taken for a new and empty repository.
        """
        before = self._records.repository()
        try:
            found = vault.identity()
        except RepositoryAbsent as error:
            if before and not new_repository:
                raise RepositoryAbsent(
                    f"{error.what} Backups went there before.",
                    remedy="Mount what holds it; or begin a new one: `lading backup create --new-repository`.",
                ) from error
            telling.say("making a new repository")
            return vault.create()
        if before and found != before and not new_repository:
            raise RepositoryAbsent(
                "The backup repository is another one than before.",
                remedy="Correct LADING_BACKUP_REPOSITORY, or say that it is meant: --new-repository.",
                details=(f"before {before}", f"now    {found}"),
            )
        return found

    def _tidy(self, vault: Vault, telling: Telling, actor: str) -> None:
        """Make room. The backup is taken whatever becomes of this, so that a failure is told and no more."""
        keep = self._site.keep
        try:
            with exclusive(self._site.work):
                gone = tidy(vault, keep, self._parts.clock.now())
        except LadingError as error:
            telling.say(f"old backups could not be removed: {error}", "warning")
            return
        if gone:
            telling.say(f"{gone} old snapshots were forgotten")
            shown = ",".join(f"{name}={count}" for name, count in keep.counts.items())
            self._records.note([BackupsForgotten(backup="", snapshots=gone, keep=shown)], actor=actor)

    @contextmanager
    def _recorded(self, work: str, actor: str) -> Iterator[str]:
        run = self._records.begin(work)
        try:
            yield run
        except LadingError as error:
            self._records.failed(run, work, error.what, actor=actor)
            raise
        except BaseException as error:
            self._records.failed(run, work, f"a fault of Lading: {type(error).__name__}", actor=actor)
            raise


def restore(
    vault: Vault,
    data: Path,
    *,
    metadata: Metadata,
    content: Content,
    books: Books,
    ledger: Ledger,
    clock: Clock,
    telling: Telling,
    backup: str = "",
    at: str = "",
    replace: bool = False,
) -> dict[str, Any]:
    """Restore a point into a data directory that no server uses; the last one, or the last one not after `at`.

    Raises:
        RestoreRefused: the data directory or the database holds something.
        BackupDamaged, IntegrityFailure: the backup does not hold; nothing was put into place.
    """
    started = clock.monotonic()
    point = choose(points(vault.snapshots()), backup=backup, at=at)
    staging = prepare_staging(data, metadata, replace=replace)
    made = assemble(
        vault,
        point,
        staging,
        metadata=metadata,
        content=content,
        books=books,
        deal=lambda item, file: content.place(item, file, staging / "data"),
        telling=telling,
    )
    seconds = clock.monotonic() - started
    facts: list[Fact] = [
        BackupRestored(
            backup=point.backup, at=point.at, compared=made.compared, entries=made.entries, seconds=round(seconds, 3)
        )
    ]
    try:
        # The copy was made while the backup was being taken; in it, that run never ended.
        records = Records(made.database, ledger, clock)
        figures = {"items": made.manifest.items, "bytes": made.manifest.bytes, "entries": made.manifest.entries}
        records.succeeded(
            point.backup,
            facts,
            actor=ACTOR,
            backup=point.backup,
            at=point.at,
            repository=vault.identity(),
            figures=figures,
        )
        books.release(made.database, point.backup, ACTOR)
    finally:
        made.database.close()
    telling.step("Move everything into place")
    move_into_place(staging, data, clock.now().strftime("%Y%m%dT%H%M%SZ"))
    return {
        "backup": point.backup, "at": point.at, "compared": made.compared, "bytes": made.manifest.bytes,
        "entries": made.entries, "missing": len(made.manifest.missing),
        "seconds": round(clock.monotonic() - started, 3),
    }  # fmt: skip


def _figures(fact: Fact) -> dict[str, Any]:
    """The fields of a fact as a result for people and programs."""
    return {name: value for name, value in msgspec.structs.asdict(fact).items() if value != ""}
