"""Where the pull endpoint finds blobs: the same places as `blobs`, with nothing in them that writes."""

from __future__ import annotations

from lading.settings import Settings
from lading.supply_chain.registry.content import Content
from lading.supply_chain.registry.content_directory import DirectoryContent
from lading.supply_chain.registry.content_object_store import ObjectStoreContent


def open_content(settings: Settings) -> Content:
    """The store that the settings name, to be read."""
    if settings.blob_url:
        return ObjectStoreContent(settings.blob_url)
    return DirectoryContent(settings.data / "registry")
