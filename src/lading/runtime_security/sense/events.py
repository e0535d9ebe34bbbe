"""What a sense saw, in the words of the policy input document (`event`)."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from lading.runtime_security.containers import RunningContainer

MOST_CHARACTERS = 1_000


class SensedEvent(NamedTuple):
    """One observation.

    `kind` is exec, file-written, program-started, posture or sensor; `what` names the thing, the same each time it is
    seen; `detail` are the further fields of the event, strings cut to 1,000 characters; `deviations` only for posture.
    """

    kind: str
    container: RunningContainer
    at: datetime
    what: str
    detail: dict[str, str | bool | int]
    deviations: tuple[str, ...] = ()


def cut(text: str) -> str:
    """Text from a container, bounded."""
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"
