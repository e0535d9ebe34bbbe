"""Where the pull endpoint finds blobs: the same places as `blobs`, with nothing in them that writes."""

from __future__ import annotations

from lading.settings import Settings
from lading.supply_chain.registry.content import Content
from lading.supply_chain.registry.content_directory import DirectoryContent
from lading.supply_chain.registry.content_object_store import ObjectStoreContent
from lading.supply_chain.registry.redirecting import Redirects


def open_content(settings: Settings) -> Content:
    """The store that the settings name, to be read."""
    if settings.blob_url:
        return ObjectStoreContent(settings.blob_url)
    return DirectoryContent(settings.data / "registry")


def open_redirects(settings: Settings) -> Redirects | None:
    """Where pulls of blobs are sent to; None where the pull endpoint sends all of them itself."""
    if not settings.blob_url or not settings.redirect_seconds:
        return None
    endpoint = settings.redirect_endpoint
    options = {"endpoint": endpoint, "client_options": {"allow_http": True}} if endpoint else {}
    return Redirects(ObjectStoreContent(settings.blob_url, options).signed_url, settings.redirect_seconds)
