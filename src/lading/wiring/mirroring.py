"""Registries that are mirrored here: their parts, and what other rooms lend them."""

from __future__ import annotations

import shutil
import ssl
import threading
from functools import cached_property
from typing import TYPE_CHECKING

from lading.kernel.reference import Reference
from lading.lifecycle.mirror import Mirroring
from lading.supply_chain.registry.errors import StorageFailed
from lading.supply_chain.registry.mirroring.bringing import Bringer
from lading.supply_chain.registry.mirroring.errors import UpstreamInvalid
from lading.supply_chain.registry.mirroring.health import Health
from lading.supply_chain.registry.mirroring.standings import MirrorStandings
from lading.supply_chain.registry.mirroring.syncing import Schedule
from lading.supply_chain.registry.mirroring.upstream import UNNAMED, Upstream, covering
from lading.supply_chain.registry.mirroring.upstream_http import HttpUpstream
from lading.supply_chain.registry.mirroring.upstreams import Upstreams
from lading.supply_chain.registry.mirroring.wishes import Rank, Wish, Wishes
from lading.supply_chain.registry.replication.pace import Pace

if TYPE_CHECKING:
    from lading.wiring import Wiring

_UNNAMED_TEAM = "library"
_UNNAMED_PLATFORM = "linux/amd64"


class Mirrors:
    """The parts, made on demand."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self.stop = threading.Event()
        self._ways: dict[str, tuple[tuple[object, ...], HttpUpstream]] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Give back the connections."""
        with self._lock:
            for _, way in self._ways.values():
                way.close()
            self._ways.clear()

    @cached_property
    def upstreams(self) -> Upstreams:
        parts = self._wiring
        return Upstreams(parts.database, parts.ledger, parts.sealer, parts.clock)

    @cached_property
    def health(self) -> Health:
        return Health(self._wiring.database, self._wiring.ledger, self._wiring.clock)

    @cached_property
    def wishes(self) -> Wishes:
        return Wishes(self._wiring.database, self._wiring.clock)

    @cached_property
    def standings(self) -> MirrorStandings:
        return MirrorStandings(self._wiring.database, self._wiring.clock, self.unnamed)

    @cached_property
    def bringer(self) -> Bringer:
        parts = self._wiring
        return Bringer(
            database=parts.database,
            ledger=parts.ledger,
            registry=parts.registry,
            visibilities=parts.visibilities,
            health=self.health,
            connect=self.connect,
            clock=parts.clock,
        )

    @cached_property
    def schedule(self) -> Schedule:
        parts = self._wiring
        return Schedule(
            database=parts.database,
            ledger=parts.ledger,
            health=self.health,
            wishes=self.wishes,
            bringer=self.bringer,
            connect=self.connect,
            clock=parts.clock,
        )

    @cached_property
    def mirroring(self) -> Mirroring:
        parts = self._wiring
        return Mirroring(
            known=self.upstreams.all,
            unnamed=self.unnamed,
            bringer=self.bringer,
            judge=parts.admission,
            states=parts.states,
            wishes=self.wishes,
            clock=parts.clock,
            demand_space=self._demand_space,
        )

    @property
    def unnamed(self) -> Upstream | None:
        """The upstream that LADING_UPSTREAM names: bases that builds lack come from it, under their own path."""
        url = self._wiring.settings.upstream
        if not url:
            return None
        return Upstream(
            name=UNNAMED, url=url.rstrip("/"), prefix="", team=_UNNAMED_TEAM, platforms=(_UNNAMED_PLATFORM,), plain=True
        )

    def connect(self, upstream: Upstream) -> HttpUpstream:
        """The way to an upstream, kept with its connections and tokens; raises UpstreamInvalid for a bad CA file."""
        secret = "" if upstream.name == UNNAMED else self.upstreams.secret(upstream.name)
        key = (upstream.url, upstream.user, secret, upstream.ca_file, upstream.rate)
        with self._lock:
            known = self._ways.get(upstream.name)
            if known is None or known[0] != key:
                # Whoever still reads by way of the old one reads on.
                known = self._ways[upstream.name] = key, self._new_way(upstream, secret)
            return known[1]

    def _new_way(self, upstream: Upstream, secret: str) -> HttpUpstream:
        return HttpUpstream(
            upstream.url,
            upstream.user,
            secret,
            clock=self._wiring.clock,
            pace=Pace(upstream.rate, self._wiring.clock),
            verify=_trust(upstream.ca_file),
            before=lambda: self.health.guard(upstream.name),
            stop=self.stop,
        )

    def _demand_space(self) -> None:
        settings = self._wiring.settings
        free = shutil.disk_usage(settings.data).free // 1_000_000
        if free < settings.min_free_megabytes:
            raise StorageFailed(
                f"{settings.data} has only {free} MB free; mirroring needs {settings.min_free_megabytes} MB.",
                remedy="Free some space.",
            )

    def hear(self, repository: str, reference: str) -> None:
        """Note what the pull endpoint says is wanted; raises NotYet. What no upstream covers is not noted."""
        upstream = covering(self.upstreams.all(), repository)
        if upstream is not None and upstream.on_pull:
            Reference.parse(f"{repository}{'@' if ':' in reference else ':'}{reference}")
            self.wishes.note(Wish(repository, reference, upstream.name, Rank.AWAITED))


def _trust(ca_file: str) -> ssl.SSLContext | bool:
    if not ca_file:
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise UpstreamInvalid(
            f"The CA file {ca_file} cannot be read: {error}.", remedy="Put it on the host of the worker."
        ) from error
