"""S3-compatible object stores of the test run's own, on free ports of this machine, each ended by its process id.

`versitygw` (a Go program that keeps objects as files, and checks signatures) is the sturdy one; `moto` comes with the
Python packages and is there on every machine.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BUCKET = "lading"
KEY = "testing"


def s3_options(endpoint: str) -> dict[str, Any]:
    """What a store of ours is told to reach it without the environment."""
    return {
        "endpoint": endpoint,
        "region": "us-east-1",
        "access_key_id": KEY,
        "secret_access_key": KEY,
        "client_options": {"allow_http": True},
        "retry_config": {"max_retries": 0},
    }


def s3_environment(endpoint: str) -> dict[str, str]:
    """What a process is told to reach it: the usual variables."""
    return {
        "AWS_ENDPOINT": endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": KEY,
        "AWS_ALLOW_HTTP": "true",
    }


@pytest.fixture(scope="session")
def moto_endpoint() -> Iterator[str]:
    """The address of a moto server."""
    server = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stderr is not None
    address = ""
    for line in server.stderr:
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            address = found[0]
            break
    assert address, "the S3 server did not start"
    drain = threading.Thread(target=server.stderr.read, daemon=True)
    drain.start()
    urllib.request.urlopen(urllib.request.Request(f"{address}/{BUCKET}", method="PUT"), timeout=30).close()
    yield address
    server.terminate()
    server.wait()
    drain.join()
    server.stderr.close()


def _start_versitygw() -> tuple[subprocess.Popen[bytes], str, Path] | None:
    program = shutil.which("versitygw")
    if program is None:
        return None
    home = Path(tempfile.mkdtemp(prefix="lading-s3-"))
    (home / "objects" / BUCKET).mkdir(parents=True)
    (home / "attributes").mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [program, "--quiet", "--port", f"127.0.0.1:{port}", "posix", "--sidecar", home / "attributes", home / "objects"],
        env={"PATH": os.environ["PATH"], "ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": KEY},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            assert server.poll() is None, "versitygw did not start"
            time.sleep(0.05)
        else:
            break
    return server, f"http://127.0.0.1:{port}", home


@pytest.fixture(scope="session")
def versitygw_endpoint() -> Iterator[str]:
    """The address of a versitygw; skips where it is not installed."""
    started = _start_versitygw()
    if started is None:
        pytest.skip("no versitygw; scripts/install_test_tools.sh installs it where Go is")
    server, address, home = started
    yield address
    server.terminate()
    server.wait()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def s3_endpoint(request: pytest.FixtureRequest) -> str:
    """The address of the sturdiest store that this machine has."""
    found: str = request.getfixturevalue("versitygw_endpoint" if shutil.which("versitygw") else "moto_endpoint")
    return found
