"""What a private engine is called and where its sockets are follows from its directory alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from lading.orchestration.engines.docker import install
from lading.orchestration.engines.docker.private import PrivateEngine


def test_engines_of_two_directories_share_nothing() -> None:
    first, second = PrivateEngine(Path("/data/one")), PrivateEngine(Path("/data/two"))
    assert first.address != second.address
    assert first.bridge != second.bridge


def test_a_bridge_name_fits_what_linux_allows() -> None:
    assert len(PrivateEngine(Path("/data/one")).bridge) <= 15


def test_a_long_directory_moves_the_sockets_below_run() -> None:
    assert PrivateEngine(Path("/data") / ("x" * 90)).address.startswith("unix:///run/lading-")
    assert PrivateEngine(Path("/data/engine")).address == "unix:///data/engine/docker.sock"


def test_packages_start_no_service_while_they_are_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(install, "_POLICY", policy)
    with install.no_services():
        assert policy.read_text().splitlines()[-1] == "exit 101"
        assert policy.stat().st_mode & 0o111
    assert not policy.exists()


def test_a_policy_that_is_there_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("theirs")
    monkeypatch.setattr(install, "_POLICY", policy)
    with install.no_services():
        assert policy.read_text() == "theirs"
    assert policy.read_text() == "theirs"
