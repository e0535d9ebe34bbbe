"""Copies of images between registries, as a job: who may is decided before, by the API."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

import msgspec

from lading.kernel.errors import InvalidInput
from lading.kernel.reference import Reference
from lading.supply_chain.registry.access import Visitor
from lading.supply_chain.registry.copies import (
    CopyResult,
    OurSink,
    OurSource,
    ReferringSource,
    TheirRegistry,
    copy_everything,
)
from lading.supply_chain.registry.copying import ImageSink

if TYPE_CHECKING:
    from lading.wiring import Wiring

_PURPOSE = "copy"


class End(msgspec.Struct, frozen=True, kw_only=True):
    """One end of a copy: a reference, and how to get in where it is another registry. `secret` is sealed."""

    image: str
    user: str = ""
    secret: str = ""
    plain: bool = False


class CopyOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A copy to make for a team. `platform` narrows an index to one image."""

    source: End
    target: End
    team: str = ""
    platform: str = ""


class Copies:
    """Makes copies."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def end(self, image: str, user: str = "", secret: str = "", *, plain: bool = False) -> End:
        """One end, with its secret sealed and our own addresses left out; raises InvalidInput."""
        reference = Reference.parse(image)
        settings = self._wiring.settings
        if reference.domain in (str(settings.push_addr), str(settings.pull_addr)):
            reference = reference.on("")
        if (user or secret) and not reference.domain:
            raise InvalidInput(f"{image} is in this registry, which needs no user.", remedy="Leave user and token out.")
        sealed = self._wiring.sealer.seal(secret, _PURPOSE) if secret else ""
        return End(image=str(reference), user=user, secret=sealed, plain=plain)

    def run(self, order: CopyOrder, actor: str, say: Callable[[str], None]) -> CopyResult:
        """Copy an image with everything that refers to it; raises RegistryErrors."""
        source, target = Reference.parse(order.source.image), Reference.parse(order.target.image)
        name = str(source.digest) if source.digest else source.tag or "latest"
        tag = target.tag or source.tag or ("" if source.digest else "latest")
        with ExitStack() as closing:
            return copy_everything(
                self._source(order, closing), source.path, name, self._sink(order, actor, closing),
                to=target.path, tag=tag, platform=order.platform, say=say,
            )  # fmt: skip

    def _source(self, order: CopyOrder, closing: ExitStack) -> ReferringSource:
        source, leaves = Reference.parse(order.source.image), bool(Reference.parse(order.target.image).domain)
        if source.domain:
            return self._theirs(order.source, source.domain, closing)
        return OurSource(self._wiring.registry, self._wiring.serving if leaves else None)

    def _sink(self, order: CopyOrder, actor: str, closing: ExitStack) -> ImageSink:
        target, source = Reference.parse(order.target.image), Reference.parse(order.source.image)
        if target.domain:
            return self._theirs(order.target, target.domain, closing)
        return OurSink(self._wiring.registry, Visitor(actor, order.team), "" if source.domain else source.path)

    def _theirs(self, end: End, domain: str, closing: ExitStack) -> TheirRegistry:
        secret = self._wiring.sealer.unseal(end.secret, _PURPOSE) if end.secret else ""
        registry = TheirRegistry(f"{'http' if end.plain else 'https'}://{domain}", end.user, secret)
        closing.callback(registry.close)
        return registry
