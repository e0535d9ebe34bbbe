"""Where feeds come from: the port, and the adapters for files and for memory (HTTP is in `fetch_http`)."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

from lading.supply_chain.advisories.errors import FeedUnavailable

MOST_FEED: Final = 1 << 30

# Where the feeds are published; the settings may name mirrors instead.
OSV_BULK: Final = "https://osv-vulnerabilities.storage.googleapis.com/{ecosystem}/all.zip"
KEV: Final = "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json"
EPSS: Final = "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz"


class Fetcher(Protocol):
    """Brings the content of a feed."""

    def fetch(self, address: str, *, most: int = MOST_FEED) -> bytes:
        """The content, at most `most` bytes; raises FeedUnavailable when it is not there, too large or cut short."""
        ...


class FileFetcher:
    """Feeds in files: a path or a `file:` URL."""

    def fetch(self, address: str, *, most: int = MOST_FEED) -> bytes:
        path = Path(unquote(urlsplit(address).path) if address.startswith("file:") else address)
        try:
            with path.open("rb") as handle:
                content = handle.read(most + 1)
        except OSError as error:
            raise FeedUnavailable(
                f"{path} cannot be read: {error.strerror}.", remedy="Name a readable file."
            ) from error
        return bounded(address, content, most)


class MemoryFetcher:
    """Feeds in memory, by address."""

    def __init__(self, feeds: dict[str, bytes]) -> None:
        self._feeds = feeds

    def fetch(self, address: str, *, most: int = MOST_FEED) -> bytes:
        if address not in self._feeds:
            raise FeedUnavailable(f"There is no feed at {address}.", remedy="Check the address.")
        return bounded(address, self._feeds[address], most)


def bounded(address: str, content: bytes, most: int) -> bytes:
    """The content, unless there is more than `most` of it."""
    if len(content) > most:
        raise FeedUnavailable(f"The feed at {address} has more than {most} bytes.", remedy="Check the address.")
    return content
