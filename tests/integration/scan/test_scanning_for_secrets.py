"""An image with secrets in several layers and in its configuration, scanned as people do: told, and nowhere written."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from made_secrets import chance, docker_login, github, jwt, pem
from saved_images import Layout
from tar_layers import OS_RELEASE, status, tar

FORMS = ("table", "json", "sarif", "cyclonedx", "spdx", "junit")
PASSWORD = "Kq8-" + chance(10)
TOKEN, KEY, LOGIN, JWT = github(), pem(), docker_login(), jwt(sub="robot", iss="https://issuer.corp")
VALUES = [PASSWORD, TOKEN, KEY.splitlines()[1], json.loads(LOGIN)["auths"]["registry.corp"]["auth"], JWT]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    layers = [
        tar(OS_RELEASE, status(("libc6", "2.36-9")), ("root/.docker/config.json", LOGIN.encode())),
        tar(("app/.env", f"A=1\r\nTOKEN={TOKEN}\r\n".encode()), ("app/tls.key", KEY.encode())),
        tar(("root/.docker/.wh.config.json", b""), ("app/session", JWT.encode("utf-16"))),
    ]
    layout = Layout()
    layout.name(layout.image(*layers, Env=["PATH=/bin", f"DB_PASSWORD={PASSWORD}"], User="10001"))
    path = tmp_path_factory.mktemp("image") / "image.tar"
    path.write_bytes(gzip.compress(layout.archive()))
    return path


def scan(image: Path, cache: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "lading.entrypoints.cli.main", "scan", str(image), "--cache", str(cache), *words]
    return subprocess.run(command, capture_output=True, check=False)


def test_every_secret_is_told_with_its_place_and_its_layer(image: Path, tmp_path: Path) -> None:
    document = json.loads(scan(image, tmp_path, "--output", "json").stdout)
    layers = [one["digest"] for one in document["layers"]]
    told = {
        (one["rule"], one.get("file", ""), one.get("line", 0), layers.index(one["layer"]) if "layer" in one else -1)
        for one in document["weaknesses"]
        if one["kind"] == "secret"
    }

    assert told == {
        ("secret-docker-login", "root/.docker/config.json", 1, 0),
        ("secret-github-token", "app/.env", 2, 1),
        ("secret-private-key", "app/tls.key", 1, 1),
        ("secret-jwt", "app/session", 1, 2),
        ("secret-in-variable", "", 0, -1),
    }
    deleted = next(one["message"] for one in document["weaknesses"] if one["rule"] == "secret-docker-login")
    assert "still shipped" in deleted


@pytest.mark.parametrize("form", FORMS)
def test_no_value_is_in_what_is_written_or_kept(image: Path, tmp_path: Path, form: str) -> None:
    ran = scan(image, tmp_path, "--output", form, "--fail-on", "high")
    cached = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())

    assert ran.returncode == 3
    for value in VALUES:
        assert value.encode() not in ran.stdout + ran.stderr + cached


def test_a_secret_is_accepted_for_a_while_by_its_rule_and_path(image: Path, tmp_path: Path) -> None:
    ignore = tmp_path / "ignore.toml"
    ignore.write_text(
        '[[ignore]]\nid = "secret-private-key"\npath = "app/*"\nreason = "of a test"\nuntil = 2027-03-01\n'
    )
    document = json.loads(scan(image, tmp_path, "--output", "json", "--ignore-file", str(ignore)).stdout)

    assert [one["weakness"]["rule"] for one in document["accepted_weaknesses"]] == ["secret-private-key"]
    assert "secret-private-key" not in {one["rule"] for one in document["weaknesses"]}
