"""Where blobs live: a directory, or the object store that LADING_BLOB_URL names."""

from __future__ import annotations

from lading.settings import Settings
from lading.state import Database
from lading.supply_chain.registry.blobs_directory import DirectoryBlobs
from lading.supply_chain.registry.blobs_object_store import ObjectStoreBlobs
from lading.supply_chain.registry.registry import Storage


def open_blobs(settings: Settings, database: Database) -> Storage:
    """The store that the settings name, to be read and written."""
    if settings.blob_url:
        return ObjectStoreBlobs(settings.blob_url, database)
    return DirectoryBlobs(settings.data / "registry")
