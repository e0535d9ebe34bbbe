"""Three real servers in three network namespaces: one is cut off, one is killed under load, and all end alike."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from region_network import (
    RegionServer,
    holdings,
    joined,
    make_team,
    stored_whole,
    trust_all,
    unusable,
    wait_until,
)

NAMES = ["east", "north", "west"]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[RegionServer]]:
    if reason := unusable():
        pytest.skip(f"three regions cannot be had: {reason}")
    home = tmp_path_factory.mktemp("regions")
    with joined(NAMES) as links:
        made = [RegionServer(name, home / name, links[name]) for name in NAMES]
        try:
            for server in made:
                server.start()
            for server in made:
                server.wait()
                make_team(server, "shop")
            trust_all(made)
            yield made
        finally:
            for server in made:
                server.stop()


def all_alike(servers: list[RegionServer], seconds: float) -> float:
    """Wait until nobody lacks anything, and all have the same; returns how long it took."""

    def settled() -> bool:
        return all(row["lag"] == 0 for server in servers for row in server.status().values())

    for server in servers:
        server.command("registry", "replicate", "run")
    took = wait_until(settled, seconds, "every target has everything")
    took += wait_until(lambda: holdings(servers[0]) == holdings(servers[1]) == holdings(servers[2]), 10, "all alike")
    return took


def test_what_is_pushed_and_approved_in_one_region_is_in_all(servers: list[RegionServer]) -> None:
    east, *others = servers
    digest = east.push_image("shop/web", "1", os.urandom(100_000))
    east.approve(digest)
    all_alike(servers, 60)
    for server in others:
        found = server.state(digest)
        assert found is not None and (found["state"], found["who"]) == ("approved", "region:east/person:admin")
        assert server.registry("GET", f"/v2/shop/web/manifests/{digest}").status_code == 200
    assert any(tag.endswith(".sig") for _, tag in holdings(others[0])["tags"])


def test_a_revocation_overtakes_an_image_in_transit(servers: list[RegionServer]) -> None:
    east, _north, west = servers
    big = os.urandom(1 << 20) * 200
    digest = east.push_image("shop/big", "1", big)
    row = "SELECT * FROM registry_replication_uploads WHERE target = 'west'"
    wait_until(lambda: bool(east.rows(row)), 60, "the image is under way")
    started = time.monotonic()
    east.ask("POST", f"/api/v1/images/{digest}/revoke", json={"why": "stolen key", "replaced_by": "shop/web:1"})

    def revoked() -> bool:
        found = west.state(digest)
        return found is not None and found["state"] == "revoked"

    wait_until(revoked, 30, "the revocation arrives")
    took = time.monotonic() - started
    there = west.rows(f"SELECT 1 FROM registry_manifests WHERE digest = '{digest}'")
    print(f"revocation in another region after {took:.2f} s; the image {'was' if there else 'was not'} there yet")
    assert not there
    all_alike(servers, 120)
    assert west.state(digest)["state"] == "revoked"  # type: ignore[index]


def test_a_region_cut_off_and_a_region_killed_under_load_catch_up(servers: list[RegionServer]) -> None:
    east, north, west = servers
    stop = threading.Event()
    acknowledged: list[tuple[RegionServer, str, str]] = []

    def load(server: RegionServer) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            tag = f"{server.name}-{number}"
            try:
                digest = server.push_image("shop/load", tag, os.urandom(50_000))
            except Exception:
                time.sleep(0.2)
                continue
            acknowledged.append((server, tag, digest))
            time.sleep(0.05)

    threads = [threading.Thread(target=load, args=(server,)) for server in servers]
    for thread in threads:
        thread.start()
    try:
        time.sleep(2)
        west.link.cut()
        shared = [server.push_image("shop/web", "shared", os.urandom(1000)) for server in (east, west)]
        time.sleep(3)
        north.kill()
        time.sleep(1)
        north.start()
        north.wait()
        time.sleep(2)
        assert east.status()["west"]["lag"] > 0
    finally:
        west.link.heal()
        time.sleep(1)
        stop.set()
        for thread in threads:
            thread.join()
    took = all_alike(servers, 180)
    print(f"{len(acknowledged)} images; everybody had everything {took:.1f} s after the load ended")
    tags = holdings(servers[0])["tags"]
    assert [item for item in acknowledged if tags.get(("shop/load", item[1])) != item[2]] == []
    # The later move stays, the other is there by its digest, and those who saw both say so.
    assert tags["shop/web", "shared"] == shared[1]
    conflicts = [item for server in servers for item in server.ask("GET", "/api/v1/replication/status")["conflicts"]]
    assert {(item["tag"], item["kept"], item["lost"]) for item in conflicts} == {("shared", shared[1], shared[0])}
    assert any(digest == shared[0] for _, digest, *_ in holdings(west)["manifests"])
    for server in servers:
        assert stored_whole(server) > 0
        server.command("ledger", "verify")
    moves = "SELECT max(seq) AS seq FROM ledger_entries WHERE kind IN ('tag.moved', 'image.moved')"
    ended = [server.rows(moves) for server in servers]
    time.sleep(3)
    assert ended == [server.rows(moves) for server in servers]


def test_no_secret_of_a_target_lies_anywhere_in_clear(servers: list[RegionServer], tmp_path: Path) -> None:
    del tmp_path
    for server in servers:
        for row in server.rows("SELECT secret FROM registry_replication_targets"):
            assert row["secret"].startswith("v1.")
        assert b"lad_" not in (server.home / "data" / "lading.db").read_bytes()
        assert "lad_" not in server.log.read_text()
