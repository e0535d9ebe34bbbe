"""Blobs in an object store: the pull endpoint sends clients there, and everything that must not leave stays."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from integration.registry.conftest import MANIFEST, RegistryProcess, make_manifest, push_blob, tar
from lading.facts import Ledger
from lading.kernel.digest import Digest
from lading.kernel.ids import new_id
from lading.state import Database
from lading.supply_chain.registry.client import RemoteRegistry
from lading.supply_chain.registry.states import ImageStates, State
from nginx_server import NEEDS_NGINX, running_nginx
from s3_server import BUCKET, s3_environment

LAYER = tar("file", os.urandom(300_000))
CONFIG = json.dumps(
    {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["/file"]},
        "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(LAYER))]},
    }
).encode()


@pytest.fixture(params=["moto", "versitygw"])
def far(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RegistryProcess]:
    """A registry whose blobs lie in an object store, with one image, not approved yet."""
    endpoint = request.getfixturevalue(f"{request.param}_endpoint")
    more = {"LADING_BLOB_URL": f"s3://{BUCKET}/{new_id()}", "NO_PROXY": "127.0.0.1", "STORE": request.param}
    started = RegistryProcess(tmp_path, s3_environment(endpoint) | more)
    with started.client() as client:
        for content in (CONFIG, LAYER):
            push_blob(client, "shop/web", content)
        body = make_manifest(CONFIG, LAYER)
        answer = client.put("/v2/shop/web/manifests/1", content=body, headers={"Content-Type": MANIFEST})
        assert answer.status_code == 201, answer.text
    yield started
    started.stop()


@pytest.fixture
def move(far: RegistryProcess) -> Iterator[Callable[..., None]]:
    database, ledger = Database(f"sqlite:///{far.directory / 'state.db'}"), Ledger()
    states = ImageStates(database, ledger)

    def moved(to: State, **more: Any) -> None:
        with database.write() as tx:
            states.move(tx, Digest.of(make_manifest(CONFIG, LAYER)), to, who="person:ada", why="because", **more)

    yield moved
    database.close()


def test_large_blobs_are_redirected_and_everything_else_is_answered_directly(
    far: RegistryProcess, move: Callable[..., None]
) -> None:
    large, small = f"/v2/shop/web/blobs/{Digest.of(LAYER)}", f"/v2/shop/web/blobs/{Digest.of(CONFIG)}"
    with far.client(pull=True) as pull:
        assert pull.get(large).status_code == 403
        move(State.APPROVED)
        sent = pull.get(large)
        assert sent.status_code == 307
        assert sent.headers["Docker-Content-Digest"] == str(Digest.of(LAYER))
        assert sent.headers["Cache-Control"] == "no-store"
        assert "X-Amz-Signature=" in sent.headers["Location"]
        assert "X-Amz-Expires=60" in sent.headers["Location"]
        head = pull.head(large)
        assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(LAYER)))
        assert pull.get(small).content == CONFIG
        assert pull.get("/v2/shop/web/manifests/1").status_code == 200
        move(State.REVOKED)
        assert pull.get(large).status_code == 403
    with httpx.Client(trust_env=False) as stranger:
        location = sent.headers["Location"]
        assert stranger.get(location).content == LAYER
        part = stranger.get(location, headers={"Range": "bytes=1000-1999"})
        assert (part.status_code, part.content) == (206, LAYER[1000:2000])
        layer, config = Digest.of(LAYER).hex, Digest.of(CONFIG).hex
        forged = location.replace(f"{layer[:2]}/{layer}", f"{config[:2]}/{config}")
        if far.environment["STORE"] == "versitygw":  # moto believes every signature
            assert stranger.get(forged).status_code == 403
    with httpx.Client(base_url=f"http://127.0.0.1:{far.pull_port}", trust_env=False) as nobody:
        assert nobody.get(large).status_code == 401


def test_clients_follow_to_the_store(far: RegistryProcess, move: Callable[..., None], tmp_path: Path) -> None:
    move(State.APPROVED)
    ours = RemoteRegistry(f"http://127.0.0.1:{far.pull_port}", "shop", "lad_shop")
    with ours.open_blob("shop/web", Digest.of(LAYER)) as chunks:
        assert b"".join(chunks) == LAYER
    ours.close()
    command = ["skopeo", "copy", "--src-tls-verify=false", "--src-creds=shop:lad_shop", "--insecure-policy"]
    source, target = f"docker://127.0.0.1:{far.pull_port}/shop/web:1", f"dir:{tmp_path / 'copied'}"
    done = subprocess.run([*command, source, target], capture_output=True, text=True, timeout=60, env=far.environment)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "copied" / Digest.of(LAYER).hex).read_bytes() == LAYER


@NEEDS_NGINX[0]
@NEEDS_NGINX[1]
@pytest.mark.parametrize("far", ["moto"], indirect=True)
def test_nginx_passes_redirects_on_unchanged(far: RegistryProcess, move: Callable[..., None], tmp_path: Path) -> None:
    move(State.APPROVED)
    (tmp_path / "tree/.log").mkdir(parents=True)
    with running_nginx(tmp_path / "tree", far.pull_port) as port:
        address = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=address, auth=("shop", "lad_shop"), trust_env=False) as client:
            sent = client.get(f"/v2/shop/web/blobs/{Digest.of(LAYER)}")
            assert sent.status_code == 307
            assert "X-Amz-Signature=" in sent.headers["Location"]
            assert httpx.get(sent.headers["Location"], trust_env=False).content == LAYER
