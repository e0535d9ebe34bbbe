"""The contract of the command line that scripts rely on: exit codes, JSON, no colour when told, no tracebacks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.conftest import Server, free_port, write_application
from lading.kernel.errors import ExitCode

pytestmark = pytest.mark.slow

LISTS = [
    "status", "ps --all", "jobs", "image ls", "advisories status", "where gunicorn", "policy ls", "policy decisions",
    "policy test", "incident ls", "ledger show", "ledger verify", "team ls", "token ls", "whoami", "strategy",
]  # fmt: skip


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without an engine."""
    made = Server(tmp_path_factory.mktemp("alone"), "unix:///nonexistent/docker.sock")
    made.start()
    yield made
    made.client.close()
    made.stop()


@pytest.mark.parametrize("command", LISTS)
def test_a_list_is_one_json_document_and_has_no_colour(alone: Server, command: str) -> None:
    shown = alone.cli(*command.split(), "--output", "json")

    assert shown.returncode == 0, shown.stderr
    assert isinstance(json.loads(shown.stdout), list | dict)
    assert "\x1b[" not in shown.stdout + shown.stderr


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("", ExitCode.USAGE),
        ("no-such-command", ExitCode.USAGE),
        ("image ls --limit none", ExitCode.USAGE),
        ("image show nobody/has:this", ExitCode.NOT_FOUND),
        ("image show :::", ExitCode.USAGE),
        ("bill nobody/none", ExitCode.NOT_FOUND),
        ("policy explain no-decision", ExitCode.NOT_FOUND),
        ("jobs no-job", ExitCode.NOT_FOUND),
        ("incident show 999999", ExitCode.NOT_FOUND),
        ("ship /nonexistent", ExitCode.USAGE),
        ("robot create noteam", ExitCode.USAGE),
        ("robot create nobody/ci", ExitCode.NOT_FOUND),
        ("advisories import /nonexistent", ExitCode.USAGE),
        ("patch NOBODY-1", ExitCode.NOT_FOUND),
        ("logs nobody/none --since yesterday", ExitCode.USAGE),
    ],
)
def test_bad_input_ends_with_the_documented_code(alone: Server, command: str, code: ExitCode) -> None:
    ended = alone.cli(*command.split())

    assert ended.returncode == code, ended.stdout + ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
    assert "has a fault" not in ended.stderr


def test_who_is_not_known_and_who_may_not_are_told_apart(alone: Server) -> None:
    alone.client.post("/api/v1/teams", {"team": "apart"})
    robot = alone.client.post("/api/v1/teams/apart/robots", {"name": "ci", "role": "viewer"})["token"]

    for token, code in (("lad_wrong", ExitCode.UNAUTHENTICATED), (robot, ExitCode.FORBIDDEN)):
        command = alone.environment | {"LADING_TOKEN": token}
        kept, alone.environment = alone.environment, command
        try:
            ended = alone.cli("team", "create", "mine")
        finally:
            alone.environment = kept
        assert ended.returncode == code, ended.stderr


def test_no_server_is_said_with_what_to_do(alone: Server) -> None:
    kept, alone.environment = alone.environment, alone.environment | {"LADING_API": f"http://127.0.0.1:{free_port()}"}
    try:
        ended = alone.cli("ps")
    finally:
        alone.environment = kept

    assert ended.returncode == ExitCode.UNAVAILABLE
    assert "lading up" in ended.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(alone: Server, shell: str) -> None:
    # The shell is named, because none is found around a test.
    kept, alone.environment = (
        alone.environment,
        alone.environment | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
    )
    try:
        shown = alone.cli("--show-completion", shell)
    finally:
        alone.environment = kept

    assert shown.returncode == 0, shown.stderr
    assert "complete" in shown.stdout.lower() or "compdef" in shown.stdout


def test_without_an_engine_a_ship_fails_with_a_remedy(alone: Server, tmp_path: Path) -> None:
    alone.client.post("/api/v1/teams", {"team": "shop"})
    directory = write_application(tmp_path / "engineless", free_port(), version="1")
    (directory / "Dockerfile").write_text("FROM scratch\nCOPY index.html /\n")

    ended = alone.cli("ship", str(directory), "--team", "shop")

    assert ended.returncode == ExitCode.UNAVAILABLE, ended.stderr
    assert "engine" in ended.stderr.lower()
    assert "next:" in ended.stderr
    assert "Traceback" not in ended.stderr
