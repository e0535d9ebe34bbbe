"""Another region in this process: two Ladings over two databases, as tests and drills want them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lading.supply_chain.registry.replication.changes import (
    Batch,
    Change,
    Description,
    Outcome,
    RegionKey,
    Verify,
    opened,
    seal,
)
from lading.supply_chain.registry.replication.receiving import Receiver
from lading.supply_chain.registry.replication.regions import Regions


class DirectRegionLink:
    """Hands batches to a receiver, sealed and opened as they are on the wire."""

    def __init__(
        self,
        description: Description,
        regions: Regions,
        receiver: Receiver,
        *,
        sender: str,
        key: RegionKey,
        verify: Verify,
    ) -> None:
        self._description = description
        self._regions = regions
        self._receiver = receiver
        self._sender = sender
        self._key = key
        self._verify = verify

    def describe(self) -> Description:
        return self._description

    def tell(self, changes: Sequence[Change]) -> list[Outcome]:
        to = self._description.region
        body = msgspec.json.encode(seal(Batch(sender=self._sender, to=to, changes=tuple(changes)), self._key))
        region = self._regions.get(self._sender)
        batch = opened(body, sender=self._sender, to=to, pem=region.key, verify=self._verify)
        return self._receiver.apply(region, batch.changes)[0]
