"""Every room's tables, imported so that the declared schema is complete."""

from __future__ import annotations

import importlib
import pkgutil

import lading
from lading.state.schema import metadata

__all__ = ["complete_metadata"]


def complete_metadata() -> object:
    """The schema with the tables of all rooms: each room declares its own in modules named `sql`."""
    for module in pkgutil.walk_packages(lading.__path__, "lading."):
        if module.name.rpartition(".")[2] == "sql":
            importlib.import_module(module.name)
    return metadata
