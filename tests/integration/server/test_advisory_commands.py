"""`lading advisories` against a real server: fetched from a place of ours, exported, imported, and stated (VEX)."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.conftest import Server
from feed_server import Place, serving
from lading.kernel.errors import ExitCode

pytestmark = pytest.mark.slow

RECORD = {
    "id": "PYSEC-2026-1", "modified": "2026-10-01T00:00:00Z", "aliases": ["CVE-2026-1000"],
    "affected": [{"package": {"ecosystem": "PyPI", "name": "flask"}, "versions": ["1.0"]}],
}  # fmt: skip


def exported() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("PYSEC-2026-1.json", json.dumps(RECORD))
    return out.getvalue()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("feeds"), "unix:///nonexistent/docker.sock")
    place = Place({"/Hex/all.zip": exported(), "/Hex/PYSEC-2026-1.json": json.dumps(RECORD).encode()})
    with serving(place):
        made.environment |= {
            "LADING_ADVISORY_OSV": place.url,
            "LADING_ADVISORY_ECOSYSTEMS": "Hex",
            "LADING_ADVISORY_KEV": f"{place.url}/missing.json",
            "LADING_ADVISORY_EPSS": "",
        }
        made.start()
        yield made
        made.client.close()
        made.stop()


def test_feeds_are_updated_exported_and_imported(server: Server, tmp_path: Path) -> None:
    updated = server.cli("advisories", "update", "Hex")
    assert updated.returncode == 0, updated.stderr
    failed = server.cli("advisories", "update")
    assert (failed.returncode, "kev" in failed.stderr) == (ExitCode.UNAVAILABLE, True)
    rows = {row["source"]: row for row in json.loads(server.cli("advisories", "status", "--output", "json").stdout)}
    assert (rows["hex"]["records"], rows["hex"]["is_stale"]) == (1, False)
    assert rows["hex"]["file"].startswith("sha256:")
    assert "404" in rows["kev"]["error"]
    assert server.cli("advisories", "update", "hex", "--record", "PYSEC-2026-1").returncode == 0
    assert server.cli("advisories", "update", "nowhere").returncode == ExitCode.NOT_FOUND

    bundle = tmp_path / "advisories.tar.zst"
    assert server.cli("advisories", "export", str(bundle)).returncode == 0
    imported = server.cli("advisories", "import", str(bundle))
    assert imported.returncode == 0, imported.stderr
    assert "0 new or changed" in imported.stdout
    bundle.write_bytes(bundle.read_bytes()[:-20])
    assert server.cli("advisories", "import", str(bundle)).returncode == ExitCode.USAGE
    assert [path.name for path in (server.home / "data" / "feeds").iterdir()] == []


def test_statements_are_taken_in_listed_and_ended(server: Server, tmp_path: Path) -> None:
    document = {"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://vex.test/1", "author": "security@shop",
                "timestamp": "2026-10-01T00:00:00Z",
                "statements": [{"vulnerability": {"name": "CVE-2026-1000"}, "status": "fixed"}]}  # fmt: skip
    file = tmp_path / "vex.json"
    file.write_text(json.dumps(document))

    refused = server.cli("advisories", "vex", "import", str(file))
    assert refused.returncode == ExitCode.USAGE
    assert "which image or package" in refused.stderr
    taken = server.cli("advisories", "vex", "import", str(file), "--repository", "shop/*", "--days", "30")
    assert taken.returncode == 0, taken.stderr
    (row,) = json.loads(server.cli("advisories", "vex", "ls", "--output", "json").stdout)
    assert (row["names"], row["scope"], row["counts"]) == (["CVE-2026-1000"], {"repositories": ["shop/*"]}, True)
    assert server.cli("advisories", "vex", "rm", "https://vex.test/1").returncode == 0
    assert server.cli("advisories", "vex", "rm", row["id"]).returncode == ExitCode.NOT_FOUND
