"""An upstream over HTTP: conditional requests, lists by pages, cut transfers, what it says about its limits."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx

from lading.kernel.clock import Clock
from lading.kernel.digest import Digest
from lading.kernel.reference import is_repository_name, is_tag
from lading.supply_chain.registry.copies import TheirRegistry
from lading.supply_chain.registry.errors import BlobUnknown, ManifestUnknown, RegistryError, RemoteFailed
from lading.supply_chain.registry.manifest import IMAGES, INDEXES
from lading.supply_chain.registry.mirroring.errors import Stopping, Throttled, TooSlow
from lading.supply_chain.registry.mirroring.quota import Quota, quota_of, retry_after
from lading.supply_chain.registry.mirroring.upstream_registry import Looked
from lading.supply_chain.registry.replication.pace import Pace, pause_after

_ACCEPT: Final = ", ".join(sorted(IMAGES | INDEXES))
_TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)
_MOST_PAGES: Final = 1_000
_MOST_NAMES: Final = 100_000
_MOST_PAGE: Final = 8 << 20
_PAGE: Final = 1_000
# A transfer that is cut goes on so often; when next to nothing came since the last cut, only a few times.
_MOST_CUTS: Final = 20
_MOST_BARREN: Final = 4
_BARREN: Final = 64 << 10
# Slower than this for longer than that is as good as no answer.
_LEAST_SPEED: Final = 1_024
_PATIENCE: Final = 60.0


class HttpUpstream(TheirRegistry):
    """One registry as one user or nobody.

    Args:
        verify: an `ssl.SSLContext` that knows its certificate authority; True for those of the machine.
        pace: how fast blobs may come.
        before: called before each request; raises when the registry is to be left alone.
        stop: set when this process ends: then nothing more is fetched.
    """

    def __init__(
        self,
        url: str,
        user: str = "",
        secret: str = "",
        *,
        clock: Clock,
        pace: Pace,
        verify: ssl.SSLContext | bool = True,
        before: Callable[[], None] = lambda: None,
        stop: threading.Event | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        super().__init__(url, user, secret, transport=transport, verify=verify, timeout=_TIMEOUT)
        self._clock = clock
        self._pace = pace
        self._quota: Quota | None = None
        self._stop = stop or threading.Event()
        self._client.event_hooks = {"request": [lambda _request: before()], "response": [self._watch]}

    def look(self, repository: str, tag: str, etag: str = "") -> Looked:
        headers = {"Accept": _ACCEPT} | ({"If-None-Match": etag} if etag else {})
        with self._answer("HEAD", f"/v2/{repository}/manifests/{tag}", repository, headers=headers) as answer:
            if answer.status_code == httpx.codes.NOT_MODIFIED:
                return Looked("", etag, unchanged=True)
            if answer.status_code == httpx.codes.NOT_FOUND:
                raise ManifestUnknown(f"{self._url} has no {repository} {tag}.")
            self._expect(answer, httpx.codes.OK)
            found = answer.headers.get("etag", "")
            return Looked(
                answer.headers.get("docker-content-digest", ""), found[:300], unchanged=bool(etag) and found == etag
            )

    @contextmanager
    def open_blob(self, repository: str, digest: Digest) -> Iterator[Iterator[bytes]]:
        with ExitStack() as stack:
            first = stack.enter_context(self._part(repository, digest, 0))
            yield self._whole(repository, digest, first)

    def tags(self, repository: str) -> Iterator[str]:
        for name in self._listed(f"/v2/{repository}/tags/list?n={_PAGE}", repository, "tags"):
            if is_tag(name):
                yield name

    def repositories(self) -> Iterator[str]:
        for name in self._listed(f"/v2/_catalog?n={_PAGE}", "", "repositories"):
            if is_repository_name(name):
                yield name

    def quota(self) -> Quota | None:
        return self._quota

    # Blobs

    def _whole(self, repository: str, digest: Digest, first: Iterator[bytes]) -> Iterator[bytes]:
        """A blob from its first part on; a connection that is cut is opened again where it broke off."""
        at = mark = cuts = barren = 0
        part: Iterator[bytes] | None = first
        while True:
            try:
                with ExitStack() as stack:
                    for chunk in part or stack.enter_context(self._part(repository, digest, at)):
                        at += len(chunk)
                        self._pace.spend(len(chunk))
                        yield chunk
                return
            except (Stopping, Throttled, TooSlow):
                raise
            except (httpx.HTTPError, httpx.StreamError, RemoteFailed) as error:
                barren = barren + 1 if at - mark < _BARREN else 0
                cuts, mark, part = cuts + 1, at, None
                if cuts > _MOST_CUTS or barren > _MOST_BARREN:
                    raise RemoteFailed(
                        f"{self._url} broke off {digest} {cuts} times, last after {at} bytes.",
                        remedy="It is fetched again later.",
                    ) from error
                self._clock.sleep(pause_after(barren, least=0.1, most=2.0))

    @contextmanager
    def _part(self, repository: str, digest: Digest, start: int) -> Iterator[Iterator[bytes]]:
        """A blob from byte `start` on, as it comes: what was gathered into larger chunks would be lost by a cut."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        with self._answer("GET", f"/v2/{repository}/blobs/{digest}", repository, headers=headers) as answer:
            if answer.status_code == httpx.codes.NOT_FOUND:
                raise BlobUnknown(f"{self._url} has no blob {digest} in {repository}.")
            if start and answer.status_code == httpx.codes.PARTIAL_CONTENT:
                if not answer.headers.get("content-range", "").startswith(f"bytes {start}-"):
                    raise RemoteFailed(f"{self._url} serves another part of {digest} than was asked for.")
                yield answer.iter_bytes()
                return
            self._expect(answer, httpx.codes.OK)
            yield _without(answer.iter_bytes(), start)

    # Lists

    def _listed(self, path: str, repository: str, member: str) -> Iterator[str]:
        count = 0
        for _ in range(_MOST_PAGES):
            with self._answer("GET", path, repository) as answer:
                if answer.status_code in (httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED):
                    raise ManifestUnknown(f"{self._url} lists no {member}{' of ' + repository if repository else ''}.")
                self._expect(answer, httpx.codes.OK)
                names = self._names(answer, member)
                following = answer.links.get("next", {}).get("url", "")
            for name in names:
                count += 1
                if count > _MOST_NAMES:
                    raise RemoteFailed(f"{self._url} lists more than {_MOST_NAMES} {member}.")
                yield name
            if not following:
                return
            path = self._next_page(path, following)
        raise RemoteFailed(f"{self._url} lists {member} on more than {_MOST_PAGES} pages.")

    def _names(self, answer: httpx.Response, member: str) -> list[str]:
        body = bytearray()
        for chunk in answer.iter_bytes(1 << 16):
            body += chunk
            if len(body) > _MOST_PAGE:
                raise RemoteFailed(f"{self._url} lists {member} in pages of more than {_MOST_PAGE} bytes.")
        try:
            names = json.loads(bytes(body))[member]
            return [str(name) for name in names or []]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise RemoteFailed(f"{self._url} answers no list of {member}.") from error

    def _next_page(self, path: str, link: str) -> str:
        here = urljoin(self._url + "/", path)
        target = urlsplit(urljoin(here, link))
        if (target.scheme, target.netloc) != urlsplit(here)[:2] or urljoin(here, link) == here:
            raise RemoteFailed(f"{self._url} names a next page that is none of its own.")
        return target.path + (f"?{target.query}" if target.query else "")

    # What it says about being asked

    def _watch(self, answer: httpx.Response) -> None:
        answer.stream = _Watched(answer.stream, self._url, self._clock, self._stop)
        found = quota_of(answer.headers)
        if found is not None:
            self._quota = found

    def _refused(self, answer: httpx.Response) -> RegistryError:
        until = retry_after(answer.headers, self._clock.now())
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS or (answer.status_code == 503 and until is not None):
            return Throttled(
                f"The registry {self._url} answered {answer.status_code}: it wants to be asked later.", until=until
            )
        return super()._refused(answer)


