"""Where a request really comes from, when proxies of ours stand between.

    X-Forwarded-For: what a client claims, what the first proxy saw, what the second saw   <- the connection

Read from its end, over as many proxies as are trusted: the first address that is none of ours is who asks. Anybody can
write the rest of that header, and it is not looked at; from a connection that no trusted proxy made, none of it is.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

_FORWARDED: Final = b"x-forwarded-for"
_MOST_TEXT: Final = 4_096
Networks = tuple[IPv4Network | IPv6Network, ...]


class BehindProxies:
    """ASGI middleware that makes `scope["client"]` who asks.

    Args:
        trusted: where our proxies are.
    """

    def __init__(self, app: ASGIApp, trusted: Networks) -> None:
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if client and scope["type"] == "http":
            scope = {**scope, "client": (self._real(client[0], scope["headers"]), client[1])}
        await self._app(scope, receive, send)

    def _real(self, peer: str, headers: list[tuple[bytes, bytes]]) -> str:
        said = b",".join(value for name, value in headers if name == _FORWARDED)[-_MOST_TEXT:]
        found = peer
        for text in reversed(said.decode("latin-1").split(",")):
            if not self._is_ours(found):
                break
            address = _parsed(text.strip())
            if address is None:
                break
            found = str(address)
        return found

    def _is_ours(self, text: str) -> bool:
        address = _parsed(text)
        return address is not None and any(address in network for network in self._trusted)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.strip("[]"))
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
