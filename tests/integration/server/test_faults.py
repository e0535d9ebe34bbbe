"""What happens when the ground under `lading up` is not as it should be: a clear error, an exit code, no half state."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.conftest import Server
from lading.entrypoints.cli.client import ApiClient, ServerSaid
from lading.kernel.errors import ExitCode

pytestmark = pytest.mark.slow
NOWHERE = "unix:///nonexistent/docker.sock"


@pytest.fixture
def idle(tmp_path: Path) -> Iterator[Server]:
    """A server that is set up but not started, without an engine."""
    made = Server(tmp_path, NOWHERE)
    yield made
    made.client.close()
    made.stop()


def up(server: Server, **environment: str) -> subprocess.CompletedProcess[str]:
    """`lading up` in the foreground, for cases where it must end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "lading.entrypoints.cli.main", "up"],
        env=server.environment | environment, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip


def assert_clear(ended: subprocess.CompletedProcess[str], code: ExitCode, *said: str) -> None:
    assert ended.returncode == code, ended.stderr
    assert "error:" in ended.stderr
    assert "next:" in ended.stderr
    assert "Traceback" not in ended.stderr
    for text in said:
        assert text in ended.stderr


def test_a_taken_port_is_named(idle: Server) -> None:
    host, _, port = idle.push.partition(":")
    with socket.socket() as holder:
        holder.bind((host, int(port)))
        holder.listen()

        assert_clear(up(idle), ExitCode.CONFLICT, port, "LADING_PUSH_ADDR")


def test_a_database_that_does_not_answer_is_named_without_its_password(idle: Server) -> None:
    ended = up(idle, LADING_DATABASE_URL="postgresql://somebody:hunter2@127.0.0.1:9/nothing?connect_timeout=2")

    assert_clear(ended, ExitCode.UNAVAILABLE, "127.0.0.1:9")
    assert "hunter2" not in ended.stderr


def test_rules_that_do_not_compile_are_named_by_file_and_line(idle: Server, tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "mine.yaml").write_text(
        "id: mine\ntitle: Mine\nstages: [deploy]\nseverity: low\nowner: me\n"
        "deny: input.image. ==\nmessage: not this\nremedy: {text: not this}\n"
        "examples: [{input: {}, denied: true}]\n"
    )

    assert_clear(up(idle, LADING_POLICY=str(rules)), ExitCode.USAGE, "mine.yaml:6")


def test_a_wrong_setting_is_named(idle: Server) -> None:
    assert_clear(up(idle, LADING_PULL_ADDR="five thousand"), ExitCode.USAGE, "LADING_PULL_ADDR")


def test_without_an_engine_it_serves_but_a_ship_says_what_is_missing(idle: Server, tmp_path: Path) -> None:
    idle.start()
    idle.client.post("/api/v1/teams", {"team": "shop"})
    directory = tmp_path / "app"
    directory.mkdir()
    (directory / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")

    ended = idle.cli("ship", str(directory), "--team", "shop")

    assert_clear(ended, ExitCode.UNAVAILABLE)
    assert idle.client.post("/api/v1/ledger/verify")["entries"] > 0


def test_a_second_server_on_the_same_data_is_refused(idle: Server) -> None:
    idle.start()

    assert_clear(up(idle), ExitCode.CONFLICT, "already runs")


def test_a_server_killed_says_so_and_one_that_stopped_does_not(idle: Server) -> None:
    idle.start()
    idle.kill()
    idle.start()
    unclean = idle.client.get("/api/v1/ledger", kind="server.started", limit=1)[0]["fact"]
    idle.stop()
    idle.start()
    clean = idle.client.get("/api/v1/ledger", kind="server.started", limit=1)[0]["fact"]

    assert (unclean["clean"], clean["clean"]) == (False, True)
    assert idle.client.post("/api/v1/ledger/verify")["entries"] > 0


@pytest.mark.postgres
def test_the_whole_server_runs_on_postgresql(idle: Server, postgres_url: str) -> None:
    idle.environment["LADING_DATABASE_URL"] = postgres_url
    idle.start()
    idle.client.post("/api/v1/teams", {"team": "shop"})
    idle.client.post("/api/v1/teams/shop/robots", {"name": "ci"})
    idle.kill()
    idle.start()

    assert [row["team"] for row in idle.client.get("/api/v1/teams")] == ["shop"]
    assert idle.client.post("/api/v1/ledger/verify")["entries"] > 0
    assert idle.cli("strategy").returncode == 0
    idle.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_refuses_work_leaves_nothing_and_recovers(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", disk], check=True)
    server = Server(tmp_path, NOWHERE)
    server.environment["LADING_DATA"] = str(disk / "data")
    (tmp_path / "data").symlink_to(disk / "data")
    try:
        server.start()
        server.client.post("/api/v1/teams", {"team": "shop"})
        ballast = disk / "ballast"
        # Without a buffer: what does not fit would be written again when the file is closed.
        with ballast.open("wb", buffering=0) as handle, pytest.raises(OSError, match="No space"):
            while True:
                handle.write(b"x" * 65_536)
        with pytest.raises(ServerSaid) as refused:
            server.client.upload("/api/v1/sources", iter([b"x" * 1_000_000] * 4), "application/x-tar")
        assert refused.value.exit_code is ExitCode.UNAVAILABLE
        assert list((disk / "data" / "sources").iterdir()) == []
        ballast.unlink()

        kept = server.client.upload("/api/v1/sources", iter([b"x" * 1_000_000] * 4), "application/x-tar")

        assert kept["bytes"] == 4_000_000
        assert server.client.post("/api/v1/ledger/verify")["entries"] > 0
    finally:
        server.client.close()
        server.stop()
        subprocess.run(["umount", "--lazy", disk], check=True)


def test_commands_without_a_server_or_a_token_say_what_to_do(idle: Server) -> None:
    assert_clear(idle.cli("ps"), ExitCode.UNAVAILABLE, "lading up")
    idle.start()
    idle.environment["LADING_TOKEN"] = "lad_wrong"
    assert_clear(idle.cli("ps"), ExitCode.UNAUTHENTICATED)
    with ApiClientClosing(idle.api) as anonymous, pytest.raises(ServerSaid):
        anonymous.get("/api/v1/status")


class ApiClientClosing(ApiClient):
    def __enter__(self) -> ApiClientClosing:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@pytest.mark.parametrize(
    "command",
    [["ps"], ["image", "ls"], ["incident", "ls"], ["policy", "ls"], ["policy", "decisions"], ["jobs"], ["team", "ls"],
     ["token", "ls"], ["advisories", "status"], ["ledger", "show"], ["strategy"], ["status"], ["whoami"]],
)  # fmt: skip
def test_lists_print_json_for_programs_and_no_colour_without_a_terminal(running: Server, command: list[str]) -> None:
    import json

    machine = running.cli(*command, "--output", "json")
    person = running.cli(*command)

    assert machine.returncode == person.returncode == 0
    json.loads(machine.stdout)
    assert "\x1b[" not in person.stdout


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("running"), NOWHERE)
    made.start()
    yield made
    made.client.close()
    made.stop()
