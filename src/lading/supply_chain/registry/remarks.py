"""What somebody should know of an answer that is otherwise fine; the endpoints say it in `Warning` headers.

Of a push: what the image does not say of itself, what is out of use. Of a pull: that its approval is about to end.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from lading.kernel.clock import parse_timestamp
from lading.supply_chain.registry import attribution
from lading.supply_chain.registry.manifest import Manifest
from lading.supply_chain.registry.referring import is_schema_tag
from lading.supply_chain.registry.standing import ImageState, State

# An approval that rules gave is renewed a day before its end: one that was not is about to be missed.
_BY_RULES: Final = timedelta(hours=12)
_BY_HAND: Final = timedelta(days=7)
_ANNOTATIONS: Final = {"commit": "org.opencontainers.image.revision", "pipeline": "org.opencontainers.image.source"}


def about_push(manifest: Manifest, tag: str, principal: str, commit: str, pipeline: str) -> tuple[str, ...]:
    """What the one who pushed a manifest should know."""
    said: list[str] = []
    missing = attribution.missing(principal, commit, pipeline)
    if missing and manifest.is_runnable and not manifest.is_index and manifest.refers_to is None:
        names = " and ".join(_ANNOTATIONS[name] for name in missing)
        said.append(f"The image does not say where it comes from: set {names}.")
    if any(part.foreign for part in manifest.parts):
        said.append("Layers that may not be distributed are out of use since OCI image 1.1: push ordinary ones.")
    if is_schema_tag(tag):
        said.append("This registry has the referrers API: a tag for referrers need not be kept.")
    return tuple(said)


def about_pull(name: str, state: ImageState, now: datetime) -> tuple[str, ...]:
    """What the one who pulls a manifest should know of the approval that it is pulled by."""
    if state.state is not State.APPROVED or not state.until:
        return ()
    if parse_timestamp(state.until) - now > (_BY_RULES if state.decision else _BY_HAND):
        return ()
    return (f"The approval of {name} ends on {state.until}; after that it cannot be pulled.",)
