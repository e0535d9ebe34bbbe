"""Where an image comes from, as far as its push said: team and principal are always known, the rest may be missing.

A commit is named by `org.opencontainers.image.revision`, the pipeline by `org.opencontainers.image.source`, as an
annotation of the manifest or a label of the image. Lading's own builder is a pipeline by itself, and what Lading makes
from packages or mirrors has no commit.
"""

from __future__ import annotations

from typing import Final

OWN_BUILDER: Final = "lading"
_OWN: Final = "system:"
_BUILDER: Final = "/builder"


def pipeline_of(principal: str, said: str) -> str:
    """The pipeline that pushed an image."""
    return said or (OWN_BUILDER if principal.endswith(_BUILDER) else "")


def missing(principal: str, commit: str, pipeline: str) -> tuple[str, ...]:
    """What an image does not say about where it comes from: of `commit` and `pipeline`."""
    if principal.startswith(_OWN):
        return ()
    said = {"commit": commit, "pipeline": pipeline_of(principal, pipeline)}
    return tuple(name for name, value in said.items() if not value)
