"""Make the advisories that are bundled with Lading out of a directory of feeds: facts without prose, compressed.

    python scripts/make_advisory_snapshot.py DIRECTORY

DIRECTORY holds OSV records as `NAME.jsonl.zst`, the KEV catalogue as `kev-DATE.json.zst` and the EPSS scores as
`epss-DATE.csv.zst`. EPSS is kept for the CVEs that some record names only.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import zstandard

FEEDS = ("debian12", "pypi", "npm", "npm-malware")
TO = Path(__file__).resolve().parent.parent / "src" / "lading" / "supply_chain" / "advisories" / "snapshot"
MOST_BYTES = 1_000_000


def read(path: Path) -> bytes:
    """The decompressed content of a file."""
    with path.open("rb") as handle, zstandard.ZstdDecompressor().stream_reader(handle) as reader:
        return reader.read()


def write(name: str, content: bytes) -> int:
    """Keep a file of the snapshot; its compressed size."""
    body = zstandard.ZstdCompressor(level=22).compress(content)
    (TO / name).write_bytes(body)
    return len(body)


def facts_of(record: dict[str, Any]) -> dict[str, Any]:
    """What is bundled of a record: no details, no references, no credits."""
    kept = {key: record[key] for key in ("id", "aliases", "withdrawn", "severity") if record.get(key)}
    kept["modified"] = record["modified"][:19] + "Z"
    if record.get("published"):
        kept["published"] = record["published"][:19] + "Z"
    level = record.get("database_specific", {}).get("severity")
    if isinstance(level, str):
        kept["database_specific"] = {"severity": level}
    kept["affected"] = [affected_of(entry) for entry in record.get("affected", [])]
    return kept


def affected_of(entry: dict[str, Any]) -> dict[str, Any]:
    """The package, its ranges and its listed versions."""
    package = {key: entry["package"][key] for key in ("ecosystem", "name")}
    kept: dict[str, Any] = {"package": package}
    if entry.get("ranges"):
        kept["ranges"] = [{"type": one["type"], "events": one["events"]} for one in entry["ranges"]]
    if entry.get("versions"):
        kept["versions"] = entry["versions"]
    level = entry.get("ecosystem_specific", {}).get("severity")
    if isinstance(level, str):
        kept["ecosystem_specific"] = {"severity": level}
    return kept


def main(directory: Path) -> int:
    """Write the snapshot; the exit code is 1 when it became too large to bundle."""
    TO.mkdir(exist_ok=True)
    total, cves = 0, set()
    for feed in FEEDS:
        records = [facts_of(msgspec.json.decode(line)) for line in read(directory / f"{feed}.jsonl.zst").splitlines()]
        for record in records:
            cves.update(name for name in (record["id"], *record.get("aliases", ())) if name.startswith("CVE-"))
        total += write(f"{feed}.jsonl.zst", b"\n".join(msgspec.json.encode(record) for record in records) + b"\n")
    catalogue = msgspec.json.decode(read(next(directory.glob("kev-*.json.zst"))))
    kept = {key: catalogue[key] for key in ("catalogVersion", "dateReleased")}
    kept["vulnerabilities"] = [
        {key: one[key] for key in ("cveID", "dateAdded", "dueDate")} for one in catalogue["vulnerabilities"]
    ]
    total += write("kev.json.zst", msgspec.json.encode(kept))
    scores = next(directory.glob("epss-*.csv.zst"))
    lines = [line for line in read(scores).decode().splitlines() if line.partition(",")[0] in cves]
    date = scores.name.removeprefix("epss-").removesuffix(".csv.zst")
    head = [f"#score_date:{date}T00:00:00+0000", "cve,epss,percentile"]
    body = [line.rpartition(",")[0] for line in lines]
    total += write("epss.csv.zst", ("\n".join([*head, *body]) + "\n").encode())
    sys.stdout.write(f"{total} bytes in {TO}\n")
    return 0 if total <= MOST_BYTES else 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1])))
