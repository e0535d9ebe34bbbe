"""Backups: what the registry, the ledger and the keys are to them, and how their parts are put together."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Final

from lading import settings as settings_module
from lading.continuity.backups import Backups, Site
from lading.continuity.errors import BackupDamaged, NotConfigured
from lading.continuity.gathering import Place, link_or_copy
from lading.continuity.items import Item
from lading.continuity.keeping import Keep
from lading.continuity.metadata_postgres import PostgresMetadata
from lading.continuity.metadata_sqlite import SqliteMetadata
from lading.continuity.ports import Metadata
from lading.continuity.records import Records
from lading.continuity.restic import ResticRepository
from lading.continuity.sql import postgres
from lading.continuity.taking import Parts
from lading.facts import Ledger
from lading.facts.checkpoints import Checkpoints
from lading.kernel.clock import Clock
from lading.kernel.ids import new_id
from lading.settings import Settings
from lading.state import Database, Transaction
from lading.supply_chain.attest.keyring.keyring import Keyring
from lading.supply_chain.attest.keys_local import PRIVATE_NAME, open_local_key
from lading.supply_chain.registry.content_directory import DirectoryContent
from lading.supply_chain.registry.errors import BlobUnknown
from lading.supply_chain.registry.filing_object_store import ObjectStoreFiler
from lading.supply_chain.registry.holding import Holds
from lading.supply_chain.registry.sql.naming import named_content

_SOURCES: Final = "sources"
_BLOBS: Final = "registry/blobs"
_CHUNK: Final = 1 << 20
_SECRET: Final = frozenset({"backup_password"})


class BlobsAndSources:
    """The registry's blobs and the sources as the continuity room's Content.

    In the paths of items blobs lie as in a directory store, also when an object store holds them.
    """

    def __init__(self, data: Path, store: DirectoryContent | ObjectStoreFiler) -> None:
        self._data = data
        self._store = store

    def named(self, tx: Transaction) -> Iterator[Item]:
        for digest, size in named_content(tx):
            algorithm, _, name = digest.partition(":")
            yield Item(f"{_BLOBS}/{algorithm}/{name[:2]}/{name}", size)

    def unnamed(self) -> Iterator[Item]:
        directory = self._data / _SOURCES
        for file in sorted(directory.glob("*.tar")) if directory.is_dir() else ():
            yield Item(f"{_SOURCES}/{file.name}", file.stat().st_size)

    def stage(self, item: Item, file: Path) -> bool:
        here: Path | None = self._data / item.path
        if item.path.startswith(_BLOBS):
            here = self._store.path(item.digest) if isinstance(self._store, DirectoryContent) else None
        if here is not None:
            return link_or_copy(here, file) and _fits(file, item)
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._store.open(item.digest) as stream, file.open("wb") as handle:
                shutil.copyfileobj(stream, handle, _CHUNK)
        except BlobUnknown:
            return False
        return _fits(file, item)

    def place(self, item: Item, file: Path, data: Path) -> None:
        if isinstance(self._store, ObjectStoreFiler) and item.path.startswith(_BLOBS):
            if self._store.size(item.digest) != item.size:
                self._store.put_file(item.digest, file)
            return
        target = data / item.path
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.rename(target)


class LedgerBooks:
    """The ledger of a restored database as the continuity room's Books."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def verify(self, database: Database, data: Path) -> int:
        ledger = Ledger(self._clock)
        # A key in a token or a service is in no backup; its public half is among the keys of the database.
        key = open_local_key(data / "keys") if (data / "keys" / PRIVATE_NAME).is_file() else None
        own = Keyring(database, ledger, present=str).own()
        if key is None and not own:
            raise BackupDamaged("The backup has no signing key, so that no checkpoint of its ledger can be checked.")
        return Checkpoints(database, ledger, key, data / "checkpoints.jsonl").verify(own).ledger.entries

    def release(self, database: Database, backup: str, actor: str) -> None:
        Holds(database, Ledger(self._clock), self._clock).end_backup(backup, actor=actor)


