"""Whoever asks too often waits, others don't, and nothing grows without bound."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from lading.entrypoints.registry.audit import NoCalls
from lading.entrypoints.registry.limits import Buckets, Limits
from lading.kernel.clock import ManualClock
from lading.supply_chain.registry.access import ANONYMOUS, Visitor


class Endpoint:
    """Believes that credentials `X-n` are of principal X."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        proof = dict(scope["headers"]).get(b"authorization", b"").decode()
        scope.setdefault("state", {})["visitor"] = Visitor(proof.partition("-")[0]) if proof else ANONYMOUS
        await PlainTextResponse("content")(scope, receive, send)


class Noted(NoCalls):
    def __init__(self) -> None:
        self.refusals: list[tuple[str, str, int]] = []

    def refused(self, principal: str, operation: str, target: str, address: str, status: int) -> None:
        self.refusals.append((principal, address, status))


@pytest.fixture
def noted() -> Noted:
    return Noted()


def limits(clock: ManualClock, noted: Noted, principal: int = 0, address: int = 0) -> Limits:
    return Limits(Endpoint(), principal, address, noted, clock)


def get(app: Any, proof: str = "", address: str = "192.0.2.7") -> tuple[int, dict[str, str], bytes]:
    headers = [(b"authorization", proof.encode())] if proof else []
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/v2/",
        "headers": headers,
        "client": (address, 1),
        "extensions": {},
    }
    status, found, body = 0, {}, b""

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        nonlocal status, found, body
        status = message.get("status", status)
        found |= {key.decode(): value.decode() for key, value in message.get("headers", [])}
        body += message.get("body", b"")

    asyncio.run(app(scope, receive, send))
    return status, found, body


def test_an_address_that_asks_too_often_is_told_when_to_come_back(clock: ManualClock, noted: Noted) -> None:
    app = limits(clock, noted, address=60)
    for left in range(59, -1, -1):
        status, headers, _ = get(app)
        assert (status, headers["ratelimit-limit"], headers["ratelimit-remaining"]) == (200, "60;w=60", f"{left};w=60")
    status, headers, body = get(app)
    assert (status, headers["retry-after"], headers["ratelimit-remaining"]) == (429, "1", "0;w=60")
    assert json.loads(body)["errors"][0]["code"] == "TOOMANYREQUESTS"
    assert noted.refusals == [("anonymous", "192.0.2.7", 429)]
    assert get(app, address="192.0.2.8")[0] == 200
    clock.sleep(1)
    assert get(app)[0] == 200
    assert get(app)[0] == 429


def test_a_principal_has_one_bucket_for_all_its_credentials_and_addresses(clock: ManualClock, noted: Noted) -> None:
    app = limits(clock, noted, principal=4)
    for number in range(4):
        assert get(app, f"ada-{number % 2}", address=f"192.0.2.{number}")[0] == 200
    assert get(app, "ada-1")[0] == 429
    assert noted.refusals == [("ada", "192.0.2.7", 429)]
    assert get(app, "bob-1")[0] == 200
    assert get(app)[0] == 200
    assert "ratelimit-limit" not in get(app)[1]


def test_the_tighter_limit_is_told(clock: ManualClock, noted: Noted) -> None:
    app = limits(clock, noted, principal=3, address=100)
    get(app, "ada-1")
    assert get(app, "ada-1")[1]["ratelimit-limit"] == "3;w=60"
    assert get(app)[1]["ratelimit-limit"] == "100;w=60"


def test_buckets_are_bounded_and_those_in_use_stay(clock: ManualClock) -> None:
    buckets = Buckets(5, clock)
    for number in range(20_000):
        buckets.take("busy") if number % 100 == 0 else buckets.take(str(number))
    assert len(buckets._left) == 10_000
    assert buckets.wait("busy") > 0
    assert buckets.wait("0-never") == 0
