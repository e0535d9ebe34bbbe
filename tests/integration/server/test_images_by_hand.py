"""`lading image tag|owner|copy|rm|revoke` on a real server, with another registry over HTTP to copy to and from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from e2e.conftest import Server, until
from integration.registry.conftest import RegistryProcess
from lading.kernel.errors import ExitCode
from pushing import Pusher, digest_of

pytestmark = pytest.mark.slow
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("alone"), "unix:///nonexistent/docker.sock")
    made.start()
    for team in ("shop", "mail"):
        made.client.post("/api/v1/teams", {"team": team})
    yield made
    made.client.close()
    made.stop()


@pytest.fixture(scope="module")
def pusher(alone: Server) -> Iterator[Pusher]:
    token = alone.client.post("/api/v1/teams/shop/robots", {"name": "ci"})["token"]
    made = Pusher(alone.push, "shop/ci", token)
    yield made
    made.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[RegistryProcess]:
    started = RegistryProcess(tmp_path)
    yield started
    started.stop()


def run(server: Server, *words: str, code: int = 0) -> str:
    ended = server.cli(*words)
    assert ended.returncode == code, ended.stdout + ended.stderr
    return str(ended.stdout + ended.stderr)


def shown(server: Server, image: str) -> Any:
    return server.client.get(f"/api/v1/images/{image}")


def refer(client: httpx.Client, repository: str, image: str, size: int) -> str:
    """Push an artifact that refers to an image; its digest."""
    client.post(f"/v2/{repository}/blobs/uploads/?digest={digest_of(b'{}')}", content=b"{}")
    empty = {"mediaType": EMPTY, "digest": digest_of(b"{}"), "size": 2}
    body = {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/x.test", "config": empty}
    subject = {"mediaType": MANIFEST, "digest": image, "size": size}
    content = json.dumps(body | {"layers": [empty], "subject": subject}).encode()
    digest = digest_of(content)
    answer = client.put(f"/v2/{repository}/manifests/{digest}", content=content, headers={"Content-Type": MANIFEST})
    assert answer.status_code == 201, answer.text
    return digest


def referrers(client: httpx.Client, repository: str, image: str) -> set[str]:
    answer = client.get(f"/v2/{repository}/referrers/{image}")
    return {item["digest"] for item in answer.json()["manifests"]}


def test_an_image_is_tagged_given_away_and_removed(alone: Server, pusher: Pusher) -> None:
    image = pusher.push("shop/hand", "1")
    run(alone, "image", "tag", "shop/hand:1", "stable")
    assert sorted(shown(alone, "shop/hand:stable")["tags"]) == ["1", "stable"]
    run(alone, "image", "owner", "shop/hand:1", "mail")
    assert shown(alone, "shop/hand:1")["team"] == "mail"
    run(alone, "image", "owner", "shop/hand:1", "nobody", code=ExitCode.NOT_FOUND)
    run(alone, "image", "owner", "shop/hand:1", "shop")
    run(alone, "image", "rm", "--yes", "shop/hand:stable")
    assert shown(alone, "shop/hand:1")["tags"] == ["1"]
    run(alone, "image", "rm", "--yes", f"shop/hand@{image.digest}")
    run(alone, "image", "show", "shop/hand:1", code=ExitCode.NOT_FOUND)


def test_a_revoked_image_says_what_replaces_it_and_stays(alone: Server, pusher: Pusher) -> None:
    image = pusher.push("shop/flawed", "1")
    said = run(alone, "image", "revoke", "shop/flawed:1", "--why", "leaked a key", "--replaced-by", "shop/flawed:2")
    assert "No running container uses it" in said
    assert "leaked a key" in shown(alone, f"shop/flawed@{image.digest}")["pull"]
    assert "Use shop/flawed:2 instead" in shown(alone, "shop/flawed:1")["pull"]
    assert "evidence" in run(alone, "image", "rm", "--yes", f"shop/flawed@{image.digest}", code=ExitCode.FORBIDDEN)


def test_copies_take_referrers_along_within_this_registry_and_to_and_from_others(
    alone: Server, pusher: Pusher, other: RegistryProcess, tmp_path: Path
) -> None:
    token = alone.client.post("/api/v1/teams/shop/robots", {"name": "copier"})["token"]
    here = httpx.Client(base_url=f"http://{alone.push}", auth=("shop/copier", token), timeout=60, trust_env=False)
    image = pusher.push("shop/origin", "1")
    size = len(pusher.manifest("shop/origin", image.digest).content)
    artifact = refer(here, "shop/origin", image.digest, size)

    run(alone, "image", "copy", "shop/origin:1", "shop/copied:2")
    assert artifact in referrers(here, "shop/copied", image.digest)
    assert shown(alone, "shop/copied:2")["digest"] == image.digest

    secret = tmp_path / "secret"
    secret.write_text("lad_shop\n")
    there = f"127.0.0.1:{other.push_port}"
    target = ("--target-user", "shop", "--target-token-file", str(secret), "--plain-http")
    away = ("image", "copy", "shop/copied:2", f"{there}/shop/away:3", *target)
    assert "quarantine" in run(alone, *away, code=ExitCode.FORBIDDEN)
    run(alone, "image", "approve", "shop/copied:2", "--why", "a test")
    run(alone, *away)
    with other.client() as client:
        answer = client.get("/v2/shop/away/manifests/3", headers={"Accept": MANIFEST})
        assert digest_of(answer.content) == image.digest
        assert artifact in referrers(client, "shop/away", image.digest)
        later = refer(client, "shop/away", artifact, size)
    source = ("--source-user", "shop", "--source-token-file", str(secret), "--plain-http")
    run(alone, "image", "copy", f"{there}/shop/away:3", "shop/back:1", *source)
    assert artifact in referrers(here, "shop/back", image.digest)
    assert later in referrers(here, "shop/back", artifact)
    here.close()


def test_revoking_one_platform_takes_its_index_off_the_pull_endpoint_and_the_worker_holds_it(
    alone: Server, pusher: Pusher
) -> None:
    token = alone.client.post("/api/v1/teams/shop/robots", {"name": "puller"})["token"]
    amd, arm = pusher.push("shop/many", "amd"), pusher.push("shop/many", "arm")
    entries = [
        {"mediaType": MANIFEST, "digest": image.digest, "platform": {"os": "linux", "architecture": name},
         "size": len(pusher.manifest("shop/many", image.digest).content)}
        for image, name in ((amd, "amd64"), (arm, "arm64"))
    ]  # fmt: skip
    body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
    with httpx.Client(auth=("shop/puller", token), timeout=60, trust_env=False) as client:
        put = client.put(f"http://{alone.push}/v2/shop/many/manifests/1", content=body, headers={"Content-Type": INDEX})
        assert put.status_code == 201
        # The worker judges all three first, so that nothing moves them back meanwhile.
        for name in ("amd", "arm", "1"):
            until(lambda name=name: shown(alone, f"shop/many:{name}")["decision"] or None, 120)
        said = run(alone, "image", "approve", "shop/many:1", "--why", "a test", code=ExitCode.CONFLICT)
        assert "linux/amd64" in said
        for name in ("amd", "arm", "1"):
            run(alone, "image", "approve", f"shop/many:{name}", "--why", "a test")
        path = f"http://{alone.pull}/v2/shop/many/manifests/1"
        until(lambda: True if client.get(path, headers={"Accept": INDEX}).status_code == 200 else None, 60)
        run(alone, "image", "revoke", "shop/many:arm", "--why", "leaked a key")
        # Refused by way of the image, and soon by the state that the worker gives the index.
        until(lambda: True if client.get(path, headers={"Accept": INDEX}).status_code == 403 else None, 60)
        refused = client.get(path, headers={"Accept": INDEX}).json()["errors"][0]["message"]
        assert "linux/arm64" in refused
        assert "leaked a key" in refused
        assert client.get(path.removesuffix("1") + "amd", headers={"Accept": MANIFEST}).status_code == 200
    until(lambda: True if shown(alone, "shop/many:1")["state"] == "quarantined" else None, 60)
    assert "its image for linux/arm64" in shown(alone, "shop/many:1")["why"]
