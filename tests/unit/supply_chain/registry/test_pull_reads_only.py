"""The pull endpoint loads nothing that writes."""

from __future__ import annotations

import subprocess
import sys

WRITERS = {
    "lading.facts",
    "lading.entrypoints.registry.push",
    "lading.supply_chain.registry.blobs",
    "lading.supply_chain.registry.taking_in",
    "lading.supply_chain.registry.registry",
    "lading.supply_chain.registry.sql.writing",
    "lading.supply_chain.registry.states",
}


def test_the_pull_endpoint_and_its_readers_import_no_writer() -> None:
    script = (
        "import sys, lading.entrypoints.registry.pull, lading.supply_chain.registry.content_directory, "
        "lading.supply_chain.registry.content_object_store, lading.supply_chain.registry.spool\n"
        "print(*(name for name in sys.modules if name.startswith('lading')))"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "lading.supply_chain.registry.serving" in loaded
    assert WRITERS.isdisjoint(loaded)
