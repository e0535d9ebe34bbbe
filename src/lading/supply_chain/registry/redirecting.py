"""Where a client is sent for a blob that lies in an object store: to the store itself, with an address that is good for
a short while. Read-only; what may be pulled was decided before.

Small content and content that cannot be signed for is served directly. An address that was given out goes on working
until it ends, whatever happens to the image: that is why it is short.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from lading.kernel.digest import Digest
from lading.supply_chain.registry.errors import StorageFailed

# Below this a second request costs more than the bytes.
LEAST_BYTES: Final = 64 << 10
_log: Final = logging.getLogger(__name__)


class Redirects:
    """Gives out addresses.

    Args:
        sign: makes the address that gives a blob to anyone who knows it, for a number of seconds; raises StorageFailed.
        seconds: how long an address is good.
    """

    def __init__(self, sign: Callable[[Digest, int], str], seconds: int, *, least: int = LEAST_BYTES) -> None:
        self._sign = sign
        self._seconds = seconds
        self._least = least

    def location(self, digest: Digest, size: int) -> str:
        """Where to get a blob of `size` bytes; empty when it is to be served directly."""
        if size < self._least:
            return ""
        try:
            return self._sign(digest, self._seconds)
        except StorageFailed as error:
            _log.warning("an address could not be signed; the blob is served directly", extra={"error": str(error)})
            return ""
