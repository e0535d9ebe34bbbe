"""Telemetry figures: lines and samples in, bytes on disk against gzip, questions answered; the cost of a drift look."""

from __future__ import annotations

import gzip
import hashlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lading.observability.collect.frames import FramedReader
from lading.observability.query import Telemetry
from lading.observability.store import LogLine, Sample
from lading.observability.store.parquet import ParquetTelemetryReader, ParquetTelemetryStore
from lading.runtime_security.containers import RunningContainer
from lading.runtime_security.sense.image_files import ImageFile, MemoryImageFiles
from lading.runtime_security.sense.processes import ProcessSense

LINES = 400_000
APPEND = 10_000
CONTAINERS = 20
NOON = 1_790_000_000_000_000
_PATHS = ("/", "/cart", "/products/shoe", "/products/hat", "/checkout", "/health", "/static/app.css")
_AGENTS = ("Mozilla/5.0 (X11; Linux x86_64)", "curl/7.88.1", "kube-probe/1.31")


def run() -> list[dict[str, Any]]:
    """All rows, measured on this machine."""
    with tempfile.TemporaryDirectory() as directory:
        return [_parsing(), *_store(Path(directory)), *_drift()]


def _row(name: str, value: float, unit: str, note: str, peer: str = "", ratio: float | None = None) -> dict[str, Any]:
    return {"name": name, "value": round(value, 3), "unit": unit, "peer": peer, "ratio": ratio, "note": note}


def _access_log(count: int) -> list[str]:
    """Lines like those of a web server: made here, since no real log may be shipped."""
    chance = random.Random(11)
    lines = []
    for number in range(count):
        address = f"10.{chance.randrange(4)}.{chance.randrange(256)}.{chance.randrange(256)}"
        path, status = chance.choice(_PATHS), chance.choice((200, 200, 200, 200, 304, 404, 500))
        lines.append(
            f"{address} - - [21/Sep/2026:12:{number // 60 % 60:02}:{number % 60:02} +0000] "
            f'"GET {path} HTTP/1.1" {status} '
            f'{chance.randrange(100, 90_000)} "-" "{chance.choice(_AGENTS)}" rt={chance.random():.3f}'
        )
    return lines


def _parsing() -> dict[str, Any]:
    texts = _access_log(100_000)
    payloads = [b"2026-09-21T12:00:00.123456789Z " + text.encode() + b"\n" for text in texts]
    stream = b"".join(b"\x01\0\0\0" + len(one).to_bytes(4, "big") + one for one in payloads)
    start = time.perf_counter()
    reader = FramedReader()
    count = sum(1 for at in range(0, len(stream), 65_536) for _ in reader.feed(stream[at : at + 65_536]))
    assert count == len(texts)
    return _row(
        "log lines read from the engine's stream", count / (time.perf_counter() - start), "lines/s", "one thread"
    )


def _store(directory: Path) -> list[dict[str, Any]]:
    texts = _access_log(LINES)
    identities = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(CONTAINERS)]
    lines = [
        LogLine(
            identities[number % CONTAINERS],
            f"shop-web-{number % CONTAINERS}",
            f"shop/web{number % CONTAINERS}",
            "shop",
            "stdout",
            NOON + number * 1_000,
            0,
            text,
        )
        for number, text in enumerate(texts)
    ]
    store = ParquetTelemetryStore(directory)
    start = time.perf_counter()
    for at in range(0, LINES, APPEND):
        store.append(lines[at : at + APPEND], [])
    appended = time.perf_counter() - start
    start = time.perf_counter()
    parts = store.compact()
    compacted = time.perf_counter() - start
    samples = [
        Sample(
            who,
            "n",
            f"shop/web{index}",
            "shop",
            NOON + step * 2_000_000,
            step * 0.1,
            5.0,
            50 << 20,
            64 << 20,
            step,
            step,
            5,
            0,
        )
        for index, who in enumerate(identities)
        for step in range(1_800)
    ]
    start = time.perf_counter()
    store.append([], samples)
    sampled = time.perf_counter() - start
    rows = [
        _row("log lines kept durably", LINES / appended, "lines/s", f"appends of {APPEND:,} lines, each fsynced"),
        _row("samples kept durably", len(samples) / sampled, "samples/s", "an hour of 20 containers in one append"),
        _row("small parts compacted", parts / compacted, "parts/s", f"{parts} parts, {compacted:.2f} s"),
        *_sizes(directory, texts),
        *_questions(Telemetry(ParquetTelemetryReader(directory))),
    ]
    store.close()
    return rows


