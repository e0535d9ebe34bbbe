"""Both registry endpoints in a process of their own, as tests need them to be killed: `registry_process.py DIRECTORY`.

Serves push and pull on free ports over DIRECTORY and prints one line of JSON with them once both answer. Where
LADING_BLOB_URL is set, blobs lie in that object store, and pulls of them are redirected there; where LADING_TREE is set,
a static server may answer from there.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

from granian.constants import Interfaces
from granian.server.embed import Server

from lading.entrypoints.registry.hot import HotAnswers
from lading.entrypoints.registry.pull import pull_app
from lading.entrypoints.registry.push import push_app
from lading.facts import Ledger
from lading.state import Database, metadata
from lading.supply_chain.registry.access import FixedAuthenticator
from lading.supply_chain.registry.blobs_directory import DirectoryBlobs
from lading.supply_chain.registry.blobs_object_store import ObjectStoreBlobs
from lading.supply_chain.registry.content import Content
from lading.supply_chain.registry.content_directory import DirectoryContent
from lading.supply_chain.registry.content_object_store import ObjectStoreContent
from lading.supply_chain.registry.reading import Reading
from lading.supply_chain.registry.redirecting import Redirects
from lading.supply_chain.registry.registry import Registry, Storage
from lading.supply_chain.registry.serving import Serving
from lading.supply_chain.registry.spool import PullNotes
from lading.supply_chain.registry.standing import StateReader
from lading.supply_chain.registry.states import ImageStates
from lading.supply_chain.registry.tree.beat import BeatReader
from lading.wiring.pulling import freshness

VISITORS = {"shop": ("lad_shop", "shop"), "mail": ("lad_mail", "mail"), "conformance": ("secret", "conformance")}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def _answers(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return


def storage(directory: Path, database: Database) -> tuple[Storage, Content, Redirects | None]:
    """Where blobs lie: to be written, to be read, and to be fetched without us."""
    url = os.environ.get("LADING_BLOB_URL", "")
    if not url:
        return DirectoryBlobs(directory), DirectoryContent(directory), None
    content = ObjectStoreContent(url)
    return ObjectStoreBlobs(url, database), content, Redirects(content.signed_url, 60)


async def main(directory: Path) -> None:
    url, authenticator = f"sqlite:///{directory / 'state.db'}", FixedAuthenticator(VISITORS)
    writable = Database(url)
    metadata.create_all(writable.engine)
    ledger = Ledger()
    blobs, content, redirects = storage(directory, writable)
    registry = Registry(writable, ledger, blobs, ImageStates(writable, ledger))
    readable = Database(url, read_only=True)
    serving = Serving(readable, Reading(readable, content), StateReader(readable))
    notes = PullNotes(directory / "spool")
    tree = BeatReader(Path(os.environ["LADING_TREE"])) if "LADING_TREE" in os.environ else None
    pulls = pull_app(serving, authenticator, notes, redirects=redirects, tree=tree)
    apps: dict[str, Any] = {
        "push": HotAnswers(push_app(registry, authenticator), freshness(writable)),
        "pull": HotAnswers(pulls, freshness(readable)),
    }
    ports = {name: free_port() for name in apps}
    servers = [
        Server(
            app, address="127.0.0.1", port=ports[name], interface=Interfaces.ASGI, log_enabled=False, websockets=False
        )
        for name, app in apps.items()
    ]
    running = [asyncio.ensure_future(server.serve()) for server in servers]
    for port in ports.values():
        await _answers(port)
    print(json.dumps(ports), flush=True)
    await asyncio.gather(*running)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
