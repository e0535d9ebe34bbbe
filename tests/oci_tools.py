"""Programs that `scripts/install_test_tools.sh` builds from tests/oci_programs: the conformance suite and OCI clients."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

_BUILT = Path(__file__).resolve().parent.parent / ".tools" / "oci"


def oci_tool(name: str) -> str:
    """The path of a program; skips the test, and says why, where it was not built."""
    found = shutil.which(name, path=str(_BUILT))
    if found is None:
        pytest.skip(f"{name} was not built: scripts/install_test_tools.sh needs Go and the Go module proxy for it")
    return found
