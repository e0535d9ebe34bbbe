"""Feeds over HTTP and HTTPS, with httpx: conditional, gone on with after a break, patient with throttling, bounded.

A download lies beside its file as `.part`, with the version it is of in `.etag`: what a killed process left is gone on
with (RFC 9110, section 14.2, `Range` with `If-Range`), and begun again when the place has another version by now.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

import httpx

from lading.supply_chain.advisories.download import MOST_FEED, Downloaded, too_large
from lading.supply_chain.advisories.errors import FeedUnavailable

_TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)
_MOST_REDIRECTS: Final = 5
_ATTEMPTS: Final = 5
_LONGEST_WAIT: Final = 60.0
_THROTTLED: Final = (429, 502, 503, 504)


class _Broken(Exception):
    """An attempt that may be repeated after some seconds."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait


class HttpDownloader:
    """Feeds at `http:` and `https:` addresses. A proxy is taken from the environment, as httpx does.

    Args:
        sleep: waits for some seconds between attempts.
    """

    def __init__(
        self, transport: httpx.BaseTransport | None = None, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._transport = transport
        self._sleep = sleep

    def download(self, address: str, to: Path, *, etag: str = "", most: int = MOST_FEED) -> Downloaded:
        why = ""
        with httpx.Client(
            timeout=_TIMEOUT, follow_redirects=True, max_redirects=_MOST_REDIRECTS, transport=self._transport
        ) as client:
            for attempt in range(_ATTEMPTS):
                try:
                    return self._attempt(client, address, to, etag, most)
                except _Broken as broken:
                    why = str(broken)
                    wait = 2.0**attempt if broken.wait is None else broken.wait
                    if attempt < _ATTEMPTS - 1:
                        self._sleep(min(wait, _LONGEST_WAIT))
                except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects) as error:
                    why = str(error)
                    break
        raise FeedUnavailable(
            f"The feed at {address} cannot be fetched: {why[:200]}.",
            remedy="Check the address and the network, or import a file with `lading advisories import`.",
        )

    def _attempt(self, client: httpx.Client, address: str, to: Path, etag: str, most: int) -> Downloaded:
        part, version = to.with_name(to.name + ".part"), to.with_name(to.name + ".etag")
        begun = part.stat().st_size if part.exists() and version.exists() else 0
        # What is compressed on the way cannot be gone on with.
        headers = {"Accept-Encoding": "identity"}
        if begun:
            headers |= {"Range": f"bytes={begun}-", "If-Range": version.read_text(encoding="utf-8")}
        elif etag:
            headers["If-None-Match"] = etag
        try:
            with client.stream("GET", address, headers=headers) as answer:
                return self._answered(answer, address, to, begun, most)
        except httpx.TransportError as error:
            raise _Broken(str(error) or type(error).__name__) from error

    def _answered(self, answer: httpx.Response, address: str, to: Path, begun: int, most: int) -> Downloaded:
        part, version = to.with_name(to.name + ".part"), to.with_name(to.name + ".etag")
        if answer.status_code == 304 and not begun:
            return Downloaded(unchanged=True, etag=answer.headers.get("etag", ""))
        if answer.status_code in _THROTTLED:
            raise _Broken(f"the server answers {answer.status_code}", _retry_after(answer))
        if answer.status_code == 416:
            part.unlink(missing_ok=True)
            raise _Broken("what was begun does not fit any more", 0.0)
        if answer.status_code not in (200, 206):
            raise httpx.InvalidURL(f"the server answers {answer.status_code}")
        goes_on = answer.status_code == 206 and answer.headers.get("content-range", "").startswith(f"bytes {begun}-")
        if answer.status_code == 206 and not goes_on:
            part.unlink(missing_ok=True)
            raise _Broken("the server sent another range than it was asked for", 0.0)
        etag = answer.headers.get("etag", "")
        # A weak etag does not promise the same bytes: RFC 9110, section 13.1.5.
        if etag and not etag.startswith("W/"):
            version.write_text(etag, encoding="utf-8")
        else:
            version.unlink(missing_ok=True)
        size = self._write(answer, part, begun if goes_on else 0, address, most)
        with part.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
        part.replace(to)
        version.unlink(missing_ok=True)
        return Downloaded(unchanged=False, etag=etag, sha256=f"sha256:{digest}", size=size)

    def _write(self, answer: httpx.Response, part: Path, begun: int, address: str, most: int) -> int:
        size = begun
        with part.open("ab" if begun else "wb") as file:
            for chunk in answer.iter_raw():
                size += len(chunk)
                if size > most:
                    file.truncate(0)
                    raise too_large(address, most)
                file.write(chunk)
        promised = answer.headers.get("content-length", "")
        if promised.isdigit() and size - begun != int(promised):
            raise _Broken(f"{size - begun} bytes came where {promised} were promised")
        return size


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds, or the moment, that the server asks to wait for (RFC 9110, section 10.2.3)."""
    said = answer.headers.get("retry-after", "")
    if said.isdigit():
        return float(said)
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
