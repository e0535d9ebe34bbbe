"""The pull endpoint loads nothing that writes."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

WRITERS = {
    "lading.facts",
    "lading.entrypoints.registry.push",
    "lading.supply_chain.registry.blobs",
    "lading.supply_chain.registry.taking_in",
    "lading.supply_chain.registry.taking_in_log",
    "lading.supply_chain.registry.registry",
    "lading.supply_chain.registry.sql.writing",
    "lading.supply_chain.registry.states",
    "lading.supply_chain.registry.tree.files",
    "lading.supply_chain.registry.tree.keeper",
    "lading.supply_chain.registry.tree.settling",
}
# What the endpoint is put together from (`wiring.pulling`).
PARTS = (
    "lading.entrypoints.registry.pull",
    "lading.supply_chain.registry.content_directory",
    "lading.supply_chain.registry.content_object_store",
    "lading.supply_chain.registry.redirecting",
    "lading.supply_chain.registry.spool",
    "lading.supply_chain.registry.tree.beat",
)
# Names of calls that change files.
CHANGES = {
    "write_bytes",
    "write_text",
    "unlink",
    "rename",
    "replace",
    "mkdir",
    "rmdir",
    "symlink_to",
    "hardlink_to",
    "touch",
}
# It does not touch what is served: refusals and counts are appended to files of their own.
MAY = {"lading.supply_chain.registry.spool"}


def loaded() -> list[str]:
    script = f"import sys, {', '.join(PARTS)}\nprint(*(name for name in sys.modules if name.startswith('lading')))"
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()


def test_the_pull_endpoint_and_its_readers_import_no_writer() -> None:
    names = loaded()
    assert "lading.supply_chain.registry.serving" in names
    assert "lading.entrypoints.registry.grants" in names
    assert WRITERS.isdisjoint(names)


def test_nothing_of_the_registry_that_it_loads_changes_a_file() -> None:
    found = []
    for name in loaded():
        spec = find_spec(name)
        if ".registry" not in name or name in MAY or spec is None or spec.origin is None:
            continue
        for node in ast.walk(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))):
            # `"text".replace("a", "b")` and `replace(struct, field=…)` change no file.
            is_method = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            if is_method and node.func.attr in CHANGES and len(node.args) < 2 and not node.keywords:
                found.append(f"{name}:{node.lineno} {node.func.attr}")
    assert found == []
