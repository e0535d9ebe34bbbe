"""Answers given from memory are never older than the last change."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from lading.entrypoints.registry.content import Served
from lading.entrypoints.registry.hot import BELIEVED_SECONDS, HotAnswers
from lading.kernel.clock import ManualClock
from lading.kernel.digest import Digest
from lading.kernel.errors import Forbidden, Unavailable
from lading.state import Database
from lading.state.freshness import Freshness
from lading.supply_chain.registry.access import Visitor

CONTENT = b"a manifest"


class Endpoint:
    """Serves one content to whom it likes, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.refuses = False
        self.gone = False
        self.slowly: asyncio.Event | None = None
        self.visitor = Visitor("robot:shop/ci")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        scope.setdefault("state", {})["visitor"] = self.visitor
        if self.slowly is not None:
            await self.slowly.wait()
        if self.refuses:
            raise Forbidden("revoked")
        await Served(self._open, Digest.of(CONTENT), "text/plain", len(CONTENT))(scope, receive, send)

    def _open(self, start: int) -> io.BytesIO:
        if self.gone:
            raise Unavailable("no disk")
        return io.BytesIO(CONTENT[start:])


class State:
    """A number that grows with every change, in a database that can be away."""

    def __init__(self, clock: ManualClock) -> None:
        self.head = 1
        self.is_away = False
        self.freshness = Freshness(Database("sqlite://"), self._read, clock)
        self.freshness.look()

    def _read(self, _tx: object) -> int:
        if self.is_away:
            raise Unavailable("no database")
        return self.head


async def get(app: Any, *, method: str = "GET", token: bytes = b"one", asked_range: bytes = b"") -> tuple[int, bytes]:
    headers = [(b"authorization", token)] + ([(b"range", asked_range)] if asked_range else [])
    scope = {"type": "http", "method": method, "path": "/v2/shop/web/manifests/1", "headers": headers, "extensions": {}}
    status, body = 0, b""

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        nonlocal status, body
        status = message.get("status", status)
        body += message.get("body", b"")

    await app(scope, receive, send)
    return status, body


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def state(clock: ManualClock) -> State:
    return State(clock)


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
def app(endpoint: Endpoint, state: State, clock: ManualClock) -> HotAnswers:
    return HotAnswers(endpoint, state.freshness, clock)


def test_the_same_question_is_answered_once(app: HotAnswers, endpoint: Endpoint) -> None:
    for _ in range(5):
        assert asyncio.run(get(app)) == (200, CONTENT)
    assert asyncio.run(get(app, method="HEAD")) == (200, b"")
    assert asyncio.run(get(app, asked_range=b"bytes=2-4")) == (206, CONTENT[2:5])
    assert endpoint.asked == 1


def test_other_credentials_are_another_question(app: HotAnswers, endpoint: Endpoint) -> None:
    asyncio.run(get(app))
    endpoint.refuses = True
    with pytest.raises(Forbidden):
        asyncio.run(get(app, token=b"two"))


def test_a_change_anywhere_ends_what_was_kept(app: HotAnswers, endpoint: Endpoint, state: State) -> None:
    asyncio.run(get(app))
    endpoint.refuses, state.head = True, 2
    state.freshness.look()
    with pytest.raises(Forbidden):
        asyncio.run(get(app))


def test_a_write_of_this_process_ends_what_was_kept(app: HotAnswers, endpoint: Endpoint) -> None:
    asyncio.run(get(app))
    asyncio.run(get(app, method="PUT"))
    asyncio.run(get(app))
    assert endpoint.asked == 3


def test_nothing_is_kept_for_longer_than_a_second(
    app: HotAnswers, endpoint: Endpoint, state: State, clock: ManualClock
) -> None:
    asyncio.run(get(app))
    clock.sleep(BELIEVED_SECONDS)
    state.freshness.look()
    asyncio.run(get(app))
    assert endpoint.asked == 2


def test_nothing_is_kept_beyond_the_end_of_the_token_that_asked(
    app: HotAnswers, endpoint: Endpoint, clock: ManualClock
) -> None:
    endpoint.visitor = Visitor("robot:shop/ci", until=clock.now().timestamp() + 0.3)
    asyncio.run(get(app))
    clock.sleep(0.2)
    asyncio.run(get(app))
    assert endpoint.asked == 1
    endpoint.refuses = True
    clock.sleep(0.2)
    with pytest.raises(Forbidden):
        asyncio.run(get(app))


def test_nothing_kept_is_used_while_the_database_is_away(
    app: HotAnswers, endpoint: Endpoint, state: State, clock: ManualClock
) -> None:
    asyncio.run(get(app))
    state.is_away = True
    clock.sleep(0.6)
    state.freshness.look()
    asyncio.run(get(app))
    assert endpoint.asked == 2


def test_what_changed_while_it_was_asked_is_not_kept(app: HotAnswers, endpoint: Endpoint, state: State) -> None:
    async def change_meanwhile() -> None:
        endpoint.slowly = asyncio.Event()
        asked = asyncio.ensure_future(get(app))
        await asyncio.sleep(0)
        state.head = 2
        state.freshness.look()
        endpoint.slowly.set()
        assert (await asked)[0] == 200
        endpoint.slowly = None
        await get(app)

    asyncio.run(change_meanwhile())
    assert endpoint.asked == 2


def test_many_who_ask_at_once_are_one_question(app: HotAnswers, endpoint: Endpoint) -> None:
    async def together() -> None:
        endpoint.slowly = asyncio.Event()
        asked = [asyncio.ensure_future(get(app)) for _ in range(20)]
        await asyncio.sleep(0)
        endpoint.slowly.set()
        assert {status for status, _ in await asyncio.gather(*asked)} == {200}

    asyncio.run(together())
    assert endpoint.asked == 1


def test_refusals_are_not_kept(app: HotAnswers, endpoint: Endpoint) -> None:
    endpoint.refuses = True
    with pytest.raises(Forbidden):
        asyncio.run(get(app))
    endpoint.refuses = False
    assert asyncio.run(get(app)) == (200, CONTENT)


def test_content_that_went_is_asked_for_again(app: HotAnswers, endpoint: Endpoint) -> None:
    asyncio.run(get(app, method="HEAD"))
    endpoint.gone = True
    with pytest.raises(Unavailable):
        asyncio.run(get(app))
    assert endpoint.asked == 2
