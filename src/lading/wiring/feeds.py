"""Where advisories come from, as the settings say."""

from __future__ import annotations

from pathlib import Path

from lading.kernel.clock import Clock
from lading.settings import Settings
from lading.supply_chain.advisories.download import FileDownloader
from lading.supply_chain.advisories.download_http import HttpDownloader
from lading.supply_chain.advisories.feeds import Advisories
from lading.supply_chain.advisories.sources import Sources, read_ecosystems
from lading.supply_chain.advisories.updating import Updates
from lading.supply_chain.attest.errors import KeyUnusable
from lading.supply_chain.attest.keys_public import PublicKey


def trusted_keys(directory: Path | None) -> list[PublicKey]:
    """The public keys in a directory; raises KeyUnusable for one that cannot be read."""
    if directory is None:
        return []
    try:
        files = sorted(path for path in directory.iterdir() if path.suffix in (".pem", ".pub"))
        return [PublicKey.from_pem(path.read_bytes()) for path in files]
    except OSError as error:
        raise KeyUnusable(
            f"{directory} cannot be read: {error.strerror}.", remedy="Correct LADING_ADVISORY_KEYS."
        ) from error


def open_updates(settings: Settings, advisories: Advisories, clock: Clock) -> Updates:
    """The updates of the configured sources; raises InvalidInput for a setting that does not fit."""
    sources = Sources(
        osv=settings.advisory_osv,
        ecosystems=read_ecosystems(settings.advisory_ecosystems),
        kev=settings.advisory_kev,
        epss=settings.advisory_epss,
    )
    # A mirror may be a directory that somebody mounts.
    addresses = [source.address for source in sources.all()]
    files = bool(addresses) and all(address.startswith(("/", "file:")) for address in addresses)
    downloader = FileDownloader() if files else HttpDownloader(sleep=clock.sleep)
    return Updates(advisories, sources, downloader, settings.data / "feeds", clock=clock)
