"""Tokens of SoftHSM in a directory of the test's own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from key_services import Key

PIN = "4711"
_MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
)
MODULE = next((path for path in _MODULES if Path(path).exists()), "")


def is_there() -> bool:
    """Whether SoftHSM is installed."""
    return bool(MODULE and shutil.which("softhsm2-util"))


def prepare(directory: Path) -> None:
    """Let SoftHSM keep its tokens in `directory`; a process reads that once."""
    (directory / "tokens").mkdir(parents=True, exist_ok=True)
    (directory / "softhsm2.conf").write_text(f"directories.tokendir = {directory}/tokens\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(directory / "softhsm2.conf")


def make_token(label: str) -> None:
    """An empty token."""
    _run("--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "12345678")


def put_key(token: str, label: str, key: Key, directory: Path) -> None:
    """Put a key pair into a token."""
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (directory / "import.pem").write_bytes(key.private_bytes(*form))
    _run("--import", str(directory / "import.pem"), "--token", token, "--label", label, "--id", "01", "--pin", PIN)


def _run(*words: str) -> None:
    subprocess.run(["softhsm2-util", *words], check=True, capture_output=True, timeout=60)
