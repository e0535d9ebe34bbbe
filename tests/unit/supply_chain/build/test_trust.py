"""Builds trust what the site says, else what the machine trusts."""

from __future__ import annotations

from pathlib import Path

from lading.supply_chain.build.trust import site_bundle


def test_the_setting_wins_over_environment_and_machine(tmp_path: Path) -> None:
    machine, named = tmp_path / "machine.crt", tmp_path / "named.crt"
    machine.write_text("m")
    named.write_text("n")
    environment = {"PIP_CERT": str(named)}
    assert site_bundle(tmp_path / "set.crt", environment, machine) == tmp_path / "set.crt"
    assert site_bundle(None, environment, machine) == named
    assert site_bundle(None, {}, machine) == machine


def test_what_is_missing_empty_or_too_large_for_a_secret_is_passed_over(tmp_path: Path) -> None:
    empty, large = tmp_path / "empty.crt", tmp_path / "large.crt"
    empty.write_text("")
    large.write_bytes(b"x" * 500_001)
    environment = {"SSL_CERT_FILE": str(tmp_path / "none"), "CURL_CA_BUNDLE": str(empty), "PIP_CERT": str(large)}
    assert site_bundle(None, environment, tmp_path / "none") is None
