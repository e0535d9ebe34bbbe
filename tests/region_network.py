"""Three Ladings as three regions: real servers, each in a network namespace of its own, joined by a bridge in a fourth.

Nothing of the machine's own network is touched. What a test asks of a region it asks from inside that region's
namespace, so it can go on talking to one that is cut off from the others.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from lading.identity.token import new_token
from lading.kernel.digest import Digest

CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
Result = TypeVar("Result")


def unusable() -> str:
    """Why namespaces cannot be had here; empty when they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "there is no `ip`; apt-get install iproute2"
    probe = f"lading-probe-{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", probe], check=False, capture_output=True).returncode != 0:
        return "this machine makes no network namespaces"
    subprocess.run(["ip", "netns", "delete", probe], check=True)
    return ""


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@contextmanager
def joined(names: list[str]) -> Iterator[dict[str, Link]]:
    """A namespace for each name, all on one bridge."""
    mark = f"ld{os.getpid() % 100_000}"
    switch, made = f"{mark}-switch", []
    try:
        _ip("netns", "add", switch)
        made.append(switch)
        _ip("-n", switch, "link", "add", "br0", "type", "bridge")
        _ip("-n", switch, "link", "set", "br0", "up")
        links = {}
        for number, name in enumerate(names, 2):
            space = f"{mark}-{name}"
            _ip("netns", "add", space)
            made.append(space)
            _ip("-n", switch, "link", "add", f"to-{number}", "type", "veth", "peer", "name", "eth0", "netns", space)
            _ip("-n", switch, "link", "set", f"to-{number}", "master", "br0", "up")
            _ip("-n", space, "addr", "add", f"10.77.0.{number}/24", "dev", "eth0")
            _ip("-n", space, "link", "set", "lo", "up")
            _ip("-n", space, "link", "set", "eth0", "up")
            links[name] = Link(space, switch, f"to-{number}", f"10.77.0.{number}")
        yield links
    finally:
        for space in made:
            subprocess.run(["ip", "netns", "delete", space], check=False, capture_output=True)


@dataclass(frozen=True)
class Link:
    """A region's place in the network."""

    space: str
    switch: str
    port: str
    address: str

    def cut(self) -> None:
        """Pull the plug."""
        _ip("-n", self.switch, "link", "set", self.port, "down")

    def heal(self) -> None:
        """Put it in again."""
        _ip("-n", self.switch, "link", "set", self.port, "up")

    def slow(self, milliseconds: int) -> None:
        """Make everything that this region sends arrive later."""
        subprocess.run(
            ["tc", "-n", self.space, "qdisc", "replace", "dev", "eth0", "root", "netem", "delay", f"{milliseconds}ms"],
            check=True, capture_output=True,
        )  # fmt: skip


