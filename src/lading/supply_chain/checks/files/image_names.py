"""What the name of an image says about which image it is: a digest says it, a version promises it, `latest` neither."""

from __future__ import annotations

import re
from typing import Final, Literal

from lading.kernel.errors import InvalidInput
from lading.kernel.reference import Reference

Fixed = Literal["digest", "tag", "moving", "unknown"]
_UNRESOLVED: Final = re.compile(r"\$|\{\{|<|\s")


def fixed_by(image: str) -> Fixed:
    """What fixes an image: its digest, a tag, or nothing (no tag, or `latest`).

    `unknown` where the name holds a variable that has no value here, or is no name of an image.
    """
    if not image or _UNRESOLVED.search(image):
        return "unknown"
    try:
        reference = Reference.parse(image)
    except InvalidInput:
        return "unknown"
    if reference.digest is not None:
        return "digest"
    return "tag" if reference.tag not in ("", "latest") else "moving"


def shown(image: str) -> str:
    """The name for a message: bounded."""
    return image if len(image) <= 200 else f"{image[:200]}…"
