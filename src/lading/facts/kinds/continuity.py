"""Facts about backups, their verification, and restores."""

from __future__ import annotations

from lading.facts.fact import Fact
from lading.kernel.subject import Subject, SubjectKind


class _AboutBackup(Fact, frozen=True, kw_only=True, tag="_about-backup"):
    backup: str

    def subject(self) -> Subject:
        return Subject(SubjectKind.SYSTEM, "backup")


class BackupTaken(_AboutBackup, frozen=True, kw_only=True, tag="backup.taken"):
    """Everything acknowledged before `at` can be had again. `missing` items had been lost by storage before."""

    at: str
    repository: str
    items: int
    new_items: int
    bytes: int
    added: int
    entries: int
    seconds: float
    missing: int = 0


class BackupVerified(_AboutBackup, frozen=True, kw_only=True, tag="backup.verified"):
    """The repository has everything the backup needs; `read_data` when every byte of it was read."""

    repository: str
    items: int
    read_data: bool
    seconds: float


class BackupFailed(_AboutBackup, frozen=True, kw_only=True, tag="backup.failed"):
    """A backup, a verification or a drill (`work`) did not succeed."""

    work: str
    why: str


class RestoreDrilled(_AboutBackup, frozen=True, kw_only=True, tag="backup.restore-drilled"):
    """A restore was tried in a scratch place and every digest compared.

    `rto_seconds`: how long a restore took. `rpo_seconds`: the age of the backup, which is what would have been lost.
    """

    outcome: str
    at: str
    rto_seconds: float
    rpo_seconds: float
    compared: int
    bytes: int
    entries: int
    why: str = ""


class BackupRestored(_AboutBackup, frozen=True, kw_only=True, tag="backup.restored"):
    """This Lading was restored from a backup; what happened after `at` is not in it."""

    at: str
    compared: int
    entries: int
    seconds: float


class BackupScheduled(_AboutBackup, frozen=True, kw_only=True, tag="backup.scheduled"):
    """`work` (create, verify or drill) is done every so many seconds from now on; 0: not any more."""

    work: str
    every_seconds: int


class BackupsForgotten(_AboutBackup, frozen=True, kw_only=True, tag="backup.forgotten"):
    """Old snapshots were removed from the repository, as the settings say."""

    snapshots: int
    keep: str
