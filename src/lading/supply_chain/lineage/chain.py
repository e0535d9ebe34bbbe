"""Chain ids: one hash for a list of layers, so that images that begin alike are found by one look into an index.

ChainID(L0) = DiffID(L0); ChainID(L0|...|Ln) = SHA256(ChainID(L0|...|Ln-1) + " " + DiffID(Ln))
(OCI image specification, config.md, "Layer ChainID").
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput

MOST_LAYERS: Final = 1_000


def chain_ids(diff_ids: Sequence[str]) -> list[bytes]:
    """The chain id (32 bytes) of every beginning of a list of layers, the shortest first; raises InvalidInput."""
    chains: list[bytes] = []
    before = ""
    for diff_id in diff_ids:
        text = str(Digest.parse(diff_id))
        if not text.startswith("sha256:"):
            raise InvalidInput(f"{text} is no SHA-256.")
        before = f"sha256:{hashlib.sha256(f'{before} {text}'.encode()).hexdigest()}" if before else text
        chains.append(bytes.fromhex(before.removeprefix("sha256:")))
    return chains


def diff_ids_of(configuration: dict[str, Any]) -> list[str]:
    """The digests of an image's layers, unpacked, as its configuration lists them; none of what is no image."""
    found = configuration.get("rootfs")
    listed = found.get("diff_ids") if isinstance(found, dict) else None
    if not isinstance(listed, list) or len(listed) > MOST_LAYERS or not all(isinstance(one, str) for one in listed):
        return []
    return listed
