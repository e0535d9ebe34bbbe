"""An nginx of the test run's own, with the configuration that Lading writes, on a free port; ended by its process id."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lading.supply_chain.registry.tree.nginx import Site, whole_configuration

NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") or ""
NEEDS_NGINX = [
    pytest.mark.skipif(not NGINX, reason="no nginx; scripts/install_test_tools.sh installs it"),
    pytest.mark.skipif(os.getuid() != 0, reason="nginx changes to the user www-data, which only root may ask for"),
]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def running_nginx(tree: Path, pull: int, **more: Any) -> Iterator[int]:
    """An nginx before a tree and the pull endpoint on port `pull`; yields its port."""
    home, port = Path(tempfile.mkdtemp(prefix="lading-nginx-")), free_port()
    home.chmod(0o755)
    said = {
        "tree": tree, "pull": f"127.0.0.1:{pull}", "listen": (f"127.0.0.1:{port}",), "grants": home / "grants",
        "access_log": "off", "rate": 100_000, "burst": 100_000,
    }  # fmt: skip
    text = whole_configuration(Site(**said | more), run=home, error_log=str(home / "log"))
    (home / "conf").write_text(text + "daemon off;\n")
    command = [NGINX, "-c", str(home / "conf"), "-e", str(home / "log")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(process, port, home / "log")
        yield port
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(home)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("nginx never answered")
