"""What keeps a server from starting is said in a sentence, with an exit code and a remedy, and never as a traceback."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.conftest import Server
from lading.kernel.errors import ExitCode

pytestmark = pytest.mark.slow
NewServer = Callable[..., Server]


def assert_said(ended: object, code: ExitCode, *parts: str) -> None:
    """It ended with the code, said all parts and what to do next, and showed no traceback."""
    text = ended.stdout + ended.stderr  # type: ignore[attr-defined]
    assert ended.returncode == code, text  # type: ignore[attr-defined]
    for part in (*parts, "next:"):
        assert part in text
    assert "Traceback" not in text


@pytest.mark.parametrize("name", ["LADING_PUSH_ADDR", "LADING_PULL_ADDR", "LADING_API_ADDR"])
def test_a_taken_port_is_named_with_the_setting_that_moves_it(new_server: NewServer, name: str) -> None:
    server = new_server()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server.environment[name] = f"127.0.0.1:{port}"

        ended = server.cli("up")

    assert_said(ended, ExitCode.CONFLICT, f"Port {port} on 127.0.0.1", name)
    assert not (server.home / "data" / "lading.db").exists()


def test_a_data_directory_has_one_server(new_server: NewServer) -> None:
    first = new_server()
    first.start()
    second = new_server()
    second.environment["LADING_DATA"] = first.environment["LADING_DATA"]

    for arguments in (("up",), ("up", "--detach")):
        assert_said(second.cli(*arguments), ExitCode.CONFLICT, "already runs")

    assert first.client.get("/api/v1/status")


@pytest.mark.parametrize(
    "url", ["postgresql+psycopg://nobody@127.0.0.1:1/lading", "postgresql+psycopg:///lading?host=/nonexistent"]
)
def test_a_database_that_does_not_answer_is_named_without_its_password(new_server: NewServer, url: str) -> None:
    server = new_server(LADING_DATABASE_URL=url.replace("nobody@", "nobody:hunter2@"))

    ended = server.cli("up")

    assert_said(ended, ExitCode.UNAVAILABLE, "database")
    assert "hunter2" not in ended.stdout + ended.stderr


@pytest.mark.parametrize("url", ["mysql://127.0.0.1/x", "not a url"])
def test_a_database_of_another_kind_is_refused(new_server: NewServer, url: str) -> None:
    assert_said(new_server(LADING_DATABASE_URL=url).cli("up"), ExitCode.USAGE)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("id: [\n", "broken.yaml:"),
        (
            "id: odd\ntitle: Odd\nstages: [deploy]\nseverity: high\nowner: security\n"
            "deny: 'input.image.user =='\nmessage: odd\nexamples: []\n",
            "broken.yaml:6: rule 'odd'",
        ),
    ],
)
def test_a_policy_that_does_not_compile_keeps_the_server_down(
    new_server: NewServer, tmp_path: Path, rule: str, said: str
) -> None:
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "broken.yaml").write_text(rule)

    ended = new_server(LADING_POLICY=str(pack)).cli("up")

    assert_said(ended, ExitCode.USAGE, said)


def test_a_missing_policy_directory_keeps_the_server_down(new_server: NewServer, tmp_path: Path) -> None:
    ended = new_server(LADING_POLICY=str(tmp_path / "nowhere")).cli("up")

    assert_said(ended, ExitCode.USAGE, "nowhere")


def test_a_data_directory_that_is_a_file_is_named(new_server: NewServer) -> None:
    server = new_server()
    (server.home / "data").write_text("not a directory")

    assert_said(server.cli("up"), ExitCode.UNAVAILABLE, "data directory", str(server.home / "data"))


def test_too_little_space_keeps_the_server_down(new_server: NewServer) -> None:
    ended = new_server(LADING_MIN_FREE_MEGABYTES="999999999").cli("up")

    assert_said(ended, ExitCode.UNAVAILABLE, "MB free")


@pytest.mark.parametrize("content", [None, "", "password", "lad_short"])
def test_an_admin_token_file_without_a_token_keeps_the_server_down(new_server: NewServer, content: str | None) -> None:
    server = new_server()
    (server.home / "token").unlink()
    if content is not None:
        (server.home / "token").write_text(content)

    ended = server.cli("up")

    assert ended.returncode in (ExitCode.USAGE, ExitCode.UNAVAILABLE), ended.stderr
    assert "Traceback" not in ended.stderr
    assert not content or content not in ended.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [("LADING_PUSH_ADDR", "nowhere"), ("LADING_POLL_SECONDS", "soon"), ("LADING_CONFIG", "/nonexistent.toml")],
)
def test_a_setting_that_does_not_fit_is_named(new_server: NewServer, name: str, value: str) -> None:
    ended = new_server(**{name: value}).cli("up")

    assert_said(ended, ExitCode.USAGE, value)


def test_a_key_that_was_damaged_is_not_replaced_in_silence(new_server: NewServer) -> None:
    server = new_server()
    server.start()
    server.client.post("/api/v1/ledger/checkpoint")
    server.stop()
    keys = [path for path in (server.home / "data" / "keys").iterdir() if path.is_file()]
    assert keys
    for key in keys:
        key.write_bytes(b"damaged")

    ended = server.cli("up")

    assert ended.returncode not in (0, 124), ended.stderr
    assert "Traceback" not in ended.stderr
    assert all(key.read_bytes() == b"damaged" for key in keys)
