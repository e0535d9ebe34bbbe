"""An upstream over HTTP that throttles, breaks off, lists badly and sends slowly."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from lading.kernel.clock import ManualClock
from lading.kernel.digest import Digest
from lading.supply_chain.registry.errors import RemoteDenied, RemoteFailed
from lading.supply_chain.registry.mirroring.errors import Stopping, Throttled, TooSlow
from lading.supply_chain.registry.mirroring.quota import Quota
from lading.supply_chain.registry.mirroring.upstream_http import HttpUpstream
from lading.supply_chain.registry.replication.pace import Pace

BLOB = bytes(range(256)) * 4_000
DIGEST = Digest.of(BLOB)
Answer = Callable[[httpx.Request], httpx.Response]


class Cut(httpx.SyncByteStream):
    """A body that breaks off."""

    def __init__(self, content: bytes, clock: ManualClock | None = None, step: int = 100_000) -> None:
        self._content, self._clock, self._step = content, clock, step

    def __iter__(self) -> Iterator[bytes]:
        for at in range(0, len(self._content), self._step):
            if self._clock is not None:
                self._clock.advance(timedelta(seconds=30))
            yield self._content[at : at + self._step]
        raise httpx.ReadError("connection reset")


def upstream(answer: Answer, clock: ManualClock, **more: Any) -> HttpUpstream:
    transport = httpx.MockTransport(answer)
    return HttpUpstream("https://hub.example", clock=clock, pace=Pace(0, clock), transport=transport, **more)


def read(found: HttpUpstream) -> bytes:
    with found.open_blob("a/b", DIGEST) as chunks:
        return b"".join(chunks)


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_a_blob_goes_on_where_it_broke_off(clock: ManualClock, knows_ranges: bool) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        part = request.headers.get("range", "")
        asked.append(part)
        start = int(part[6:-1]) if part and knows_ranges else 0
        end = len(asked) * 300_000
        content = BLOB[start:end]
        body = httpx.ByteStream(content) if end >= len(BLOB) else Cut(content)
        headers = {"Content-Range": f"bytes {start}-{len(BLOB) - 1}/{len(BLOB)}"} if start else {}
        return httpx.Response(206 if start else 200, stream=body, headers=headers)

    assert read(upstream(answer, clock)) == BLOB
    assert asked == ["", "bytes=300000-", "bytes=600000-", "bytes=900000-"]


def test_a_redirect_keeps_the_range(clock: ManualClock) -> None:
    asked: list[tuple[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.url.host, request.headers.get("range", "")))
        if request.url.host == "hub.example":
            return httpx.Response(307, headers={"Location": "https://blobs.example/x"})
        if len(asked) == 2:
            return httpx.Response(200, stream=Cut(BLOB[:300_000]))
        headers = {"Content-Range": f"bytes 300000-{len(BLOB) - 1}/{len(BLOB)}"}
        return httpx.Response(206, content=BLOB[300_000:], headers=headers)

    assert read(upstream(answer, clock)) == BLOB
    assert asked[-1] == ("blobs.example", "bytes=300000-")


def test_another_part_than_was_asked_for_is_not_taken(clock: ManualClock) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if "range" not in request.headers:
            return httpx.Response(200, stream=Cut(BLOB[:300_000]))
        return httpx.Response(206, content=BLOB[5:], headers={"Content-Range": "bytes 5-1023999/1024000"})

    with pytest.raises(RemoteFailed, match="broke off"):
        read(upstream(answer, clock))


def test_how_often_a_blob_goes_on_is_bounded(clock: ManualClock) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers.get("range", ""))
        return httpx.Response(200, stream=Cut(BLOB[: len(asked) * 40_000]))

    with pytest.raises(RemoteFailed, match="broke off"):
        read(upstream(answer, clock))
    assert len(asked) <= 6


def test_a_blob_that_trickles_in_is_given_up(clock: ManualClock) -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Cut(BLOB, clock, step=100))

    with pytest.raises(TooSlow):
        read(upstream(answer, clock))


def test_a_list_that_trickles_in_is_given_up(clock: ManualClock) -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Cut(b'{"tags": [' + b" " * 10_000, clock, step=10))

    with pytest.raises(TooSlow):
        list(upstream(answer, clock).tags("a/b"))


def test_a_process_that_ends_fetches_nothing_more(clock: ManualClock) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopping):
        read(upstream(lambda _request: httpx.Response(200, stream=httpx.ByteStream(BLOB)), clock, stop=stop))


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"Retry-After": "90"}, 90),
        (429, {"Retry-After": "Thu, 01 Jan 2026 00:01:30 GMT"}, 90),
        (503, {"Retry-After": "90"}, 90),
        (429, {}, None),
    ],
)
def test_too_many_requests_say_when_to_come_again(
    clock: ManualClock, status: int, headers: dict[str, str], seconds: int | None
) -> None:
    found = upstream(lambda _request: httpx.Response(status, headers=headers), clock)
    for ask in (lambda: found.look("a/b", "1"), lambda: found.manifest("a/b", "1"), lambda: list(found.tags("a/b"))):
        with pytest.raises(Throttled) as caught:
            ask()
        assert caught.value.until == (None if seconds is None else clock.now() + timedelta(seconds=seconds))


def test_a_token_service_that_throttles_is_no_wrong_password(clock: ManualClock) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/token":
            return httpx.Response(status, headers={"Retry-After": "9"})
        return httpx.Response(401, headers={"WWW-Authenticate": 'Bearer realm="https://hub.example/token"'})

    status = 429
    with pytest.raises(Throttled):
        upstream(answer, clock).look("a/b", "1")
    status = 401
    with pytest.raises(RemoteDenied):
        upstream(answer, clock).look("a/b", "1")


def test_what_is_left_of_a_quota_is_noted_whatever_was_asked(clock: ManualClock) -> None:
    headers = {"RateLimit-Limit": "100;w=60", "RateLimit-Remaining": "3;w=60", "Docker-Content-Digest": str(DIGEST)}
    found = upstream(lambda _request: httpx.Response(200, headers=headers), clock)
    found.look("a/b", "1")
    assert found.quota() == Quota(100, 3, 60)


def test_nothing_is_asked_when_it_is_to_be_left_alone(clock: ManualClock) -> None:
    def rests() -> None:
        raise Throttled("it rests")

    found = upstream(lambda _request: pytest.fail("it was asked"), clock, before=rests)
    with pytest.raises(Throttled, match="it rests"):
        found.look("a/b", "1")


def test_lists_come_page_by_page(clock: ManualClock) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.params.get("last") == "2":
            return httpx.Response(200, json={"name": "a/b", "tags": ["3", "no tag!"]})
        link = '</v2/a/b/tags/list?n=2&last=2>; rel="next"'
        return httpx.Response(200, json={"name": "a/b", "tags": ["1", "2"]}, headers={"Link": link})

    assert list(upstream(answer, clock).tags("a/b")) == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("body", "link"),
    [
        (b"[]", ""), (b"{", ""), (b'{"tags": 5}', ""), (b"[" * 100_000, ""),
        (b'{"tags": []}', "https://other.example/v2/a/b/tags/list"),
        (b'{"tags": []}', "http://hub.example/v2/a/b/tags/list"),
        (b'{"tags": []}', "/v2/a/b/tags/list?n=1000"),
    ],
)  # fmt: skip
def test_lists_that_are_none_or_lead_elsewhere_are_refused(clock: ManualClock, body: bytes, link: str) -> None:
    headers = {"Link": f'<{link}>; rel="next"'} if link else {}
    with pytest.raises(RemoteFailed):
        list(upstream(lambda _request: httpx.Response(200, content=body, headers=headers), clock).tags("a/b"))


def test_lists_without_end_are_bounded(clock: ManualClock) -> None:
    count = iter(range(10**6))

    def answer(_request: httpx.Request) -> httpx.Response:
        link = f'</v2/a/b/tags/list?last={next(count)}>; rel="next"'
        return httpx.Response(200, content=b'{"tags": null}', headers={"Link": link})

    with pytest.raises(RemoteFailed, match="pages"):
        list(upstream(answer, clock).tags("a/b"))