def _sizes(directory: Path, texts: list[str]) -> list[dict[str, Any]]:
    raw = "\n".join(texts).encode()
    squeezed = len(gzip.compress(raw, 6))
    kept = sum(path.stat().st_size for path in (directory / "logs").rglob("*.parquet"))
    return [
        _row(
            "log text against Parquet on disk",
            len(raw) / kept,
            "times smaller",
            f"{len(raw) / 1e6:.1f} MB of text in {kept / 1e6:.1f} MB, with time and identity of each line",
            peer=f"gzip -6 of the bare text: {len(raw) / squeezed:.2f} times",
            ratio=round(squeezed / kept, 2),
        )
    ]


def _questions(telemetry: Telemetry) -> list[dict[str, Any]]:
    since = datetime.fromtimestamp(NOON / 1e6, UTC)
    asked: list[tuple[str, Callable[[], object]]] = [
        ("the last 200 lines of one workload", lambda: telemetry.logs("shop/web3")),
        ("lines that contain a text, of everything", lambda: telemetry.logs("shop", grep="rt=0.777")),
        ("an hour of figures of one workload", lambda: telemetry.metrics("shop/web3", since=since)),
        ("the bill's summary", lambda: telemetry.summary("shop/web3", now=since + timedelta(hours=1))),
    ]
    return [_row(name, 1_000 * _seconds(call), "ms", f"{LINES:,} lines, 36,000 samples kept") for name, call in asked]


def _seconds(call: Callable[[], object], times: int = 7) -> float:
    """The median, after one to warm up."""
    call()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return sorted(taken)[times // 2]


def _drift() -> list[dict[str, Any]]:
    """Twenty containers of 40 processes each, which are links to real ones."""
    if os.geteuid() != 0:
        return [_row("drift look", 0, "ms", "not measured: no root")]
    sleepers = [subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) for _ in range(40)]
    try:
        time.sleep(1)
        with tempfile.TemporaryDirectory() as directory:
            proc = Path(directory)
            containers = [_pretend(proc, number, sleepers) for number in range(CONTAINERS)]
            content = Path(sys.executable).resolve()
            known = ImageFile(hashlib.sha256(content.read_bytes()).hexdigest(), content.stat().st_size)
            sense = ProcessSense(MemoryImageFiles({"image": {str(content): known}}), proc=proc)
            at = datetime.now(UTC)
            first = time.perf_counter()
            sense.look(containers, at)
            first = time.perf_counter() - first
            again = _seconds(lambda: sense.look(containers, at))
        every = CONTAINERS * len(sleepers)
        return [
            _row(
                "first drift look at a container", 1_000 * first / CONTAINERS, "ms", "40 processes, program hashed once"
            ),
            _row(
                "each further drift look at a container", 1_000 * again / CONTAINERS, "ms", f"{every} processes in all"
            ),
        ]
    finally:
        for one in sleepers:
            one.kill()
            one.wait()


def _pretend(proc: Path, number: int, sleepers: list[subprocess.Popen[bytes]]) -> RunningContainer:
    """A container whose processes are links to real ones."""
    identity = hashlib.sha256(str(number).encode()).hexdigest()
    for index, one in enumerate(sleepers):
        process = proc / str(10_000 + number * 100 + index)
        (process / "ns").mkdir(parents=True)
        (process / "ns" / "pid").symlink_to(f"pid:[{number + 5}]")
        (process / "exe").symlink_to(Path(f"/proc/{one.pid}/exe").readlink())
        (process / "cgroup").write_text(f"0::/docker/{identity}\n")
        (process / "cmdline").write_bytes(b"python\0")
    return RunningContainer(identity, f"c{number}", "shop/web", "shop", "shop", "image", 10_000 + number * 100)
