"""How feeds get here: the port, and the adapters for files and for memory (HTTP is in `download_http`)."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Final, NamedTuple, Protocol
from urllib.parse import unquote, urlsplit

from lading.supply_chain.advisories.errors import FeedUnavailable

MOST_FEED: Final = 4 << 30


class Downloaded(NamedTuple):
    """What came of a download. `etag` is how the place calls this version, `sha256` is that of the content."""

    unchanged: bool
    etag: str = ""
    sha256: str = ""
    size: int = 0


class Downloader(Protocol):
    """Brings a feed into a file."""

    def download(self, address: str, to: Path, *, etag: str = "", most: int = MOST_FEED) -> Downloaded:
        """Put the whole content into the file `to`, unless the place still has the version called `etag`.

        A file that is there is replaced only by whole content; what a broken download left is beside it and is gone
        on with where the place allows that.

        Raises:
            FeedUnavailable: it is not there, has more than `most` bytes, or stays cut short.
        """
        ...


class FileDownloader:
    """Feeds in files: a path or a `file:` URL; the etag is the digest."""

    def download(self, address: str, to: Path, *, etag: str = "", most: int = MOST_FEED) -> Downloaded:
        path = Path(unquote(urlsplit(address).path) if address.startswith("file:") else address)
        try:
            size = path.stat().st_size
            if size > most:
                raise too_large(address, most)
            with path.open("rb") as handle:
                digest = hashlib.file_digest(handle, "sha256").hexdigest()
            if digest == etag:
                return Downloaded(unchanged=True, etag=etag)
            part = to.with_name(to.name + ".part")
            shutil.copyfile(path, part)
            part.replace(to)
        except OSError as error:
            raise FeedUnavailable(
                f"{path} cannot be read: {error.strerror}.", remedy="Name a readable file."
            ) from error
        return Downloaded(unchanged=False, etag=digest, sha256=f"sha256:{digest}", size=size)


class MemoryDownloader:
    """Feeds in memory, by address; the etag is the digest."""

    def __init__(self, feeds: dict[str, bytes]) -> None:
        self.feeds = feeds

    def download(self, address: str, to: Path, *, etag: str = "", most: int = MOST_FEED) -> Downloaded:
        if address not in self.feeds:
            raise FeedUnavailable(f"There is no feed at {address}.", remedy="Check the address.")
        content = self.feeds[address]
        if len(content) > most:
            raise too_large(address, most)
        digest = hashlib.sha256(content).hexdigest()
        if digest == etag:
            return Downloaded(unchanged=True, etag=etag)
        to.write_bytes(content)
        return Downloaded(unchanged=False, etag=digest, sha256=f"sha256:{digest}", size=len(content))


def too_large(address: str, most: int) -> FeedUnavailable:
    """What is said of a feed that is larger than anybody expects."""
    return FeedUnavailable(f"The feed at {address} has more than {most} bytes.", remedy="Check the address.")
