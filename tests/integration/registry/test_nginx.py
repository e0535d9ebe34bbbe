"""Debian's nginx in front of the tree: what it serves, whom it serves, and how soon it stops."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from integration.registry.conftest import (
    MANIFEST,
    RegistryProcess,
    make_manifest,
    push_blob,
    simple_image,
    tar,
)
from integration.registry.test_registry_with_docker import Docker
from lading.facts import Ledger
from lading.kernel.digest import Digest
from lading.state import Database
from lading.supply_chain.registry.access import Visibility
from lading.supply_chain.registry.states import ImageStates, State
from lading.supply_chain.registry.tree.beat import BeatReader
from lading.supply_chain.registry.visibility import Visibilities
from nginx_server import NEEDS_NGINX, free_port, running_nginx

KEEPER = Path(__file__).with_name("tree_process.py")
pytestmark = NEEDS_NGINX


def until(true: Callable[[], bool], what: str) -> None:
    for _ in range(600):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError(f"never {what}")


class Front:
    """A registry, the tree, whoever keeps it, and nginx before it; in a place that the user of nginx can reach."""

    def __init__(self, home: Path) -> None:
        self.home, self.tree = home, home / "tree"
        (home / "data").mkdir(mode=0o700)
        self.registry = RegistryProcess(home / "data", {"LADING_TREE": str(self.tree)})
        self.database = Database(f"sqlite:///{home / 'data' / 'state.db'}")
        self.states = ImageStates(self.database, Ledger())
        self.visibilities = Visibilities(self.database, Ledger())
        self.beats = BeatReader(self.tree)
        self.start_keeper()
        self.port = 0

    def start_keeper(self) -> None:
        command = [sys.executable, str(KEEPER), str(self.home / "data"), str(self.tree), "www-data"]
        with (self.home / "keeper.log").open("a") as log:
            self.keeper = subprocess.Popen(command, stdout=log, stderr=log)
        until(self.beats.is_fresh, "fresh: " + (self.home / "keeper.log").read_text())

    def stop(self) -> None:
        if self.keeper.poll() is None:
            self.keeper.terminate()
        self.keeper.wait()
        self.registry.stop()
        self.database.close()

    def client(self, team: str = "shop", **more: Any) -> httpx.Client:
        auth = (team, f"lad_{team}") if team else None
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", auth=auth, timeout=60, trust_env=False, **more)

    def move(self, digest: Digest, to: State, **more: Any) -> None:
        with self.database.write() as tx:
            self.states.move(tx, digest, to, who="person:ada", why=more.pop("why", "because"), **more)

    def shown(self, repository: str, digest: Digest) -> bool:
        return (self.tree / "_served" / repository / "_manifests" / f"{digest}.oci-manifest").exists()

    def push(self, repository: str, tag: str, text: str = "", layer: bytes = b"") -> Digest:
        """Push an image and approve it."""
        _, config, small = simple_image(text or f"{repository}:{tag}")
        parts = [config.replace(Digest.of(small).hex.encode(), Digest.of(layer or small).hex.encode()), layer or small]
        body = make_manifest(*parts)
        with self.registry.client() as push:
            for part in parts:
                push_blob(push, repository, part)
            answer = push.put(f"/v2/{repository}/manifests/{tag}", content=body, headers={"Content-Type": MANIFEST})
            assert answer.status_code == 201, answer.text
        digest = Digest.of(body)
        self.move(digest, State.APPROVED)
        until(lambda: self.shown(repository, digest), "shown")
        return digest


@pytest.fixture(scope="module")
def front() -> Iterator[Front]:
    home = Path(tempfile.mkdtemp(prefix="lading-nginx-"))
    home.chmod(0o755)
    made = Front(home)
    with running_nginx(made.tree, made.registry.pull_port) as made.port:
        yield made
    made.stop()
    shutil.rmtree(home)


@pytest.fixture(scope="module")
def shop(front: Front) -> Iterator[httpx.Client]:
    with front.client() as client:
        yield client


def is_static(answer: httpx.Response) -> bool:
    """Whether nginx took it from a file: the pull endpoint gives no such header."""
    return "Last-Modified" in answer.headers


def from_tree(client: httpx.Client, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    """The answer from the tree: on a machine that is very busy nginx asks the pull endpoint for a moment."""
    for _ in range(600):
        if is_static(answer := client.request(method, path, headers=headers)):
            return answer
        time.sleep(0.05)
    raise AssertionError(f"{path} never comes from the tree")


def test_every_answer_is_that_of_the_pull_endpoint(front: Front, shop: httpx.Client) -> None:
    digest = front.push("shop/same", "1", "hello")
    _, config, layer = simple_image("hello")
    paths = {
        "/v2/shop/same/manifests/1": True,
        f"/v2/shop/same/manifests/{digest}": True,
        f"/v2/shop/same/blobs/{Digest.of(config)}": True,
        f"/v2/shop/same/blobs/{Digest.of(layer)}": True,
        "/v2/shop/same/tags/list": True,
        "/v2/shop/same/tags/list?n=1": False,
        f"/v2/shop/same/referrers/{digest}": True,
        f"/v2/shop/same/referrers/{digest}?artifactType=x": False,
        "/v2/shop/same/manifests/none": False,
        f"/v2/shop/same/manifests/{Digest.of(b'none')}": False,
        f"/v2/shop/same/blobs/{Digest.of(b'none')}": False,
        "/v2/shop/none/tags/list": False,
        "/v2/": False,
    }
    compared = (
        "Content-Type",
        "Content-Length",
        "Docker-Content-Digest",
        "Docker-Distribution-Api-Version",
        "ETag",
        "Link",
    )
    with front.registry.client(pull=True) as pull:
        for path, static in paths.items():
            for method in ("GET", "HEAD"):
                ours = from_tree(shop, path, method) if static else shop.request(method, path)
                theirs = pull.request(method, path)
                assert (ours.status_code, ours.content) == (theirs.status_code, theirs.content), path
                for name in compared:
                    assert ours.headers.get(name) == theirs.headers.get(name), (path, name)
                assert is_static(ours) is static, path


def test_ranges_of_blobs(front: Front, shop: httpx.Client) -> None:
    layer = tar("big", os.urandom(2_000_000))
    front.push("shop/ranges", "1", layer=layer)
    path = f"/v2/shop/ranges/blobs/{Digest.of(layer)}"
    for asked, expected in (("0-9", layer[:10]), ("1000000-", layer[1_000_000:]), ("-5", layer[-5:])):
        answer = from_tree(shop, path, Range=f"bytes={asked}")
        assert (answer.status_code, answer.content) == (206, expected)
    assert shop.get(path, headers={"Range": f"bytes={len(layer)}-"}).status_code == 416


def test_a_private_repository_is_for_its_team_only(front: Front, shop: httpx.Client) -> None:
    digest = front.push("shop/private", "1")
    path = f"/v2/shop/private/manifests/{digest}"
    with front.client("mail") as mail, front.client("") as nobody:
        from_tree(mail, path)
        assert nobody.get(path).status_code == 401
        assert nobody.get(path).headers.get_list("WWW-Authenticate") == ['Basic realm="lading"']
        front.visibilities.change("shop/private", Visibility.PRIVATE, actor="person:ada")
        until(lambda: mail.get(path).status_code == 404, "hidden")
        for hidden in ("/v2/shop/private/tags/list", "/v2/shop/private/manifests/1"):
            assert mail.get(hidden).status_code == 404
        # Of what is not there for somebody nothing refers to it.
        assert mail.get(f"/v2/shop/private/referrers/{digest}").json()["manifests"] == []
        from_tree(shop, path)
        wrong = nobody.get(path, headers={"Authorization": "Basic c2hvcDp3cm9uZw=="})
        assert wrong.status_code == 401
        assert mail.get(path).json()["errors"][0]["code"] == "NAME_UNKNOWN"


def test_a_revoked_image_is_refused_on_every_path(front: Front, shop: httpx.Client) -> None:
    layer = tar("only", os.urandom(100_000))
    old, new = front.push("shop/revoked", "1", layer=layer), front.push("shop/revoked", "2")
    paths = [f"/v2/shop/revoked/{end}" for end in (f"manifests/{old}", "manifests/1", f"blobs/{Digest.of(layer)}")]
    for path in paths:
        from_tree(shop, path)
    front.move(old, State.REVOKED, why="malware", replaced_by="shop/revoked:2")
    for path in paths:
        until(lambda path=path: shop.get(path).status_code == 403, "refused")  # type: ignore[misc]
        answer = shop.get(path)
        assert answer.status_code == 403, path
        said = answer.json()["errors"][0]
        assert said["code"] == "DENIED"
        assert "malware" in said["message"]
        assert "shop/revoked:2" in said["message"]
        assert answer.headers["Content-Type"] == "application/json"
    with front.registry.client(pull=True) as pull:
        # The pull endpoint says nothing of caches in its refusals.
        until(lambda: "Cache-Control" in shop.get(paths[0]).headers, "refused from the tree")
        assert shop.get(paths[0]).json() == pull.get(paths[0]).json()
    assert shop.get(f"/v2/shop/revoked/referrers/{old}").status_code == 403
    from_tree(shop, f"/v2/shop/revoked/manifests/{new}")


def test_no_request_fails_while_a_tag_flips(front: Front) -> None:
    bodies = [make_manifest(*simple_image(text)[1:]) for text in ("flip one", "flip two")]
    digests = {str(front.push("shop/flip", "latest", text)) for text in ("flip one", "flip two")}
    wrong: list[str] = []
    seen: set[str] = set()
    stop = threading.Event()

    def pull() -> None:
        with front.client() as client:
            while not stop.is_set():
                answer = client.get("/v2/shop/flip/manifests/latest")
                here = str(Digest.of(answer.content))
                if answer.status_code != 200 or here != answer.headers["Docker-Content-Digest"] or here not in digests:
                    wrong.append(f"{answer.status_code} {answer.headers}")
                seen.add(here)

    threads = [threading.Thread(target=pull) for _ in range(3)]
    for thread in threads:
        thread.start()
    with front.registry.client() as push:
        for turn in range(20):
            body = bodies[turn % 2]
            push.put(
                "/v2/shop/flip/manifests/latest", content=body, headers={"Content-Type": MANIFEST}
            ).raise_for_status()
            link = front.tree / "_served/shop/flip/_tags/latest"
            until(lambda body=body, link=link: str(Digest.of(body)) in str(link.readlink()), "flipped")  # type: ignore[misc]
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert seen == digests


def test_while_nobody_keeps_the_tree_pulls_go_through_the_pull_endpoint(front: Front, shop: httpx.Client) -> None:
    old, new = front.push("shop/killed", "1"), front.push("shop/killed", "2")
    path = f"/v2/shop/killed/manifests/{old}"
    os.kill(front.keeper.pid, signal.SIGKILL)
    front.keeper.wait()
    front.move(old, State.REVOKED, why="malware")
    with front.registry.client() as push:
        body = make_manifest(*simple_image("shop/killed:2")[1:])
        push.put("/v2/shop/killed/manifests/1", content=body, headers={"Content-Type": MANIFEST}).raise_for_status()
    assert front.shown("shop/killed", old)
    until(lambda: shop.get(path).status_code == 403, "refused")
    until(lambda: not is_static(shop.get(f"/v2/shop/killed/manifests/{new}")), "asked")
    assert shop.get("/v2/shop/killed/manifests/1").headers["Docker-Content-Digest"] == str(new)
    front.start_keeper()
    until(lambda: not front.shown("shop/killed", old), "gone")
    until(lambda: is_static(shop.get("/v2/shop/killed/manifests/1")), "served")


def test_hostile_paths_and_methods(front: Front, shop: httpx.Client) -> None:
    digest = front.push("shop/web", "manifests")
    odd = front.push("shop/web/manifests", "1", "odd")
    assert shop.get("/v2/shop/web/manifests/manifests").headers["Docker-Content-Digest"] == str(digest)
    assert shop.get("/v2/shop/web/manifests/manifests/1").headers["Docker-Content-Digest"] == str(odd)
    end = f"manifests/{digest}"
    with front.client("") as nobody:
        for path in (
            f"/v2/_served/shop/web/{end}",
            f"/v2//_served/shop/web/{end}",
            f"/v2/x/..%2f_served/shop/web/{end}",
            f"/v2/shop/other/%2e%2e/web/{end}",
            f"/v2/{'a' * 3000}/{end}",
            f"/-/refusal/_served/shop/web/_manifests/{digest}.oci-manifest",
            "/-/grant",
            "/grants/shop/web",
            f"/_served/shop/web/_manifests/{digest}.oci-manifest",
            "/.log/pulls.jsonl",
            "/.beat",
            "/",
        ):
            answer = nobody.get(path, headers={"Lading-Tree": "granted"})
            assert answer.status_code in (400, 401, 404), path
            assert "errors" in answer.json(), path
    for method in ("PUT", "POST", "DELETE", "PATCH"):
        answer = shop.request(method, f"/v2/shop/web/{end}")
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (405, "UNSUPPORTED")
    assert shop.put(f"/v2/shop/web/{end}", content=b"x" * 200_000).status_code == 413


def test_the_user_of_nginx_may_read_the_tree_and_nothing_else(front: Front) -> None:
    digest = front.push("shop/rights", "1")
    manifest = front.tree / f"_served/shop/rights/_manifests/{digest}.oci-manifest"

    def as_nginx(*words: str) -> int:
        # Started as another user, in a place that it can be in.
        return subprocess.run(
            words, user="www-data", group="www-data", extra_groups=[], cwd="/", capture_output=True
        ).returncode

    assert as_nginx("cat", str(manifest)) == 0
    for place in (manifest, front.tree / "_served", front.tree / ".beat"):
        assert as_nginx("test", "-w", str(place)) != 0
    assert as_nginx("ls", str(front.home / "data")) != 0
    assert (
        subprocess.run(
            ["cat", manifest], user="nobody", group="nogroup", extra_groups=[], cwd="/", capture_output=True
        ).returncode
        != 0
    )


def test_skopeo_copies_through_it(front: Front, tmp_path: Path) -> None:
    layer = tar("file", os.urandom(500_000))
    digest = front.push("shop/skopeo", "1", layer=layer)
    command = ["skopeo", "copy", "--src-tls-verify=false", "--src-creds=shop:lad_shop", "--insecure-policy"]
    source, target = f"docker://127.0.0.1:{front.port}/shop/skopeo:1", f"dir:{tmp_path / 'copied'}"
    done = subprocess.run(
        [*command, source, target],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "NO_PROXY": "127.0.0.1"},
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "copied" / Digest.of(layer).hex).read_bytes() == layer
    assert Digest.of((tmp_path / "copied" / "manifest.json").read_bytes()) == digest


def test_pulls_and_refusals_are_in_its_log(front: Front, shop: httpx.Client) -> None:
    digest = front.push("shop/counted", "1")
    from_tree(shop, "/v2/shop/counted/manifests/1")
    front.move(digest, State.REVOKED)
    until(lambda: not front.shown("shop/counted", digest), "gone")
    path = f"/v2/shop/counted/manifests/{digest}"
    until(lambda: "Cache-Control" in shop.get(path).headers, "refused from the tree")

    def lines() -> list[dict[str, str]]:
        found = [json.loads(line) for line in (front.tree / ".log/pulls.jsonl").read_text().splitlines()]
        return [line for line in found if line["repository"] == "shop/counted"]

    until(lambda: len(lines()) == 2, "written")
    assert [(line["status"], line["digest"], line["visitor"]) for line in lines()] == [
        ("200", str(digest), "robot:shop"),
        ("403", str(digest), "robot:shop"),
    ]


def test_nothing_is_served_while_nobody_says_who_may(front: Front) -> None:
    digest = front.push("shop/alone", "1")
    with (
        running_nginx(front.tree, free_port()) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", auth=("shop", "lad_shop"), trust_env=False) as client,
    ):
        for path in (
            f"/v2/shop/alone/manifests/{digest}",
            "/v2/shop/alone/manifests/1",
            "/v2/",
            "/v2/shop/alone/tags/list",
        ):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5"), path
            assert "does not answer" in answer.json()["errors"][0]["message"]


class TooOften(BaseHTTPRequestHandler):
    """A pull endpoint that answers nothing else."""

    def do_GET(self) -> None:
        self.send_response(429)
        self.send_header("Retry-After", "7")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        return


def test_whoever_asks_too_often_is_told_so_by_the_pull_endpoint(front: Front) -> None:
    digest = front.push("shop/often", "1")
    with ThreadingHTTPServer(("127.0.0.1", 0), TooOften) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with (
                running_nginx(front.tree, server.server_port) as port,
                httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
            ):
                answer = client.get(f"/v2/shop/often/manifests/{digest}")
                assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.docker
def test_docker_pulls_through_it_and_is_told_why_it_may_not(docker_engine: str, front: Front, tmp_path: Path) -> None:
    layer = tar("file", os.urandom(500_000))
    digest = front.push("shop/docker", "1", layer=layer)
    docker = Docker(docker_engine, tmp_path / "docker")
    image = f"127.0.0.1:{front.port}/shop/docker:1"
    docker("login", "-u", "shop", "--password-stdin", f"127.0.0.1:{front.port}", stdin="lad_shop")
    assert str(digest) in docker("pull", image)
    docker("rmi", image)
    front.move(digest, State.REVOKED, why="malware", replaced_by="shop/docker:2")
    until(lambda: not front.shown("shop/docker", digest), "gone")
    refused = docker("pull", image, fails=True)
    assert "malware" in refused
    assert "shop/docker:2" in refused


def certificate(directory: Path) -> tuple[Path, Path]:
    made = directory / "cert.pem", directory / "key.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    subprocess.run(
        [*words, "-subj", "/CN=127.0.0.1", "-out", made[0], "-keyout", made[1]], check=True, capture_output=True
    )
    return made


def test_tls(front: Front, tmp_path: Path) -> None:
    digest = front.push("shop/tls", "1")
    with (
        running_nginx(front.tree, front.registry.pull_port, tls=certificate(tmp_path)) as port,
        httpx.Client(
            base_url=f"https://127.0.0.1:{port}", auth=("shop", "lad_shop"), trust_env=False, verify=False
        ) as client,
    ):
        assert client.get("/v2/shop/tls/manifests/1").headers["Docker-Content-Digest"] == str(digest)
