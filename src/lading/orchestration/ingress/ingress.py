"""The port: routes from published addresses to containers; and the adapter that only remembers them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec


class IngressRoute(msgspec.Struct, frozen=True, kw_only=True):
    """A published address of a workload and the `address:port` of each container behind it."""

    workload: str
    listen: str
    upstreams: tuple[str, ...]


class Ingress(Protocol):
    """Takes requests on published addresses and hands them to containers."""

    def apply(self, routes: Sequence[IngressRoute]) -> None:
        """Make these all the routes there are, at once: requests under way finish where they began.

        Raises:
            OrchestrationError: an address is taken, or the ingress does not take the configuration; the routes before
                stay in force.
        """
        ...

    def drain(self, upstreams: Sequence[str], seconds: float) -> bool:
        """Wait until no request is under way to these `address:port`, which routes lead to no more; at most `seconds`.

        Returns whether that came true.
        """
        ...


class MemoryIngress:
    """Remembers routes, every configuration it was given, and what was drained."""

    def __init__(self) -> None:
        self.routes: tuple[IngressRoute, ...] = ()
        self.history: list[tuple[IngressRoute, ...]] = []
        self.drained: list[str] = []

    def apply(self, routes: Sequence[IngressRoute]) -> None:
        self.routes = tuple(routes)
        self.history.append(self.routes)

    def drain(self, upstreams: Sequence[str], seconds: float) -> bool:
        del seconds
        self.drained += upstreams
        return True
