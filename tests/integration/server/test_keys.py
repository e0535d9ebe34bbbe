"""`lading key` on a real server: another's key trusted, and the own one replaced and revoked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from e2e.conftest import Server, until
from lading.kernel.errors import ExitCode
from pushing import Pusher

pytestmark = pytest.mark.slow


def run(server: Server, *words: str, code: int = 0) -> str:
    ended = server.cli(*words)
    assert ended.returncode == code, ended.stdout + ended.stderr
    return str(ended.stdout + ended.stderr)


def signers(server: Server, image: str) -> set[tuple[str, bool]]:
    rows = server.client.get(f"/api/v1/images/{image}/attestations")
    return {(row["key_id"], row["holds"]) for row in rows if row["holds"]}


def approved_image(server: Server) -> str:
    server.client.post("/api/v1/teams", {"team": "shop"})
    token = server.client.post("/api/v1/teams/shop/robots", {"name": "ci"})["token"]
    pusher = Pusher(server.push, "shop/ci", token)
    image = pusher.push("shop/web", "1").digest
    pusher.close()
    run(server, "image", "approve", "shop/web:1", "--why", "looked at")
    return image


def test_a_key_is_replaced_and_the_former_one_revoked(new_server: Callable[..., Server], tmp_path: Path) -> None:
    server = new_server(home=tmp_path)
    server.start()
    image = approved_image(server)
    former: dict[str, Any] = json.loads(run(server, "key", "ls", "-o", "json"))[0]
    assert (former["signs"], former["ours"], former["state"]) == (True, True, "counts")
    assert run(server, "key", "revoke", former["name"], "--why", "stolen", code=ExitCode.CONFLICT)
    run(server, "ledger", "checkpoint")

    run(server, "key", "generate", str(tmp_path / "new.pem"))
    server.stop()
    server.environment["LADING_SIGNING_KEY"] = str(tmp_path / "new.pem")
    server.start()
    present = next(row for row in json.loads(run(server, "key", "ls", "-o", "json")) if row["signs"])
    assert present["key_id"] != former["key_id"]
    assert {key for key, _ in signers(server, image)} == {former["key_id"]}

    run(server, "key", "revoke", former["key_id"][:20], "--why", "stolen")
    until(lambda: ({key for key, _ in signers(server, image)} == {present["key_id"]}) or None)
    run(server, "image", "verify", "shop/web:1")
    assert server.client.get("/api/v1/images/shop/web:1")["state"] == "approved"
    assert "intact" in run(server, "ledger", "verify")

    server.stop()
    del server.environment["LADING_SIGNING_KEY"]
    refused = server.cli("up")
    assert refused.returncode == ExitCode.FAILED
    assert "was revoked: stolen" in refused.stderr


def test_a_key_of_another_is_trusted_by_name(new_server: Callable[..., Server], tmp_path: Path) -> None:
    server = new_server()
    server.start()
    run(server, "key", "generate", str(tmp_path / "ci.pem"))

    assert "private key" in run(server, "key", "add", "ci", str(tmp_path / "ci.pem"), code=ExitCode.USAGE)
    assert "count now" in run(server, "key", "add", "ci", str(tmp_path / "ci.pem.pub"))
    assert "trusted" in run(server, "key", "ls")
    (tmp_path / "bad.pub").write_text("hello")
    run(server, "key", "add", "bad", str(tmp_path / "bad.pub"), code=ExitCode.USAGE)
    run(server, "key", "add", "none", str(tmp_path / "none.pub"), code=ExitCode.USAGE)
    run(server, "key", "revoke", "nobody", "--why", "x", code=ExitCode.NOT_FOUND)
    assert "counts any more" in run(server, "key", "revoke", "ci", "--why", "left the team")
    assert "revoked" in run(server, "key", "ls")
