"""kill -9 of the whole server at random points of a ship: nothing acknowledged is lost, and the ship can be repeated.

Set LADING_KILLS for more kills than the few of an ordinary test run.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from e2e.conftest import Server, free_port, write_application

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(7_200)]
KILLS = int(os.environ.get("LADING_KILLS", "6"))


def test_a_server_killed_at_random_points_of_a_ship_loses_nothing(server: Server, tmp_path: Path) -> None:
    chance = random.Random(20_261_124)
    directory = tmp_path / "killed"
    port = free_port()
    started = time.monotonic()
    server.ship(write_application(directory, port, version="0"))
    length = time.monotonic() - started
    acknowledged: set[str] = set()

    for number in range(1, KILLS + 1):
        write_application(directory, port, version=str(number))
        job = server.submit(directory)
        acknowledged.add(job)
        known = server.client.get("/api/v1/ledger", limit=1)[0]
        time.sleep(chance.uniform(0, length))
        server.kill()
        server.start()

        assert server.client.post("/api/v1/ledger/verify")["entries"] >= known["seq"]
        assert {row["id"] for row in server.client.get("/api/v1/jobs", limit=1_000)} >= acknowledged
        for row in server.client.get("/api/v1/images", state="approved", repository="killed/web"):
            attested = server.client.get(f"/api/v1/images/{row['digest']}/attestations")
            assert attested and all(item["holds"] for item in attested)

    again = server.ship(directory)

    assert again["outcome"] in ("deployed", "unchanged")
    running = server.client.get("/api/v1/containers", workload="killed/web")
    assert [row["image"] for row in running] == [again["images"]["killed/web"]]