@dataclass
class RegionServer:
    """`lading up` as one region."""

    name: str
    home: Path
    link: Link
    token: str = field(default_factory=new_token)
    robot: str = ""

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True)
        token_file = self.home / "token"
        token_file.write_text(self.token + "\n")
        token_file.chmod(0o600)
        self.api, self.push = f"http://{self.link.address}:8080", f"http://{self.link.address}:5000"
        self.log = self.home / "server.log"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "NO_COLOR": "1",
            "LADING_DATA": str(self.home / "data"),
            "LADING_REGION": self.name,
            "LADING_PUSH_ADDR": f"{self.link.address}:5000",
            "LADING_PULL_ADDR": f"{self.link.address}:5001",
            "LADING_API_ADDR": f"{self.link.address}:8080",
            "LADING_API": self.api,
            "LADING_TOKEN": self.token,
            "LADING_ADMIN_TOKEN_FILE": str(token_file),
            "LADING_PRIVATE_ENGINE": "false",
            "LADING_ENGINE": "unix:///nonexistent/docker.sock",
            "LADING_MIN_FREE_MEGABYTES": "10",
            "LADING_LOG_LEVEL": "warning",
        }
        self._inside = ThreadPoolExecutor(16, initializer=_enter, initargs=(self.link.space,))
        self._http = httpx.Client(timeout=60, trust_env=False)
        self._process: subprocess.Popen[bytes] | None = None

    # The process

    def start(self) -> None:
        """Start it, without waiting."""
        (self.home / "data" / "run" / "ready").unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["ip", "netns", "exec", self.link.space, sys.executable, "-m", "lading.entrypoints.cli.main", "up"],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def wait(self) -> None:
        """Wait until it is ready."""
        assert self._process is not None
        deadline = time.monotonic() + 180
        while not (self.home / "data" / "run" / "ready").exists():
            assert self._process.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(0.05)

    def kill(self) -> None:
        """kill -9 of the supervisor; everything else of it dies with it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """End it."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._http.close()
        self._inside.shutdown()

    # What is asked of it

    def inside(self, work: Callable[[], Result]) -> Result:
        """Do something from inside the region's namespace."""
        return self._inside.submit(work).result()

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """One request to the API; the answer as JSON."""
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = self.inside(lambda: self._http.request(method, self.api + path, headers=headers, **options))
        assert answer.is_success, f"{self.name} {method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def command(self, *arguments: str, secret: str = "", check: bool = True) -> str:
        """`lading …` from inside the region."""
        ended = subprocess.run(
            ["ip", "netns", "exec", self.link.space, sys.executable, "-m", "lading.entrypoints.cli.main", *arguments],
            env=self.environment | ({"LADING_REPLICATION_SECRET": secret} if secret else {}),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert not check or ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def registry(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request to the push endpoint as the team's robot."""
        url = path if path.startswith("http") else self.push + path
        auth = httpx.BasicAuth("robot", self.robot)
        return self.inside(lambda: self._http.request(method, url, auth=auth, **options))

    def push_image(self, repository: str, tag: str, *layers: bytes, base: bytes = b"") -> str:
        """Push an image; returns its digest. What was acknowledged must never be lost."""
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Labels": {"n": tag}}}).encode()
        parts = [config, *([base] if base else []), *layers]
        for content in parts:
            digest = Digest.of(content)
            answer = self.registry("POST", f"/v2/{repository}/blobs/uploads/?digest={digest}", content=content)
            assert answer.status_code == 201, answer.text
        described = [
            {"mediaType": kind, "digest": str(Digest.of(content)), "size": len(content)}
            for kind, content in zip([CONFIG_TYPE, *[LAYER_TYPE] * len(parts)], parts, strict=False)
        ]
        body = json.dumps(
            {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": described[0], "layers": described[1:]}
        ).encode()
        answer = self.registry(
            "PUT", f"/v2/{repository}/manifests/{tag}", content=body, headers={"Content-Type": MANIFEST_TYPE}
        )
        assert answer.status_code == 201, answer.text
        return str(Digest.of(body))

    def approve(self, digest: str) -> None:
        """Approve an image by hand, after the region's own judgement of it."""
        wait_until(lambda: bool((self.state(digest) or {}).get("decision")), 60, "the image is judged")
        self.ask("POST", f"/api/v1/images/{digest}/approve", json={"why": "looked at by hand"})

    def status(self) -> dict[str, dict[str, Any]]:
        """How its targets stand, by name."""
        return {row["target"]: row for row in self.ask("GET", "/api/v1/replication/status")["targets"]}

    def state(self, digest: str) -> dict[str, Any] | None:
        """Where an image stands, with nothing asked of the server."""
        rows = self._select("SELECT * FROM registry_states WHERE digest = ?", digest)
        return rows[0] if rows else None

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Rows straight from its database."""
        return self._select(query)

    def _select(self, query: str, *values: str) -> list[dict[str, Any]]:
        with sqlite3.connect(f"file:{self.home / 'data' / 'lading.db'}?mode=ro", uri=True, timeout=30) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(query, values)]


def _enter(space: str) -> None:
    """Put the thread that calls into a network namespace."""
    with Path(f"/run/netns/{space}").open("rb") as handle:
        if _libc.setns(handle.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")


def trust_all(servers: list[RegionServer], *, rate_kib: int = 0) -> None:
    """Everybody accepts and copies to everybody, by the command line."""
    tokens: dict[tuple[str, str], str] = {}
    for one in servers:
        key = one.home / "region.pem"
        key.write_text(one.command("registry", "replicate", "key"))
        for other in servers:
            if other is not one:
                said = other.command("registry", "replicate", "accept", one.name, "--key", str(key))
                tokens[one.name, other.name] = said.strip()
    for one in servers:
        for other in servers:
            if other is not one:
                arguments = ["registry", "replicate", "add", other.api, "--push", other.push, "--rate", str(rate_kib)]
                one.command(*arguments, secret=tokens[one.name, other.name])


def make_team(server: RegionServer, team: str) -> None:
    """A team with a robot that the server's pushes go by."""
    server.ask("POST", "/api/v1/teams", json={"team": team})
    server.robot = server.ask("POST", f"/api/v1/teams/{team}/robots", json={"name": "ci", "days": 1})["token"]


def holdings(server: RegionServer) -> dict[str, Any]:
    """Every tag, manifest, referrer, blob and state of a region, as its database has them."""
    found: dict[str, Any] = {
        "tags": {(r["repository"], r["tag"]): r["digest"] for r in server.rows("SELECT * FROM registry_tags")},
        "manifests": {
            (r["repository"], r["digest"], r["refers_to"], r["served_with"], r["team"])
            for r in server.rows("SELECT * FROM registry_manifests")
        },
        "blobs": {
            (r["repository"], r["digest"], r["size"])
            for r in server.rows(
                "SELECT l.repository, l.digest, l.size FROM registry_blob_links l WHERE EXISTS (SELECT 1 FROM "
                "registry_parts p JOIN registry_manifests m ON m.digest = p.manifest WHERE p.digest = l.digest "
                "AND m.repository = l.repository)"
            )
        },
        "states": {},
    }
    for row in server.rows("SELECT * FROM registry_states"):
        who = row["who"] if row["who"].startswith("region:") else f"region:{server.name}/{row['who']}"
        found["states"][row["digest"]] = (row["state"], who, row["why"], row["until"], row["replaced_by"])
    return found


def stored_whole(server: RegionServer) -> int:
    """Read every blob that the region says it has, and check its digest; returns how many there were."""
    digests = {digest for _, digest, _ in holdings(server)["blobs"]}
    files = {path.name: path for path in (server.home / "data" / "registry").rglob("*") if path.is_file()}
    for digest in digests:
        with files[digest.partition(":")[2]].open("rb") as stream:
            assert f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}" == digest
    return len(digests)


def wait_until(what: Callable[[], bool], seconds: float, doing: str) -> float:
    """Wait for something; returns how long it took."""
    started = time.monotonic()
    while not what():
        assert time.monotonic() - started < seconds, f"not within {seconds} s: {doing}"
        time.sleep(0.1)
    return time.monotonic() - started
