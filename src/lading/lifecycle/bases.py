"""Base images: make them from packages, find them for a build, mirror them from a public registry if one is set."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from lading.facts import Ledger
from lading.facts.kinds.supply_chain import BaseImageMade
from lading.kernel.digest import Digest
from lading.kernel.errors import IntegrityFailure, LadingError, Refused
from lading.kernel.reference import Reference
from lading.lifecycle.admit import Admission, Verdict
from lading.lifecycle.telling import Telling
from lading.policy.explain import Explainer
from lading.state import Database
from lading.supply_chain.build.base import BaseMaker, BaseRequest, MadeBase, provenance
from lading.supply_chain.build.errors import BaseUnknown
from lading.supply_chain.registry.access import Visitor
from lading.supply_chain.registry.errors import RegistryError
from lading.supply_chain.registry.manifest import OCI_MANIFEST
from lading.supply_chain.registry.registry import Registry

_CHUNK: Final = 4 << 20
_LIBRARY: Final = "library/"


class Mirror(Protocol):
    """Brings images from elsewhere."""

    def fetch(self, wanted: Reference) -> Digest | None:
        """Copy an image into the registry under the same path; None when there is nowhere to copy from.

        Raises:
            Unavailable: the upstream does not answer.
            NotFound: it has no such image.
        """
        ...


class NoMirror:
    """There is no upstream."""

    def fetch(self, wanted: Reference) -> Digest | None:
        del wanted
        return None


class BaseOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A base image that somebody wants."""

    distribution: str
    include: list[str] = []
    tag: str = ""
    twice: bool = False
    team: str = ""


class Bases:
    """The base images of a registry."""

    def __init__(
        self,
        *,
        database: Database,
        ledger: Ledger,
        maker: BaseMaker,
        registry: Registry,
        admission: Admission,
        explainer: Explainer,
        mirror: Mirror,
        pull: str,
        version: str,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._maker = maker
        self._registry = registry
        self._admission = admission
        self._explainer = explainer
        self._mirror = mirror
        self._pull = pull
        self._version = version

    def make(self, order: BaseOrder, actor: str, telling: Telling) -> dict[str, Any]:
        """Make a base image, push it and judge it.

        Raises:
            IntegrityFailure: it was asked to be built twice, and the second differed.
            Refused: a policy said no.
            BaseInvalid, BaseFailed: it cannot be made.
        """
        request = BaseRequest.of(order.distribution, order.include)
        target = self._target(order)
        telling.step(f"Make {target}")
        made = self._maker.make(request, telling.say)
        reproduced = self._repeat(made, telling) if order.twice else None
        repository, tag = target.path, target.tag
        digest = self._push(made, repository, tag, Visitor(actor, order.team or repository.partition("/")[0]))
        fact = BaseImageMade(
            digest=str(digest),
            repository=repository,
            tag=tag,
            distribution=order.distribution,
            packages=len(made.packages),
            include=tuple(order.include),
            snapshot=str(made.snapshot.digest),
            inputs=str(made.inputs),
            reproduced=reproduced,
            seconds=made.seconds,
        )
        with self._database.write() as tx:
            self._ledger.append(tx, [fact], actor=actor)
        verdict = self._admission.admit(digest, repository, telling, provenance(made, self._version))
        if not verdict.approved:
            raise self._refused(verdict, telling)
        return {
            "reference": str(target),
            "digest": str(digest),
            "packages": len(made.packages),
            "seconds": made.seconds,
            "reused": made.reused,
            "reproduced": reproduced,
        }

    def resolve(self, wanted: Reference, telling: Telling) -> Verdict:
        """An image of the registry, or of the mirror, judged; what must be approved is the caller's to say.

        Raises:
            BaseUnknown: nobody has it.
        """
        digest, repository = self._find(wanted, telling)
        return self._admission.admit(digest, repository, telling)

    def pin(self, wanted: Reference, telling: Telling) -> Reference:
        """The image that a FROM names, by digest on the pull endpoint.

        Raises:
            BaseUnknown: nobody has it.
            Refused: it is not approved.
        """
        verdict = self.resolve(wanted, telling)
        if not verdict.approved:
            raise self._refused(verdict, telling)
        telling.say(f"base {wanted} is {verdict.image.short}")
        return Reference(verdict.repository, self._pull).at(verdict.image)

    def lend(self, pins: Iterable[Reference], repository: str, actor: str, team: str) -> None:
        """Make the layers of pinned bases layers of `repository` too, so that a push finds them and they stay the same.

        Clients compress layers anew for every registry they push to; a base's layer would get another digest, and with
        it another owner and another inventory.
        """
        visitor = Visitor(actor, team)
        for pin in pins:
            if pin.digest is not None:
                for layer in self._registry.layers(pin.digest):
                    self._registry.mount(repository, layer.digest, pin.path, visitor)

    def _find(self, wanted: Reference, telling: Telling) -> tuple[Digest, str]:
        reference = str(wanted.digest) if wanted.digest else wanted.tag or "latest"
        candidates = [wanted.path] if "/" in wanted.path else [wanted.path, _LIBRARY + wanted.path]
        for path in candidates:
            try:
                return self._registry.resolve(path, reference).digest, path
            except RegistryError:
                continue
        telling.say(f"{wanted} is not in the registry; asking the mirror")
        path = candidates[-1]
        mirrored = self._mirror.fetch(Reference(path, tag="" if wanted.digest else reference, digest=wanted.digest))
        if mirrored is None:
            raise BaseUnknown(
                f"The registry has no image {wanted}, and no public registry is set to mirror it from.",
                remedy=f"Make it with `lading base debian:12 --tag {wanted}`, push it, set LADING_UPSTREAM, or mirror "
                "another registry with `lading registry mirror add`.",
            )
        return mirrored, path

    def _target(self, order: BaseOrder) -> Reference:
        if order.tag:
            reference = Reference.parse(order.tag)
            return reference if reference.tag else reference.tagged("latest")
        name, _, release = order.distribution.partition(":")
        return Reference(_LIBRARY + name, tag=release or "latest")

    def _repeat(self, made: MadeBase, telling: Telling) -> bool:
        telling.say("building it a second time from nothing")
        again = self._maker.again(made, telling.say)
        if again != made.manifest:
            raise IntegrityFailure(
                f"The second build has digest {again}, the first {made.manifest}.",
                remedy="The base is not reproducible on this machine; it was not pushed.",
            )
        telling.say(f"the same digest again: {again.short}", "done")
        return True

    def _push(self, made: MadeBase, repository: str, tag: str, visitor: Visitor) -> Digest:
        for digest in (made.layer, made.config):
            self._push_blob(made.blob(digest), repository, digest, visitor)
        body = made.blob(made.manifest).read_bytes()
        return self._registry.put_manifest(repository, tag, OCI_MANIFEST, body, visitor).digest

    def _push_blob(self, path: Path, repository: str, digest: Digest, visitor: Visitor) -> None:
        upload, at = self._registry.start_upload(repository), 0
        with path.open("rb") as handle:
            while chunk := handle.read(_CHUNK):
                at = self._registry.append(repository, upload, chunk, at=at)
        self._registry.finish_upload(repository, upload, digest, visitor)

    def _refused(self, verdict: Verdict, telling: Telling) -> LadingError:
        for line in self._explainer.explain(verdict.decision.id).text().splitlines():
            telling.say(line, "error")
        return Refused(
            f"Image {verdict.repository} was refused by policy (decision {verdict.decision.id}).",
            remedy=f"See `lading policy explain {verdict.decision.id}`.",
        )