def _without(chunks: Iterator[bytes], start: int) -> Iterator[bytes]:
    """The chunks beyond byte `start`, of a registry that knows no ranges."""
    for chunk in chunks:
        if start >= len(chunk):
            start -= len(chunk)
            continue
        yield chunk[start:]
        start = 0


class _Watched(httpx.SyncByteStream):
    """The content of an answer, which must come at some speed; what we do with it meanwhile does not count."""

    def __init__(
        self, stream: httpx.SyncByteStream | httpx.AsyncByteStream, url: str, clock: Clock, stop: threading.Event
    ) -> None:
        assert isinstance(stream, httpx.SyncByteStream)
        self._stream = stream
        self._url = url
        self._clock = clock
        self._stop = stop

    def __iter__(self) -> Iterator[bytes]:
        waited, size, chunks = 0.0, 0, iter(self._stream)
        while True:
            began = self._clock.monotonic()
            chunk = next(chunks, None)
            waited += self._clock.monotonic() - began
            if chunk is None:
                return
            size += len(chunk)
            if self._stop.is_set():
                raise Stopping("This process is stopping.", remedy="The next one goes on.")
            if waited > _PATIENCE and size < waited * _LEAST_SPEED:
                raise TooSlow(f"{self._url} answers too slowly: {size} bytes in {waited:.0f} s.")
            yield chunk

    def close(self) -> None:
        self._stream.close()
