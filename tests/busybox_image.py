"""A tiny image for tests that need a real container: the distribution's static busybox and nothing else."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

BUSYBOX = Path("/bin/busybox")
_APPLETS = ("sh", "sleep", "echo", "cp", "cat", "seq", "printf", "rm", "true", "chmod", "mkdir", "kill")
TAG = "lading-test-busybox:1"


def busybox_image(client: Any) -> str:
    """The tag of the image in the engine behind `client`; skips where busybox-static is not installed."""
    if not BUSYBOX.is_file():
        pytest.skip("no busybox-static; scripts/install_test_tools.sh installs it")
    if any(TAG in (image.tags or []) for image in client.images.list()):
        return TAG
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.add(BUSYBOX, "bin/busybox")
        for applet in _APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
        for name in ("tmp", "data", "etc"):
            directory = tarfile.TarInfo(name)
            directory.type, directory.mode = tarfile.DIRTYPE, 0o1777
            archive.addfile(directory)
    repository, _, tag = TAG.partition(":")
    client.api.import_image_from_data(content.getvalue(), repository=repository, tag=tag)
    return TAG


def busybox_sha256() -> str:
    """Of the program in the image."""
    return hashlib.sha256(BUSYBOX.read_bytes()).hexdigest()
