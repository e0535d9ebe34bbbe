"""The telemetry store on a full disk and under kill -9."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lading.observability.errors import StoreUnavailable
from lading.observability.store import LogLine, LogQuery
from lading.observability.store.parquet import ParquetTelemetryReader, ParquetTelemetryStore

_WRITER = """
import sys
from pathlib import Path
from lading.observability.store import LogLine
from lading.observability.store.parquet import ParquetTelemetryStore
store = ParquetTelemetryStore(Path(sys.argv[1]))
number = sum(state.lines for state in store.streams(["a" * 64]))
while True:
    at = 1_790_000_000_000_000
    store.append([LogLine("a" * 64, "n", "w", "a", "stdout", at + n, 0, str(n)) for n in range(number, number + 10)], [])
    number += 10
    print(number, flush=True)
    store.compact()
"""


def test_kill_at_any_moment_loses_no_appended_line_and_repeats_none(tmp_path: Path) -> None:
    chance = random.Random(7)
    acknowledged = 0
    for _ in range(8):
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        acknowledged = int(writer.stdout.readline())
        time.sleep(chance.random() * 0.3)
        os.kill(writer.pid, signal.SIGKILL)
        rest = writer.stdout.read().split("\n")
        acknowledged = max([acknowledged, *(int(text) for text in rest[:-1])])
        writer.wait()
        writer.stdout.close()
        found = [int(one.line) for one in ParquetTelemetryReader(tmp_path).logs(LogQuery(limit=100_000))]
        assert found == list(range(len(found)))
        assert len(found) >= acknowledged


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("no root to mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("tmpfs cannot be mounted here")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_is_said_and_leaves_nothing_half(tiny_disk: Path) -> None:
    store = ParquetTelemetryStore(tiny_disk / "telemetry")
    kept = [LogLine("a" * 64, "n", "w", "a", "stdout", 1_790_000_000_000_000, 0, "before")]
    store.append(kept, [])
    ballast = tiny_disk / "ballast"
    ballast.write_bytes(b"x" * 300_000)
    noise = random.Random(1)
    large = [kept[0]._replace(at=kept[0].at + n, line=noise.randbytes(400).hex()) for n in range(2_000)]
    with pytest.raises(StoreUnavailable, match="No space left"):
        store.append(large, [])
    assert store.logs(LogQuery()) == kept
    assert list((tiny_disk / "telemetry").rglob(".incoming*")) == []
    ballast.unlink()
    store.append(large[:10], [])
    assert len(store.logs(LogQuery())) == 11
    store.close()
