"""What Lading signs, verified by cosign, and what cosign signs, verified by Lading: in the older layout and in bundles."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.conftest import Server
from pushing import PushedImage, Pusher

COSIGN = shutil.which("cosign") or shutil.which(".tools/oci/cosign") or ""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not COSIGN, reason="cosign is not installed (go install github.com/sigstore/cosign/v3/cmd/cosign)"
    ),
]
REPORT = Path(__file__).parents[2] / "fixtures" / "reports" / "trivy-flaws.json"
STATED = "https://in-toto.io/attestation/vulns/v0.1"
FORMS = ("true", "false")


class Cosign:
    """cosign with a key pair of its own, logged in where images are pushed."""

    def __init__(self, home: Path, registry: str, robot: str, token: str) -> None:
        self.home = home
        home.mkdir()
        login = {"auths": {registry: {"auth": base64.b64encode(f"{robot}:{token}".encode()).decode()}}}
        (home / "config.json").write_text(json.dumps(login))
        self._environment = {
            "PATH": os.environ["PATH"], "HOME": str(home), "DOCKER_CONFIG": str(home), "COSIGN_PASSWORD": "secret",
            "COSIGN_YES": "true",
        }  # fmt: skip
        self.run("generate-key-pair")

    def run(self, *words: str) -> str:
        ended = subprocess.run(
            [COSIGN, *words],
            cwd=self.home,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == 0, f"{words}: {ended.stderr}"
        return ended.stdout

    def sign(self, image: str) -> None:
        (self.home / "predicate.json").write_text('{"buildDefinition": {}, "runDetails": {}}')
        how = ["--allow-http-registry", "--tlog-upload=false", "--use-signing-config=false", "--key", "cosign.key"]
        for bundle in FORMS:
            self.run("sign", *how, f"--new-bundle-format={bundle}", image)
            kind = ["--type", "slsaprovenance1", "--predicate", "predicate.json"]
            self.run("attest", *how, f"--new-bundle-format={bundle}", *kind, image)

    def verify(self, image: str, key: Path, kind: str) -> None:
        how = ["--allow-http-registry", "--insecure-ignore-tlog=true", "--key", str(key)]
        for bundle in FORMS:
            self.run("verify", *how, f"--new-bundle-format={bundle}", image)
            self.run("verify-attestation", *how, f"--new-bundle-format={bundle}", "--type", kind, image)


def test_cosign_and_lading_verify_each_other(new_server: Callable[..., Server], tmp_path: Path) -> None:
    server = new_server(home=tmp_path)
    server.start()
    server.client.post("/api/v1/teams", {"team": "shop"})
    token = server.client.post("/api/v1/teams/shop/robots", {"name": "ci"})["token"]
    pusher = Pusher(server.push, "shop/ci", token)
    cosign = Cosign(tmp_path / "cosign", server.push, "shop/ci", token)

    def at(image: PushedImage) -> str:
        return f"{server.push}/{image.repository}@{image.digest}"

    def stated(image: PushedImage) -> None:
        assert server.cli("image", "approve", image.digest, "--why", "looked at").returncode == 0
        assert server.cli("report", "add", image.digest, str(REPORT)).returncode == 0

    ours, theirs = pusher.push("shop/ours", "1"), pusher.push("shop/theirs", "1")
    stated(ours)
    cosign.verify(at(ours), tmp_path / "data" / "keys" / "signing-key.pub", STATED)

    cosign.sign(at(theirs))
    assert server.cli("image", "verify", theirs.digest).returncode == 9
    assert server.cli("key", "add", "theirs", str(cosign.home / "cosign.pub")).returncode == 0
    assert server.cli("image", "verify", theirs.digest).returncode == 0
    rows = server.client.get(f"/api/v1/images/{theirs.digest}/attestations")
    assert {(row["what"], row["signer"], row["holds"]) for row in rows} == {
        ("signature", "theirs", True),
        ("attestation", "theirs", True),
    }

    login = ("--plain-http", "--key", str(cosign.home / "cosign.pub"))
    server.environment["DOCKER_CONFIG"] = str(cosign.home)
    assert server.cli("verify", at(theirs), *login).returncode == 0
    assert server.cli("verify", at(theirs), *login, "--type", "https://slsa.dev/provenance/v1").returncode == 0
    assert server.cli("verify", at(ours), *login).returncode == 9

    # What lies under tags beside an image is no image, whoever wrote it.
    assert {row["digest"] for row in server.client.get("/api/v1/images")} == {ours.digest, theirs.digest}
    # A key that cosign made signs here.
    (tmp_path / "password").write_text("secret\n")
    server.stop()
    server.environment |= {
        "LADING_SIGNING_KEY": str(cosign.home / "cosign.key"), "LADING_SIGNING_PASSWORD_FILE": str(tmp_path / "password")
    }  # fmt: skip
    server.start()
    again = pusher.push("shop/again", "1")
    stated(again)
    cosign.verify(at(again), cosign.home / "cosign.pub", STATED)
    pusher.close()
