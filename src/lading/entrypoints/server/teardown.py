"""The end of a server: stop exactly what belongs to this data directory, and on request remove it."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from typing import Final

from lading.entrypoints.server.supervisor import running_pid
from lading.kernel.errors import Unavailable
from lading.settings import Settings
from lading.supply_chain.registry.tree.files import TreeFiles
from lading.wiring.engine import remove_everything, stop_engine, stop_ingress

_GRACE_SECONDS: Final = 60

Say = Callable[[str], None]


def stop_server(settings: Settings, say: Say) -> None:
    """Ask the server to stop and wait for it.

    Raises:
        Unavailable: it still runs after a minute.
    """
    pid = running_pid(settings)
    if pid is None:
        say("no server runs")
        return
    say(f"stopping the server (process {pid})")
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_SECONDS
    while running_pid(settings) is not None:
        if time.monotonic() > deadline:
            raise Unavailable(f"The server (process {pid}) did not stop within {_GRACE_SECONDS} s.")
        time.sleep(0.1)


def remove_workloads(settings: Settings, say: Say) -> None:
    """Remove every container, network and volume that this Lading made on its engine."""
    remove_everything(settings, say)


def stop_parts(settings: Settings, say: Say) -> None:
    """Stop the ingress and the private engine, if there are any."""
    stop_ingress(settings, say)
    stop_engine(settings, say)


def remove_data(settings: Settings, say: Say) -> None:
    """Remove the data directory, and the tree of pulls where it lies elsewhere."""
    tree = settings.tree_directory
    if tree is not None and tree.exists() and settings.data not in tree.parents:
        TreeFiles(tree).clear()
        say(f"removed the tree of pulls in {tree}")
    if settings.data.exists():
        shutil.rmtree(settings.data, ignore_errors=False)
        say(f"removed {settings.data}")
