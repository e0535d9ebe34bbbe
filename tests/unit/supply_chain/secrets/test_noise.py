"""On what everybody has and nobody wrote a secret into, nothing is found: installed packages are the hardest of that."""

from __future__ import annotations

import io
import sysconfig
from pathlib import Path
from typing import IO, cast

import pytest

from lading.supply_chain.inventory.layers import read_layer
from lading.supply_chain.inventory.merge import merge
from lading.supply_chain.inventory.values import Secret
from lading.supply_chain.scan.directory import DirectoryTar

DEBIAN = Path("/usr/lib/python3")


def secrets(directory: Path) -> tuple[Secret, ...]:
    layer = read_layer("sha256:x", cast("IO[bytes]", io.BufferedReader(DirectoryTar(directory))))
    return merge("sha256:i", [layer]).secrets


def test_in_installed_python_packages_there_is_no_secret() -> None:
    """More than a hundred packages, with examples and keys for tests in them."""
    assert secrets(Path(sysconfig.get_path("purelib"))) == ()


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="this machine has no Python of Debian's")
def test_in_python_packages_of_debian_only_examples_of_two_libraries_look_like_it() -> None:
    """Nobody owns them here, because the list of packages lies elsewhere: three lines of documentation in code."""
    assert {secret.rule for secret in secrets(DEBIAN)} <= {"secret-assigned"}
    assert len(secrets(DEBIAN)) <= 10
