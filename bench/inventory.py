"""Inventory figures: megabytes a second over a real layer, against Trivy where its binary is installed."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any

from lading.supply_chain.inventory.layers import read_layer
from lading.supply_chain.inventory.limits import Limits
from lading.supply_chain.inventory.merge import merge
from lading.supply_chain.inventory.values import LayerInventory

LAYER = "sha256:" + "0" * 64
MOST_BYTES = 200 << 20
FILES = 200_000
TIMES = 3


def run() -> list[dict[str, Any]]:
    """All rows, measured on this machine."""
    plain = _layer()
    packed = gzip.compress(plain, 6)
    rows = []
    for name, content in (("plain", plain), ("gzip", packed)):
        seconds, inventory = _read(content)
        note = f"{inventory.file_count} files hashed, {inventory.package_count} packages, {len(content) / 1e6:.0f} MB"
        rows.append(_row(f"inventory, {name} layer", len(plain) / 1e6 / seconds, "MB/s", note))
    rows.append(_beside_trivy(packed))
    rows.append(_sharing_its_base(packed))
    rows.append(_memory(packed))
    rows.append(_many_files())
    rows.append(_zeros())
    return rows


def _row(name: str, value: float, unit: str, note: str, peer: str = "", ratio: float | None = None) -> dict[str, Any]:
    return {"name": name, "value": round(value, 3), "unit": unit, "peer": peer, "ratio": ratio, "note": note}


def _read(content: bytes, times: int = TIMES) -> tuple[float, LayerInventory]:
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        inventory = read_layer(LAYER, io.BytesIO(content), Limits())
        merge(LAYER, [inventory])
        taken.append(time.perf_counter() - start)
    return sorted(taken)[len(taken) // 2], inventory


def _layer() -> bytes:
    """The installed Python packages and this machine's package database as a layer."""
    out = io.BytesIO()
    size = 0
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path in ("/etc/os-release", "/usr/lib/os-release", "/var/lib/dpkg/status"):
            if Path(path).is_file():
                archive.add(Path(path).resolve(), path)
        for directory, _, names in os.walk(sysconfig.get_path("purelib")):
            for name in names:
                path = os.path.join(directory, name)
                if os.path.isfile(path) and size < MOST_BYTES:
                    size += os.path.getsize(path)
                    archive.add(path, "usr/lib/python3/site-packages" + path.partition("site-packages")[2])
    return out.getvalue()


def _beside_trivy(packed: bytes) -> dict[str, Any]:
    trivy = shutil.which("trivy") or os.environ.get("TRIVY", "")
    name = "inventory, image to packages"
    seconds, _ = _read(packed)
    if not trivy:
        return _row(name, seconds, "s", "peer not installed: put trivy on PATH or name it in TRIVY")
    with tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch) / "image.tar"
        _archive(image, packed)
        taken = []
        for number in range(TIMES):
            cache = f"{scratch}/cache{number}"
            command = [trivy, "image", "--input", str(image), "--format", "cyclonedx", "--quiet", "--offline-scan"]
            command += ["--cache-dir", cache, "--output", f"{scratch}/out.json"]
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            taken.append(time.perf_counter() - start)
    peer = sorted(taken)[TIMES // 2]
    note = "wall time; Trivy with its start and an empty cache, Lading in process and hashing every file"
    return _row(name, seconds, "s", note, f"trivy {peer:.2f} s", round(seconds / peer, 2))


def _sharing_its_base(packed: bytes) -> dict[str, Any]:
    """A second image: the same base, whose inventory is kept, and a layer of a megabyte on top."""
    first, base = _read(packed)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for number in range(100):
            info = tarfile.TarInfo(f"srv/app/{number}.py")
            info.size = 10_000
            archive.addfile(info, io.BytesIO(os.urandom(info.size)))
    taken = []
    for _ in range(TIMES):
        start = time.perf_counter()
        merge(LAYER, [base, read_layer("sha256:" + "1" * 64, io.BytesIO(out.getvalue()), Limits())])
        taken.append(time.perf_counter() - start)
    seconds = sorted(taken)[TIMES // 2]
    note = "its own layer read, both merged; ratio to the first"
    return _row(
        "inventory, image that shares its base", seconds, "s", note, f"first {first:.2f} s", round(seconds / first, 3)
    )


def _memory(packed: bytes) -> dict[str, Any]:
    """The most memory of a process that reads the layer from a file and merges it, less what its imports take."""
    text = (
        "import re, sys; from lading.supply_chain.inventory.layers import read_layer\n"
        "from lading.supply_chain.inventory.limits import Limits\n"
        "from lading.supply_chain.inventory.merge import merge\n"
        "def most(): return re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]\n"
        "before = most()\n"
        "merge('sha256:' + '0' * 64, [read_layer('sha256:' + '0' * 64, open(sys.argv[1], 'rb'), Limits())])\n"
        "sys.stdout.write(f'{before} {most()}')\n"
    )
    with tempfile.NamedTemporaryFile() as layer:
        layer.write(packed)
        layer.flush()
        ended = subprocess.run([sys.executable, "-c", text, layer.name], capture_output=True, text=True, check=True)
    before, most = (int(number) / 1e3 for number in ended.stdout.split())
    return _row("inventory, memory at most", most, "MB", f"{before:.0f} MB of it before anything was read")


def _archive(image: Path, packed: bytes) -> None:
    diff = hashlib.sha256(gzip.decompress(packed)).hexdigest()
    rootfs = {"type": "layers", "diff_ids": [f"sha256:{diff}"]}
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs}).encode()
    named = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = json.dumps([{"Config": named, "RepoTags": ["bench:1"], "Layers": ["layer.tar.gz"]}]).encode()
    with tarfile.open(image, "w") as archive:
        for name, content in ((named, config), ("layer.tar.gz", packed), ("manifest.json", manifest)):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def _many_files() -> dict[str, Any]:
    out = io.BytesIO()
    info = tarfile.TarInfo()
    for number in range(FILES):
        info.name = f"srv/{number % 100}/{number}"
        out.write(info.tobuf(tarfile.USTAR_FORMAT))
    out.write(bytes(1024))
    start = time.perf_counter()
    inventory = read_layer(LAYER, io.BytesIO(out.getvalue()), Limits())
    seconds = time.perf_counter() - start
    return _row(
        "inventory, tiny files", FILES / seconds, "files/s", f"{len(inventory.files) / FILES:.1f} bytes a file kept"
    )


def _zeros() -> dict[str, Any]:
    pack, block = zlib.compressobj(9, wbits=31), bytes(1 << 20)
    header = tarfile.TarInfo("zeros")
    header.size = 10 << 30
    parts = [pack.compress(header.tobuf(tarfile.GNU_FORMAT)), *(pack.compress(block) for _ in range(400))]
    start = time.perf_counter()
    inventory = read_layer(LAYER, io.BytesIO(b"".join(parts)), Limits())
    seconds = time.perf_counter() - start
    return _row("inventory, bomb of zeros refused", seconds, "s", str(inventory.gaps[0]))
