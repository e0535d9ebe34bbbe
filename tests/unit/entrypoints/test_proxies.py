"""Whose request it is behind proxies: only what a proxy of ours saw is believed."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from lading.entrypoints.server.proxies import BehindProxies

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))


def client_of(peer: str, *forwarded: bytes) -> str:
    seen: list[Any] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["client"])

    headers = [(b"x-forwarded-for", value) for value in forwarded]
    scope = {"type": "http", "client": (peer, 1), "headers": headers}
    asyncio.run(BehindProxies(app, TRUSTED)(scope, None, None))  # type: ignore[arg-type]
    return str(seen[0][0])


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.1", (), "192.0.2.1"),
        ("192.0.2.1", (b"198.51.100.9",), "192.0.2.1"),
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", (b"198.51.100.9",), "198.51.100.9"),
        ("10.0.0.1", (b"198.51.100.9, 10.0.0.2",), "198.51.100.9"),
        ("10.0.0.1", (b"198.51.100.9", b"10.0.0.2"), "198.51.100.9"),
        ("10.0.0.1", (b"1.1.1.1, 198.51.100.9",), "198.51.100.9"),
        ("10.0.0.1", (b"10.9.9.9",), "10.9.9.9"),
        ("10.0.0.1", (b"nonsense, 10.0.0.2",), "10.0.0.2"),
        ("10.0.0.1", (b"198.51.100.9, nonsense",), "10.0.0.1"),
        ("::ffff:10.0.0.1", (b"2001:db8::1, [2001:db8::2]",), "2001:db8::1"),
        ("not an address", (b"198.51.100.9",), "not an address"),
    ],
)
def test_the_first_address_that_is_no_proxy_of_ours(peer: str, forwarded: tuple[bytes, ...], expected: str) -> None:
    assert client_of(peer, *forwarded) == expected


@given(st.lists(st.binary(max_size=200), max_size=4))
def test_no_header_makes_somebody_else_of_a_stranger(forwarded: list[bytes]) -> None:
    assert client_of("192.0.2.1", *forwarded) == "192.0.2.1"
