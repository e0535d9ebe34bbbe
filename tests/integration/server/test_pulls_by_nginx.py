"""A whole server with nginx before it, configured by its own command: approved, counted, revoked, locked out."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from e2e.conftest import Server, free_port, until
from nginx_server import NEEDS_NGINX, NGINX
from pushing import Pusher

pytestmark = NEEDS_NGINX


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that the user of nginx can reach, on the file system of the data."""
    made = Path(tempfile.mkdtemp(prefix="lading-tree-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def configuration(server: Server, place: Path, port: int) -> Path:
    file = place / "nginx.conf"
    words = ("--whole", "--listen", f"127.0.0.1:{port}", "--access-log", "off", "--grants", str(place / "grants"))
    done = server.cli("registry", "nginx", *words, "--file", str(file))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    text = file.read_text().replace("/run/nginx.pid", str(place / "pid")).replace("/var/log/nginx", str(place))
    file.write_text(text + "daemon off;\n")
    tried = subprocess.run([NGINX, "-t", "-c", file, "-e", place / "log"], capture_output=True, text=True)
    assert tried.returncode == 0, tried.stderr
    return file


def test_from_approval_to_revocation_through_nginx(new_server: Callable[..., Server], place: Path) -> None:
    server = new_server(
        LADING_TREE=str(place / "tree"), LADING_TREE_GROUP="www-data", LADING_TRUSTED_PROXIES="127.0.0.1/32"
    )
    server.start()
    port = free_port()
    nginx = subprocess.Popen([NGINX, "-c", configuration(server, place, port), "-e", place / "log"])
    try:
        _story(server, f"http://127.0.0.1:{port}", place / "tree")
    finally:
        nginx.terminate()
        nginx.wait()


def _story(server: Server, address: str, tree: Path) -> None:
    server.client.post("/api/v1/teams", {"team": "shop"})
    token = server.client.post("/api/v1/teams/shop/robots", {"name": "ci"})["token"]
    other = server.client.post("/api/v1/teams/shop/robots", {"name": "other"})
    pusher = Pusher(server.push, "shop/ci", token)
    image = pusher.push("shop/web", "1")
    pusher.close()
    # Judged first by rules that don't take it, then approved by hand.
    until(lambda: server.client.get(f"/api/v1/images/{image.digest}")["decision"] or None)
    server.client.post(f"/api/v1/images/{image.digest}/approve", {"why": "tried", "days": 1})
    until(lambda: (tree / "_served/shop/web/_tags/1").is_file() or None)
    shown = until(lambda: ((done := server.cli("registry", "tree", "status")).returncode == 0 and done) or None)
    assert "yes" in shown.stdout

    with httpx.Client(base_url=address, auth=("shop/ci", token), trust_env=False, timeout=60) as ci:
        answer = until(lambda: _from_tree(ci, "/v2/shop/web/manifests/1"))
        assert (answer.status_code, answer.headers["Docker-Content-Digest"]) == (200, image.digest)
        _with_a_token(address, ci, "/v2/shop/web/manifests/1")
        until(lambda: _pulled(server))
        with httpx.Client(base_url=address, auth=("shop/other", other["token"]), trust_env=False) as locked:
            assert locked.get("/v2/shop/web/manifests/1").status_code == 200
            tokens = [
                row["id"] for row in server.client.get("/api/v1/tokens") if row["principal"] == other["principal"]
            ]
            server.client.delete(f"/api/v1/tokens/{tokens[0]}")
            until(lambda: locked.get("/v2/shop/web/manifests/1").status_code == 401 or None)
        server.client.post(f"/api/v1/images/{image.digest}/revoke", {"why": "malware", "replaced_by": "shop/web:2"})
        refused = until(lambda: _refusal(ci, f"/v2/shop/web/manifests/{image.digest}"))
        assert "malware" in refused
        assert "shop/web:2" in refused
        until(lambda: _told(server, image.digest))
    # SQLite opens its log and the index of it like this for readers too; the database itself it does not.
    assert [name for name in _open_to_write(server) if not name.endswith(("-wal", "-shm", ".jsonl"))] == []
    assert server.cli("registry", "tree", "verify").returncode == 0
    (tree / "_served/shop/web/_list").unlink()
    assert server.cli("registry", "tree", "verify").returncode == 9
    assert server.cli("registry", "tree", "rebuild").returncode == 0
    assert server.cli("registry", "tree", "verify").returncode == 0
    until(lambda: "lading_tree_fresh 1" in httpx.get(f"{server.api}/metrics", trust_env=False).text or None)


def _open_to_write(server: Server) -> list[str]:
    """The files of the server that its pull endpoint has open to be written."""
    assert server._process is not None
    children = Path(f"/proc/{server._process.pid}/task/{server._process.pid}/children").read_text().split()
    pull = next(pid for pid in children if b"\0pull\0" in Path(f"/proc/{pid}/cmdline").read_bytes())
    found = []
    for descriptor in Path(f"/proc/{pull}/fd").iterdir():
        flags = int(Path(f"/proc/{pull}/fdinfo/{descriptor.name}").read_text().split("flags:")[1].split()[0], 8)
        if flags & (os.O_WRONLY | os.O_RDWR) and str(descriptor.readlink()).startswith(str(server.home / "data")):
            found.append(descriptor.readlink().name)
    return found


def _with_a_token(address: str, client: httpx.Client, path: str) -> None:
    """As clients do: ask without a proof, get a token where the challenge says, ask with it."""
    with httpx.Client(base_url=address, trust_env=False) as bearer:
        challenge = bearer.get(path).headers["WWW-Authenticate"]
        assert f'realm="{address}/v2/token"' in challenge
        wanted = {"service": challenge.split('service="')[1].split('"')[0], "scope": "repository:shop/web:pull"}
        bearer.headers["Authorization"] = "Bearer " + client.get("/v2/token", params=wanted).json()["token"]
        until(lambda: _from_tree(bearer, path))


def _from_tree(client: httpx.Client, path: str) -> httpx.Response | None:
    answer = client.get(path)
    return answer if "Last-Modified" in answer.headers else None


def _pulled(server: Server) -> bool | None:
    rows = server.client.get("/api/v1/repositories")
    return any(row["repository"] == "shop/web" and row["pulls"] for row in rows) or None


def _refusal(client: httpx.Client, path: str) -> str | None:
    answer = client.get(path)
    return str(answer.json()["errors"][0]["message"]) if answer.status_code == 403 else None


def _told(server: Server, digest: str) -> Any:
    return server.client.get("/api/v1/ledger", kind="image.pull-refused", subject=f"image:{digest}") or None
