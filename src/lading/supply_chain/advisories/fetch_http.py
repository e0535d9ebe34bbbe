"""Feeds over HTTP and HTTPS, with httpx: bounded in size and in time."""

from __future__ import annotations

from typing import Final

import httpx

from lading.supply_chain.advisories.errors import FeedUnavailable
from lading.supply_chain.advisories.fetch import MOST_FEED, bounded

_TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)
_MOST_REDIRECTS: Final = 5


class HttpFetcher:
    """Feeds at `http:` and `https:` addresses. A proxy is taken from the environment, as httpx does."""

    def __init__(self, transport: httpx.BaseTransport | None = None) -> None:
        self._transport = transport

    def fetch(self, address: str, *, most: int = MOST_FEED) -> bytes:
        parts, size = [], 0
        try:
            with (
                httpx.Client(
                    timeout=_TIMEOUT, follow_redirects=True, max_redirects=_MOST_REDIRECTS, transport=self._transport
                ) as client,
                client.stream("GET", address) as answer,
            ):
                answer.raise_for_status()
                for part in answer.iter_bytes(1 << 18):
                    parts.append(part)
                    size += len(part)
                    if size > most:
                        break
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise FeedUnavailable(
                f"The feed at {address} cannot be fetched: {str(error)[:200] or type(error).__name__}.",
                remedy="Check the address and the network, or import a file with `lading advisories import`.",
            ) from error
        return bounded(address, b"".join(parts), most)
