"""A real server is backed up while it works, its data directory is lost, and it is restored."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

from e2e.conftest import Server
from pushing import Pusher, complaints


def test_a_lost_server_is_restored_with_all_it_had(
    new_server: Callable[..., Server], new_pusher: Callable[[Server], Pusher], backup_settings: dict[str, str]
) -> None:
    server = new_server(**backup_settings)
    server.start()
    pusher = new_pusher(server)
    first = [pusher.push("shop/web", f"v{number}") for number in range(5)]
    taken = server.cli("backup", "create")
    assert taken.returncode == 0, taken.stderr
    second = [pusher.push("shop/web", f"w{number}") for number in range(3)]
    again = server.cli("backup", "create", "-o", "json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["result"]["new_items"] == 15
    drilled = server.cli("backup", "drill")
    assert drilled.returncode == 0, drilled.stderr
    verified = server.cli("backup", "verify", "--read-data")
    assert verified.returncode == 0, verified.stderr
    assert server.cli("backup", "status").returncode == 0
    assert len(server.client.get("/api/v1/backups")) == 2
    server.kill()
    shutil.rmtree(server.home / "data")
    restored = server.cli("backup", "restore")
    assert restored.returncode == 0, restored.stderr
    server.start()
    assert complaints(pusher, first + second) == []
    assert server.cli("ledger", "verify").returncode == 0
    facts = [row["kind"] for row in server.client.get("/api/v1/ledger", limit=200)]
    assert "backup.restored" in facts
    assert "backup.failed" not in facts
    assert server.cli("backup", "status").returncode == 0
