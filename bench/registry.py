"""The registry beside Debian's docker-registry (and nginx for large files): same machine, same content, same load tool.

GET is measured with wrk and HEAD with ab (wrk waits for the body of a HEAD), 64 connections, the two servers in turn;
the median of the rounds counts. What a tool is missing for is said and left out:
`apt-get install docker-registry wrk apache2-utils nginx-light`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from bench.certificate import write_certificate
from lading.entrypoints.cli.client import ApiClient
from lading.identity.token import new_token
from lading.supply_chain.registry.tree.nginx import Site, whole_configuration

TOOLS: Final = ("wrk", "ab", "docker-registry", "nginx")
CONNECTIONS: Final = 64
SECONDS: Final = int(os.environ.get("BENCH_SECONDS", "3"))
ROUNDS: Final = 3
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
SMALL, LARGE = 1 << 20, 100 << 20
PUSHED_IMAGES, PUSHED_LAYERS, PUSHERS, LAYER_BYTES = 100, 10, 16, 64 << 10
Row = dict[str, Any]


@dataclass
class Place:
    """One running registry, as the load tool sees it."""

    name: str
    url: str
    pid: int
    headers: dict[str, str] = field(default_factory=dict)
    pull: Place | None = None

    @property
    def memory(self) -> int:
        """Resident bytes."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def run() -> list[Row]:
    """All rows, measured on this machine."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        note = f"{', '.join(missing)} missing: apt-get install docker-registry wrk apache2-utils nginx-light"
        return [{"name": "registry, not measured", "value": None, "note": note}]
    rows = []
    for with_tls in (False, True):
        with tempfile.TemporaryDirectory() as directory:
            rows += _measured(Path(directory), with_tls=with_tls)
    return rows


def _measured(home: Path, *, with_tls: bool) -> list[Row]:
    tls = write_certificate(home) if with_tls else None
    label = ", TLS" if with_tls else ""
    with _lading(home / "lading", tls) as ours, _distribution(home / "peer", tls) as theirs:
        assert ours.pull is not None
        contents = {size: os.urandom(size) for size in (SMALL, LARGE)}
        digest = ""
        for place in (ours, theirs):
            digest = _push(_client(place), "bench/image", "1", list(contents.values()))
        ApiClient(ours.headers["api"], ours.headers["token"]).post(
            f"/api/v1/images/{digest}/approve", {"why": "measured", "days": 1}
        )
        rows = []
        paths = {
            "manifest GET by digest": f"/v2/bench/image/manifests/{digest}",
            "manifest GET by tag": "/v2/bench/image/manifests/1",
            "blob GET 1 MB": f"/v2/bench/image/blobs/{_digest(contents[SMALL])}",
        }
        for place, what in ((ours.pull, "pull endpoint"), (ours, "push endpoint")):
            for name, path in paths.items():
                rows.append(_compared(f"{name}, {what}{label}", place, theirs, path))
        rows.append(
            _compared(
                f"manifest HEAD, pull endpoint{label}", ours.pull, theirs, paths["manifest GET by tag"], method="HEAD"
            )
        )
        rows += _through_nginx(ours.pull, theirs, paths, home, tls, label)
        rows += _large(ours.pull, theirs, contents[LARGE], home, tls, label)
        rows += _pushes(ours, theirs, label)
        rows.append(_memory(ours, label))
    return rows


def _compared(name: str, ours: Place, theirs: Place, path: str, *, method: str = "GET") -> Row:
    """Requests a second of both, in turn."""
    taken: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(ROUNDS):
        for whose, place in (("ours", ours), ("theirs", theirs)):
            taken[whose].append(_ab(place, path) if method == "HEAD" else _wrk(place, path))
    mine, peer = (statistics.median(values) for values in taken.values())
    if os.environ.get("BENCH_TELL"):
        sys.stderr.write(f"{name}: {taken}\n")
    note = f"docker-registry {peer:,.0f}/s; {CONNECTIONS} connections, {ROUNDS} rounds of {SECONDS} s in turn"
    return {
        "name": name,
        "value": mine,
        "unit": "requests/s",
        "peer": "docker-registry",
        "ratio": mine / peer,
        "note": note,
    }


def _through_nginx(
    ours: Place, theirs: Place, paths: dict[str, str], home: Path, tls: tuple[Path, Path] | None, label: str
) -> list[Row]:
    """The same requests through nginx over the tree, with the configuration that Lading writes for it."""
    tree, port = home / "lading" / "tree", _free_port()
    home.chmod(0o755)
    site = Site(
        tree=tree, pull=ours.url.partition("://")[2], listen=(f"127.0.0.1:{port}",), tls=tls, pull_tls=tls is not None,
        grants=home / "grants", access_log="off", rate=10_000_000, burst=10_000_000, connections=10_000,
    )  # fmt: skip
    text = whole_configuration(site, user="root", run=home, error_log=str(home / "front.log"))
    (home / "front.conf").write_text(text + "daemon off;\n")
    command = ["nginx", "-c", str(home / "front.conf"), "-e", str(home / "front.log")]
    with (home / "front.out").open("wb") as log, _process(command, dict(os.environ), log) as process:
        _wait(lambda: _listens(port), process, home / "front.log")
        front = Place(
            "nginx over the tree", f"{ours.url.partition('://')[0]}://127.0.0.1:{port}", process.pid, ours.headers
        )
        with _client(front) as client:
            _wait(lambda: _is_from_tree(client, paths), process, home / "front.log")
        return [_compared(f"{name}, nginx over the tree{label}", front, theirs, path) for name, path in paths.items()]


def _is_from_tree(client: httpx.Client, paths: dict[str, str]) -> bool:
    return all("Last-Modified" in client.get(path).headers for path in paths.values())


def _ab(place: Place, path: str) -> float:
    """HEAD requests a second; raises when one failed."""
    command = ["ab", "-i", "-k", "-q", f"-c{CONNECTIONS}", f"-t{SECONDS}", "-n1000000"]
    for key, value in _wire(place).items():
        command += ["-H", f"{key}: {value}"]
    said = subprocess.run([*command, place.url + path], capture_output=True, text=True, check=True)
    found = re.search(r"Requests per second:\s+([\d.]+)", said.stdout)
    if found is None or "Non-2xx" in said.stdout or re.search(r"Failed requests:\s+0\n", said.stdout) is None:
        raise RuntimeError(f"{place.name} {path}: {said.stdout} {said.stderr}")
    return float(found[1])


def _wrk(place: Place, path: str, *, connections: int = CONNECTIONS, seconds: int = SECONDS) -> float:
    """Requests a second that succeeded; raises for any other answer."""
    command = ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s"]
    for key, value in _wire(place).items():
        command += ["-H", f"{key}: {value}"]
    said = subprocess.run([*command, place.url + path], capture_output=True, text=True, check=True)
    if "Non-2xx" in said.stdout or "Socket errors" in said.stdout:
        raise RuntimeError(f"{place.name} {path}: {said.stdout}")
    found = re.search(r"Requests/sec:\s+([\d.]+)", said.stdout)
    assert found is not None, said.stdout
    return float(found[1])


def _large(
    ours: Place, theirs: Place, content: bytes, home: Path, tls: tuple[Path, Path] | None, label: str
) -> list[Row]:
    """100 MB, four clients: bytes a second of all three, in turn."""
    path = f"/v2/bench/image/blobs/{_digest(content)}"
    (home / "files").mkdir()
    home.chmod(0o755)
    (home / "files" / "blob").write_bytes(content)
    (home / "files" / "blob").chmod(0o644)
    with _nginx(home, tls) as static:
        taken: dict[str, list[float]] = {"ours": [], "docker-registry": [], "nginx": []}
        for _ in range(ROUNDS):
            for name, place, where in (
                ("ours", ours, path),
                ("docker-registry", theirs, path),
                ("nginx", static, "/blob"),
            ):
                taken[name].append(_wrk(place, where, connections=4, seconds=SECONDS + 2) * LARGE / 1e6)
    medians = {name: statistics.median(values) for name, values in taken.items()}
    mine = medians.pop("ours")
    return [
        {"name": f"blob GET 100 MB{label}", "value": mine, "unit": "MB/s", "peer": name, "ratio": mine / peer,
         "note": f"{name} {peer:,.0f} MB/s; 4 connections"}
        for name, peer in medians.items()
    ]  # fmt: skip


def _pushes(ours: Place, theirs: Place, label: str) -> list[Row]:
    """Images a second that 16 clients push together: 10 new layers each."""
    taken: dict[str, list[float]] = {"ours": [], "theirs": []}
    for turn in range(ROUNDS):
        for name, place in (("ours", ours), ("theirs", theirs)):
            taken[name].append(_push_many(place, f"turn-{turn}"))
    mine, peer = (statistics.median(values) for values in taken.values())
    what = f"{PUSHED_IMAGES} images of {PUSHED_LAYERS} layers of {LAYER_BYTES >> 10} KiB, {PUSHERS} clients"
    note = f"docker-registry {peer:.1f}/s; {what}"
    return [
        {
            "name": f"image push{label}",
            "value": mine,
            "unit": "images/s",
            "peer": "docker-registry",
            "ratio": mine / peer,
            "note": note,
        }
    ]


def _push_many(place: Place, turn: str) -> float:
    local = threading.local()

    def one(number: int) -> None:
        if not hasattr(local, "client"):
            local.client = _client(place)
        layers = [os.urandom(LAYER_BYTES) for _ in range(PUSHED_LAYERS)]
        _push(local.client, f"bench/{turn}-{number % 8}", str(number), layers)

    start = time.perf_counter()
    with ThreadPoolExecutor(PUSHERS) as pool:
        list(pool.map(one, range(PUSHED_IMAGES)))
    return PUSHED_IMAGES / (time.perf_counter() - start)


def _memory(ours: Place, label: str) -> Row:
    assert ours.pull is not None
    note = f"pull endpoint {ours.pull.memory / 1e6:.0f} MB; after everything above"
    return {"name": f"memory of the push endpoint{label}", "value": ours.memory / 1e6, "unit": "MB", "note": note}


# Clients


def _wire(place: Place) -> dict[str, str]:
    return {"Accept": MANIFEST} | {key: value for key, value in place.headers.items() if key == "Authorization"}


def _client(place: Place) -> httpx.Client:
    return httpx.Client(base_url=place.url, headers=_wire(place), verify=False, timeout=60)


def _push(client: httpx.Client, repository: str, tag: str, layers: list[bytes]) -> str:
    """Push an image of these layers as clients do; returns its digest."""
    config = json.dumps({"architecture": "amd64", "os": "linux", "layers": [_digest(layer) for layer in layers]})
    for content in (*layers, config.encode()):
        answer = client.post(f"/v2/{repository}/blobs/uploads/")
        answer.raise_for_status()
        location = answer.headers["location"]
        mark = "&" if "?" in location else "?"
        put = client.put(
            f"{location}{mark}digest={_digest(content)}",
            content=content,
            headers={"Content-Type": "application/octet-stream"},
        )
        put.raise_for_status()
    document = {
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": _part("application/vnd.oci.image.config.v1+json", config.encode()),
        "layers": [_part("application/vnd.oci.image.layer.v1.tar+gzip", layer) for layer in layers],
    }  # fmt: skip
    body = json.dumps(document).encode()
    client.put(f"/v2/{repository}/manifests/{tag}", content=body, headers={"Content-Type": MANIFEST}).raise_for_status()
    return _digest(body)


def _part(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


# Servers


@contextlib.contextmanager
def _lading(home: Path, tls: tuple[Path, Path] | None) -> Iterator[Place]:
    home.mkdir()
    ports = {name: _free_port() for name in ("push", "pull", "api")}
    token = new_token()
    (home / "token").write_text(token + "\n")
    (home / "token").chmod(0o600)
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(home), "NO_COLOR": "1", "LADING_DATA": str(home / "data"),
        "LADING_ADMIN_TOKEN_FILE": str(home / "token"), "LADING_PRIVATE_ENGINE": "false", "LADING_LOG_LEVEL": "error",
        "LADING_TREE": str(home / "tree"),
        **{f"LADING_{name.upper()}_ADDR": f"127.0.0.1:{port}" for name, port in ports.items()},
    }  # fmt: skip
    if tls is not None:
        environment |= {"LADING_TLS_CERT": str(tls[0]), "LADING_TLS_KEY": str(tls[1])}
    command = [sys.executable, "-m", "lading.entrypoints.cli.main", "up"]
    scheme = "https" if tls else "http"
    with (home / "log").open("wb") as log, _process(command, environment, log) as process:
        _wait(lambda: (home / "data" / "run" / "ready").exists(), process, home / "log")
        api = f"http://127.0.0.1:{ports['api']}"
        client = ApiClient(api, token)
        client.post("/api/v1/teams", {"team": "bench"})
        robot = client.post("/api/v1/teams/bench/robots", {"name": "robot"})
        basic = "Basic " + b64encode(f"bench/robot:{robot['token']}".encode()).decode()
        roles = _children(process.pid)
        headers = {"Authorization": basic, "api": api, "token": token}
        pull = Place("Lading, pull", f"{scheme}://127.0.0.1:{ports['pull']}", roles["pull"], headers)
        yield Place("Lading, push", f"{scheme}://127.0.0.1:{ports['push']}", roles["push"], headers, pull)


@contextlib.contextmanager
def _distribution(home: Path, tls: tuple[Path, Path] | None) -> Iterator[Place]:
    home.mkdir()
    port = _free_port()
    text = (
        "version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\n"
        f"storage:\n  filesystem:\n    rootdirectory: {home}/blobs\nhttp:\n  addr: 127.0.0.1:{port}\n"
    )
    if tls is not None:
        text += f"  tls:\n    certificate: {tls[0]}\n    key: {tls[1]}\n"
    (home / "config.yml").write_text(text)
    command = ["docker-registry", "serve", str(home / "config.yml")]
    with (home / "log").open("wb") as log, _process(command, dict(os.environ), log) as process:
        _wait(lambda: _listens(port), process, home / "log")
        yield Place("docker-registry", f"{'https' if tls else 'http'}://127.0.0.1:{port}", process.pid)


@contextlib.contextmanager
def _nginx(home: Path, tls: tuple[Path, Path] | None) -> Iterator[Place]:
    port = _free_port()
    secure = f" ssl; ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]}" if tls else ""
    (home / "nginx.conf").write_text(
        f"daemon off; worker_processes 2; pid {home}/nginx.pid; error_log {home}/nginx.log;\n"
        "events { worker_connections 512; }\n"
        f"http {{ access_log off; sendfile on; server {{ listen 127.0.0.1:{port}{secure}; root {home}/files; }} }}\n"
    )
    with (home / "nginx.out").open("wb") as log:
        command = ["nginx", "-c", str(home / "nginx.conf"), "-e", str(home / "nginx.log")]
        with _process(command, dict(os.environ), log) as process:
            _wait(lambda: _listens(port), process, home / "nginx.log")
            yield Place("nginx", f"{'https' if tls else 'http'}://127.0.0.1:{port}", process.pid)


@contextlib.contextmanager
def _process(command: list[str], environment: dict[str, str], log: Any) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def _children(parent: int) -> dict[str, int]:
    found = {}
    for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        found[Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[-2].decode()] = int(pid)
    return found


def _wait(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(log.read_text()[-2000:])
        time.sleep(0.05)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
