"""100,000 images of 20 layers each, 2 million blobs, in the database of a real server; asked over HTTP.

The rows are written straight into the database: what is measured is finding them again. Compared with the same server
and the same questions when it holds 100 images. `BENCH_IMAGES` changes how many.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import httpx

from lading.entrypoints.cli.client import ApiClient
from lading.identity.token import new_token

IMAGES: Final = int(os.environ.get("BENCH_IMAGES", "100000"))
FEW: Final = 100
LAYERS, PER_REPOSITORY, ASKED, STARTS = 20, 100, 400, 4
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
LAYER: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
NOW: Final = "2026-01-01T00:00:00.{:09}Z"
Row = dict[str, Any]
Question = Callable[[httpx.Client, random.Random], tuple[str, str]]


def run() -> list[Row]:
    """All rows, measured on this machine."""
    few, many = _measured(FEW), _measured(IMAGES)
    rows = []
    for name, value in many.items():
        unit = "s" if name == "server start" else "MB" if name.startswith("memory") else "ms"
        ratio = value[0] / few[name][0] if few[name][0] else None
        note = f"{value[1]}; with {FEW} images {few[name][0]:.3g} {unit}"
        rows.append(
            {"name": name, "value": value[0], "unit": unit, "peer": f"{FEW} images", "ratio": ratio, "note": note}
        )
    return rows


def _measured(count: int) -> dict[str, tuple[float, str]]:
    with tempfile.TemporaryDirectory() as directory:
        server = _Server(Path(directory))
        with server.running():
            secret = _robot(server)
        seconds = _fill(server.home / "data" / "lading.db", count)
        found: dict[str, tuple[float, str]] = {}
        starts = []
        for _ in range(STARTS):
            with server.running() as started:
                starts.append(started)
        with server.running() as started:
            first = f"the first after filling the database {starts[0]:.2f} s"
            size = f"{count:,} images, {count * LAYERS:,} blobs, filled in {seconds:.0f} s"
            found["server start"] = (statistics.median([*starts, started]), f"{size}; {first}")
            for name, (base, auth, ask) in _questions(server, count, secret).items():
                with httpx.Client(base_url=base, auth=auth, timeout=60, trust_env=False) as client:
                    if base == server.api:
                        client.headers["Authorization"] = f"Bearer {server.token}"
                    found[name] = _asked(client, ask)
            memory = server.memory()
        whole = ", ".join(f"{name} {resident:.0f}" for name, (resident, _share) in memory.items())
        found["memory of the largest process"] = (max(one for one, _share in memory.values()), f"resident: {whole}")
        found["memory of all processes"] = (
            sum(share for _one, share in memory.values()),
            "what they share counts once",
        )
    return found


def _questions(server: _Server, count: int, secret: str) -> dict[str, tuple[str, tuple[str, str] | None, Question]]:
    robot = ("bench/robot", secret)

    def manifest(_client: httpx.Client, chance: random.Random) -> tuple[str, str]:
        number = _approved(chance, count)
        return "HEAD", f"/v2/{_repository(number)}/manifests/v{number}"

    def referrers(_client: httpx.Client, chance: random.Random) -> tuple[str, str]:
        number = _approved(chance, count)
        return "GET", f"/v2/{_repository(number)}/referrers/{_digest('m', number)}"

    def tags(_client: httpx.Client, chance: random.Random) -> tuple[str, str]:
        return "GET", f"/v2/{_repository(chance.randrange(count))}/tags/list?n=100"

    def path(text: str) -> Question:
        return lambda _client, _chance: ("GET", text)

    def deep(_client: httpx.Client, chance: random.Random) -> tuple[str, str]:
        number = chance.randrange(count)
        after = f"{NOW.format(number)} {_digest('m', number)} {_repository(number)}"
        return "GET", f"/api/v1/images?{urlencode({'limit': 50, 'after': after})}"

    pull, push = f"http://{server.pull}", f"http://{server.push}"
    return {
        "tag resolved (pull endpoint), median": (pull, robot, manifest),
        "referrers (pull endpoint), median": (pull, robot, referrers),
        "100 tags (pull endpoint), median": (pull, robot, tags),
        "100 repositories (push endpoint), median": (push, robot, path("/v2/_catalog?n=100")),
        "50 images (API), median": (server.api, None, path("/api/v1/images?limit=50")),
        "50 images, page in the middle, median": (server.api, None, deep),
        "50 revoked images, median": (server.api, None, path("/api/v1/images?limit=50&state=revoked")),
        "images found by name, median": (server.api, None, path("/api/v1/images?limit=50&q=team7/app1")),
        "50 repositories with counts (API), median": (server.api, None, path("/api/v1/repositories?limit=50")),
    }


def _asked(client: httpx.Client, ask: Question) -> tuple[float, str]:
    """The median of one question asked of one place by one client, in milliseconds, and the worst percent."""
    chance, taken = random.Random(7), []
    for turn in range(ASKED + 20):
        method, url = ask(client, chance)
        start = time.perf_counter()
        answer = client.request(method, url, headers={"Accept": MANIFEST} if "/manifests/" in url else {})
        if turn >= 20:
            taken.append((time.perf_counter() - start) * 1e3)
        assert answer.status_code == 200, (url, answer.status_code, answer.text[:300])
    return statistics.median(taken), f"p99 {sorted(taken)[int(len(taken) * 0.99)]:.1f} ms of {ASKED}"


def _robot(server: _Server) -> str:
    client = ApiClient(server.api, server.token)
    client.post("/api/v1/teams", {"team": "bench"})
    secret = str(client.post("/api/v1/teams/bench/robots", {"name": "robot"})["token"])
    client.close()
    return secret


# What the database is filled with


def _digest(kind: str, number: int) -> str:
    return f"sha256:{ord(kind):02x}{number:030x}{number * 2654435761 % (1 << 32):032x}"


def _repository(number: int) -> str:
    group = number // PER_REPOSITORY
    return f"team{group % 50}/app{group}"


def _state(number: int) -> str:
    return "revoked" if number % 100 == 99 else "quarantined" if number % 25 == 7 else "approved"


def _approved(chance: random.Random, count: int) -> int:
    while _state(number := chance.randrange(count)) != "approved":
        pass
    return number


def _fill(path: Path, count: int) -> float:
    start = time.perf_counter()
    database = sqlite3.connect(path)
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-400000", "foreign_keys=OFF"):
        database.execute(f"PRAGMA {pragma}")
    names = sorted({_repository(number) for number in range(count)})
    _insert(database, "registry_namespaces", ("name", "team", "created"),
            ((f"team{number}", "bench", NOW.format(0)) for number in range(50)))  # fmt: skip
    _insert(database, "registry_repositories", ("name", "team", "created", "visibility", "bytes"),
            ((name, "bench", NOW.format(0), "internal", 10**9) for name in names))  # fmt: skip
    _insert(database, "registry_manifests", (
        "repository", "digest", "media_type", "size", "content_size", "config", "runnable", "team", "principal",
        "commit", "pipeline", "pushed", "refers_to", "served_with", "artifact_type"), _manifests(count))  # fmt: skip
    _insert(database, "registry_tags", ("repository", "tag", "digest", "moved", "folded"),
            ((_repository(n), f"v{n}", _digest("m", n), NOW.format(n), f"v{n}") for n in range(count)))  # fmt: skip
    _insert(database, "registry_states", ("digest", "state", "who", "why", "since", "decision"),
            ((_digest("m", n), _state(n), "system:bench", "a benchmark", NOW.format(n), "d")
             for n in range(count)))  # fmt: skip
    _insert(database, "registry_parts", ("manifest", "role", "position", "digest", "media_type", "size"),
            ((_digest("m", n), "layer", at, _digest("b", n * LAYERS + at), LAYER, 10**6)
             for n in range(count) for at in range(LAYERS)))  # fmt: skip
    _insert(
        database,
        "registry_blob_links",
        ("repository", "digest", "size", "linked"),
        ((_repository(n // LAYERS), _digest("b", n), 10**6, NOW.format(0)) for n in range(count * LAYERS)),
    )
    _insert(database, "registry_blobs", ("digest", "size", "stored", "generation"),
            ((_digest("b", n), 10**6, NOW.format(n), "0") for n in range(count * LAYERS)))  # fmt: skip
    _insert(database, "registry_layer_origins", ("layer", "image", "repository", "team"),
            ((_digest("b", n), _digest("m", n // LAYERS), _repository(n // LAYERS), "bench")
             for n in range(count * LAYERS)))  # fmt: skip
    database.commit()
    database.execute("PRAGMA journal_mode=WAL")
    database.close()
    return time.perf_counter() - start


def _manifests(count: int) -> Iterator[tuple[Any, ...]]:
    """Images, and for every tenth a signature and an attestation."""
    for n in range(count):
        whose = ("bench", "robot:bench/robot", "4f2a", "bench", NOW.format(n))
        yield (_repository(n), _digest("m", n), MANIFEST, 2_000, 20 * 10**6, "", True, *whose, "", "", "")
        for kind in ("s", "t") if n % 10 == 0 else ():
            subject = _digest("m", n)
            yield (_repository(n), _digest(kind, n), MANIFEST, 900, 2_000, "", False, *whose, subject, subject, "x/y")


def _insert(
    database: sqlite3.Connection, table: str, columns: tuple[str, ...], rows: Iterator[tuple[Any, ...]]
) -> None:
    named = ", ".join(f'"{column}"' for column in columns)
    marks = ", ".join("?" * len(columns))
    database.executemany(f"INSERT INTO {table} ({named}) VALUES ({marks})", rows)
    database.commit()


# The server


class _Server:
    """`lading up` on a home of its own, without an engine."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.token = new_token()
        (home / "token").write_text(self.token + "\n")
        (home / "token").chmod(0o600)
        self.push, self.pull, api = (f"127.0.0.1:{_free_port()}" for _ in range(3))
        self.api = f"http://{api}"
        self._environment = {
            "PATH": os.environ["PATH"], "HOME": str(home), "LADING_DATA": str(home / "data"),
            "LADING_PUSH_ADDR": self.push, "LADING_PULL_ADDR": self.pull, "LADING_API_ADDR": api,
            "LADING_ADMIN_TOKEN_FILE": str(home / "token"), "LADING_ENGINE": "unix:///nonexistent/docker.sock",
        }  # fmt: skip
        self._pid = 0

    @contextmanager
    def running(self) -> Iterator[float]:
        """The server until the block ends; gives the seconds that it took to be ready."""
        ready = self.home / "data" / "run" / "ready"
        ready.unlink(missing_ok=True)
        start = time.perf_counter()
        with (self.home / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "lading.entrypoints.cli.main", "up"],
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        self._pid = process.pid
        try:
            while not ready.exists():
                if process.poll() is not None or time.perf_counter() - start > 300:
                    raise RuntimeError((self.home / "log").read_text()[-2000:])
                time.sleep(0.01)
            yield time.perf_counter() - start
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)

    def memory(self) -> dict[str, tuple[float, float]]:
        """Megabytes of each process by role: resident, and its share of what is resident."""
        found = {"supervisor": _memory(self._pid)}
        for task in Path(f"/proc/{self._pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                words = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
                role = next((word for word in reversed(words) if word in ("push", "pull", "api", "worker")), child)
                found[role] = _memory(int(child))
        return found


def _memory(pid: int) -> tuple[float, float]:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    sizes = {line.split()[0]: int(line.split()[1]) / 1e3 for line in lines}
    return sizes["Rss:"], sizes["Pss:"]


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
