"""A Lading in one process, on any database and blob store, with a registry to push into and backups to take."""

from __future__ import annotations

import os
from pathlib import Path

from lading import settings as settings_module
from lading.continuity.backups import restore
from lading.facts.kinds.system import ServerStarted
from lading.kernel.digest import Digest
from lading.state import migrate
from lading.supply_chain.registry.access import Visitor
from lading.supply_chain.registry.manifest import OCI_MANIFEST
from lading.wiring import Wiring
from lading.wiring.continuity import LedgerBooks, content_of, metadata_of, open_vault

ROBOT = Visitor("robot:shop/ci", "shop")


class Heard:
    """Keeps what long work says."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def step(self, name: str) -> None:
        self.said.append(name)

    def say(self, text: str, level: str = "info") -> None:
        self.said.append(text)


class OneSite:
    """The rooms over a data directory; `home` outlives the data directory."""

    def __init__(self, data: Path, environment: dict[str, str]) -> None:
        self.environment = environment | {"LADING_DATA": str(data), "LADING_MIN_FREE_MEGABYTES": "1"}
        self.data = data
        self.wiring = Wiring(settings_module.load(environ=self.environment))

    def start(self) -> OneSite:
        """Make the schema, the key and a first checkpoint, as `lading up` does."""
        self.data.mkdir(exist_ok=True)
        migrate.upgrade(self.wiring.database)
        assert self.wiring.key.key_id
        with self.wiring.database.write() as tx:
            self.wiring.ledger.append(tx, [ServerStarted(version="test", clean=True, host="test")], actor="system:test")
        self.wiring.checkpoints.sign()
        return self

    def push(self, tag: str, *, layers: int = 2, size: int = 5_000) -> list[Digest]:
        """Push an image of random layers; returns every digest of it."""
        registry = self.wiring.registry
        digests = []
        for _ in range(layers):
            content = os.urandom(size)
            digests.append((registry.put_blob("shop/web", content, ROBOT), len(content)))
        config = (
            b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]},"x":"%s"}'
            % os.urandom(8).hex().encode()
        )
        made = registry.put_blob("shop/web", config, ROBOT)
        layer = ",".join(
            f'{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{digest}","size":{length}}}'
            for digest, length in digests
        )
        body = (
            f'{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","config":{{"mediaType":'
            f'"application/vnd.oci.image.config.v1+json","digest":"{made}","size":{len(config)}}},"layers":[{layer}]}}'
        ).encode()
        pushed = registry.put_manifest("shop/web", tag, OCI_MANIFEST, body, ROBOT)
        return [*(digest for digest, _length in digests), made, pushed.digest]

    def complaints(self, digests: list[Digest]) -> list[str]:
        """Digests whose content storage does not have, byte for byte."""
        found = []
        for digest in digests:
            try:
                with self.wiring.storage.open(digest) as stream:
                    if Digest.of(stream.read()) != digest:
                        found.append(f"{digest} differs")
            except Exception as error:
                found.append(f"{digest}: {error}")
        return found

    def restore(self, **options: object) -> dict[str, object]:
        """Restore into the data directory of this site, as the command does."""
        wiring = self.wiring
        return restore(
            open_vault(wiring.settings),
            wiring.settings.data,
            metadata=metadata_of(wiring.settings),
            content=content_of(wiring.settings),
            books=LedgerBooks(wiring.clock),
            ledger=wiring.ledger,
            clock=wiring.clock,
            telling=Heard(),
            **options,  # type: ignore[arg-type]
        )

    def close(self) -> None:
        self.wiring.close()