def open_backups(settings: Settings, database: Database, ledger: Ledger, clock: Clock, version: str) -> Backups:
    """Backups of the Lading that the settings describe."""
    parts = Parts(
        metadata=metadata_of(settings),
        content=content_of(settings),
        holding=Holds(database, ledger, clock),
        place=_place(settings),
        ledger=ledger,
        clock=clock,
        version=version,
        blobs_in=settings.blob_url or "directory",
    )
    work = settings.data / "backup"
    site = Site(
        work=work,
        scratch=settings.backup_scratch or work / "drill",
        metadata=lambda: _scratch_metadata(settings),
        books=LedgerBooks(clock),
        keep=Keep.parse(settings.backup_keep),
    )
    return Backups(lambda: open_vault(settings), parts, Records(database, ledger, clock), site)


def open_vault(settings: Settings) -> ResticRepository:
    """The repository of the settings.

    Raises:
        NotConfigured: the settings name no repository or no password.
        ToolMissing: restic is not installed.
    """
    if not settings.backup_repository:
        raise NotConfigured(
            "Nobody said where backups go.",
            remedy="Set LADING_BACKUP_REPOSITORY to a directory or s3:https://HOST/BUCKET/PREFIX, and restart Lading.",
        )
    return ResticRepository(
        settings.backup_repository,
        _secret(settings),
        settings.data / "backup" / "cache",
        upload_limit=settings.backup_upload_kilobytes,
    )


def metadata_of(settings: Settings) -> Metadata:
    """The database of the settings, to be copied or loaded."""
    if settings.database_url and not settings.database_url.startswith("sqlite"):
        return PostgresMetadata(settings.database)
    return SqliteMetadata(Path(settings.database.partition("///")[2]))


def content_of(settings: Settings) -> BlobsAndSources:
    """The blobs and sources of the settings."""
    store = ObjectStoreFiler(settings.blob_url) if settings.blob_url else DirectoryContent(settings.data / "registry")
    return BlobsAndSources(settings.data, store)


def _secret(settings: Settings) -> dict[str, str]:
    file = settings.backup_password_file
    if file is not None:
        try:
            if not file.read_bytes().strip():
                raise NotConfigured(f"The password file {file} is empty.", remedy="Put a long random password into it.")
        except OSError as error:
            raise NotConfigured(
                f"The password file {file} cannot be read: {error.strerror}.", remedy="Correct its path or permissions."
            ) from error
        return {"RESTIC_PASSWORD_FILE": str(file)}
    if settings.backup_password:
        return {"RESTIC_PASSWORD": settings.backup_password}
    raise NotConfigured(
        "Nobody said the password of the backups.",
        remedy="Set LADING_BACKUP_PASSWORD_FILE; keep a copy of it elsewhere, because nothing can be restored without.",
    )


@contextmanager
def _scratch_metadata(settings: Settings) -> Iterator[Metadata]:
    found = metadata_of(settings)
    scratch: AbstractContextManager[str] = nullcontext("")
    if isinstance(found, PostgresMetadata):
        scratch = postgres.scratch(settings.database, f"lading_drill_{new_id().replace('-', '')}")
    with scratch as url:
        yield PostgresMetadata(url) if url else found


def _place(settings: Settings) -> Place:
    named = {
        "policy": settings.policy,
        "tls-cert": settings.tls_cert,
        "tls-key": settings.tls_key,
        "ca": settings.ca_file,
        "config": Path(config) if (config := os.environ.get("LADING_CONFIG")) else None,
    }
    lines = []
    for row in settings_module.documented():
        value = getattr(settings, row.name)
        if row.name == "database_url" and value:
            value = Database(value).label
        shown = "" if value is None or row.name in _SECRET else value
        lines.append(f"{row.variable}={shown}\n")
    return Place(settings.data, {name: path for name, path in named.items() if path}, "".join(lines))


def _fits(file: Path, item: Item) -> bool:
    if file.stat().st_size == item.size:
        return True
    file.unlink()
    return False
