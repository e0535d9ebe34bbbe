"""What a fact is about: `kind:id`, for example `image:sha256:…`, `workload:shop/web` or `team:platform`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput


class SubjectKind(StrEnum):
    """The kinds of thing that Lading keeps a record of."""

    IMAGE = "image"
    LAYER = "layer"
    REPOSITORY = "repository"
    WORKLOAD = "workload"
    CONTAINER = "container"
    NODE = "node"
    VOLUME = "volume"
    TOOL = "tool"
    TEAM = "team"
    PRINCIPAL = "principal"
    ADVISORY = "advisory"
    POLICY = "policy"
    KEY = "key"
    SYSTEM = "system"


_KINDS: Final = {kind.value: kind for kind in SubjectKind}


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """One thing that facts speak of. `id` is unique within its kind."""

    kind: SubjectKind
    id: str

    @classmethod
    def parse(cls, text: str) -> Subject:
        """Read `kind:id`; raises InvalidInput for an unknown kind or an empty id."""
        kind, colon, identity = text.partition(":")
        known = _KINDS.get(kind)
        if not colon or not identity or known is None:
            kinds = ", ".join(_KINDS)
            raise InvalidInput(f"{text[:200]!r} is not a subject.", remedy=f"Write it as KIND:ID; kinds are {kinds}.")
        return cls(known, identity)

    @classmethod
    def image(cls, digest: Digest) -> Subject:
        """The image whose manifest or index has `digest`."""
        return cls(SubjectKind.IMAGE, str(digest))

    @classmethod
    def layer(cls, digest: Digest) -> Subject:
        """The layer whose blob has `digest`."""
        return cls(SubjectKind.LAYER, str(digest))

    @classmethod
    def workload(cls, name: str) -> Subject:
        """The workload `application/service`."""
        return cls(SubjectKind.WORKLOAD, name)

    @classmethod
    def container(cls, identity: str) -> Subject:
        """The container with the engine's full id."""
        return cls(SubjectKind.CONTAINER, identity)

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"
