"""kill -9 at random points while images are pushed: nothing acknowledged is lost, and nothing partial is ever served.

Set LADING_REGISTRY_KILLS for more kills than the few of an ordinary test run; docs/measured.md says what came of 100.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from e2e.conftest import Server, until
from integration.distribution.conftest import NOBODY, Robot
from integration.distribution.push_load import Pusher, losses

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7_200)]
KILLS = int(os.environ.get("LADING_REGISTRY_KILLS", "6"))
PUSHERS = 4
# Every so many kills it is the supervisor, and so the whole server, that dies.
WHOLE = 3


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path, NOBODY)
    made.environment["LADING_PRIVATE_ENGINE"] = "false"
    try:
        made.start()
        made.client.post("/api/v1/teams", {"team": "shop"})
        yield made
    finally:
        made.client.close()
        made.stop()


def push_role(server: Server) -> int | None:
    """The process that takes pushes."""
    assert server._process is not None
    for child in psutil.Process(server._process.pid).children():
        try:
            words = child.cmdline()
        except psutil.NoSuchProcess:
            continue
        if "lading.entrypoints.server.role" in words and words[-1] == "push":
            return child.pid
    return None


def answers(server: Server) -> bool | None:
    try:
        return httpx.get(f"http://{server.push}/v2/", timeout=5).status_code == 401 or None
    except httpx.TransportError:
        return None


def test_kills_at_random_points_lose_nothing_that_was_acknowledged(mortal: Server) -> None:
    token = mortal.client.post("/api/v1/teams/shop/robots", {"name": "ci", "role": "admin"})["token"]
    robot, chance, stop = Robot("shop/ci", token), random.Random(20_261_125), threading.Event()
    clients = [robot.client(mortal.push) for _ in range(PUSHERS)]
    pushers = [Pusher(client, f"shop/load{n}", n, stop) for n, client in enumerate(clients)]
    for pusher in pushers:
        pusher.start()
    try:
        for number in range(1, KILLS + 1):
            time.sleep(chance.uniform(0.05, 2.0))
            if number % WHOLE == 0:
                known = mortal.client.get("/api/v1/ledger", limit=1)[0]["seq"]
                mortal.kill()
                mortal.start()
                assert mortal.client.post("/api/v1/ledger/verify")["entries"] >= known
            else:
                os.kill(until(lambda: push_role(mortal)), 9)
            until(lambda: answers(mortal), 60)
    finally:
        stop.set()
        for pusher in pushers:
            pusher.join()
    until(lambda: answers(mortal), 60)

    accounts = [pusher.account for pusher in pushers]
    counts = [sum(len(getattr(one, what)) for one in accounts) for what in ("blobs", "manifests", "unsure")]
    print(f"\n{KILLS} kills: {counts[0]} blobs and {counts[1]} manifests acknowledged, {counts[2]} without an answer")
    assert [odd for account in accounts for odd in account.odd] == []
    assert counts[0] > KILLS
    assert [loss for client, account in zip(clients, accounts, strict=True) for loss in losses(client, account)] == []
    assert mortal.client.post("/api/v1/ledger/verify")["entries"] > counts[1]
    # What is collected now is what no manifest names; whatever has a manifest is there afterwards, byte for byte.
    for _event in mortal.client.follow(mortal.client.post("/api/v1/registry/gc", {"grace": 0, "strays": True})["id"]):
        pass
    for client, account in zip(clients, accounts, strict=True):
        named = set(client.get(f"/v2/{account.repository}/tags/list").json()["tags"])
        assert named <= set(account.tags)
        for digest, body in account.manifests.items():
            answer = client.get(f"/v2/{account.repository}/manifests/{digest}")
            assert (answer.status_code, answer.content) == (200, body)
            for part in [answer.json()["config"], *answer.json()["layers"]]:
                assert len(client.get(f"/v2/{account.repository}/blobs/{part['digest']}").content) == part["size"]
        client.close()
