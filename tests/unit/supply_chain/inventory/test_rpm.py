"""Databases that rpm and Berkeley DB wrote themselves (scripts/make_rpm_fixtures.sh), against what rpm says of them."""

import io
import shutil
import sqlite3
import struct
import subprocess
from pathlib import Path

import pytest
import zstandard

from lading.kernel.digest import Digest
from lading.supply_chain.inventory.catalogers import cataloger_for
from lading.supply_chain.inventory.catalogers.rpm import RpmCataloger, sqlite
from lading.supply_chain.inventory.catalogers.rpm.header import Header, HeaderDamaged
from lading.supply_chain.inventory.layers import read_layer
from lading.supply_chain.inventory.merge import merge
from lading.supply_chain.inventory.values import ImageInventory, PackageDatabase
from tar_layers import symlink, tar

GOLDEN = Path(__file__).parents[3] / "golden" / "packages"
SQLITE = "usr/lib/sysimage/rpm/rpmdb.sqlite"
NAMES = {
    "rpmdb.sqlite": SQLITE,
    "Packages.db": "usr/lib/sysimage/rpm/Packages.db",
    "Packages-little-endian": "var/lib/rpm/Packages",
    "Packages-big-endian": "var/lib/rpm/Packages",
}
RELEASE = ("etc/os-release", b'ID="almalinux"\nVERSION_ID="9.4"\n')


def golden(name: str) -> bytes:
    return zstandard.ZstdDecompressor().decompress((GOLDEN / f"{name}.zst").read_bytes(), max_output_size=1 << 24)


def read(name: str, content: bytes | None = None) -> PackageDatabase:
    return RpmCataloger().read(NAMES[name], golden(name) if content is None else content)


def gaps(database: PackageDatabase) -> set[str]:
    return {gap.kind for gap in database.gaps}


def merged(*members: tuple[object, object]) -> ImageInventory:
    layer = tar(RELEASE, *members)
    return merge(str(Digest.of(b"image")), [read_layer(str(Digest.of(layer)), io.BytesIO(layer))])


@pytest.mark.parametrize("name", NAMES)
def test_each_format_says_what_rpm_says(name: str) -> None:
    database = read(name)

    owned: dict[str, list[str]] = {}
    for path, owner in database.owned():
        owned.setdefault(owner, []).append(f"/{path},")
    found = []
    for package in database.packages:
        module = package.purl.partition("rpmmod=")[2] or "(none)"
        version = package.version if ":" in package.version else f"0:{package.version}"
        source = f"{package.source}-{package.source_version}.src.rpm"
        files = "".join(owned[package.name])
        found.append(f"{package.name} {version} {package.architecture} {source} {module} {files}")
    assert sorted(found) == (GOLDEN / "rpm.txt").read_text().splitlines()
    assert database.gaps == ()


def test_a_package_has_licence_vendor_and_the_names_of_its_release() -> None:
    package = next(p for p in merged((SQLITE, golden("rpmdb.sqlite"))).packages if p.name == "buoy")

    assert package.ecosystem == "AlmaLinux:9"
    assert package.purl == (
        "pkg:rpm/almalinux/buoy@2.36~rc1-9.el9_4.1?arch=x86_64&distro=almalinux-9.4&epoch=2"
    )  # fmt: skip
    assert (package.licenses, package.vendor) == (("MIT AND BSD-3-Clause",), "Nobody in particular")


def test_headers_with_and_without_magic_are_read() -> None:
    database = sqlite3.connect(":memory:")
    database.deserialize(golden("rpmdb.sqlite").replace(b"\x02\x02", b"\x01\x01", 1))
    blob = database.execute("SELECT blob FROM Packages WHERE hnum = 1").fetchone()[0]
    database.close()

    assert Header(blob).text(1000) == Header(b"\x8e\xad\xe8\x01\0\0\0\0" + blob).text(1000) == "crate9"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"SQLite format 3\0",
        b"RpmP" + bytes(28),
        bytes(4096),
        b"\0" * 12 + struct.pack("<I", 0x61561) + bytes(5000),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_database_is_a_gap(name: str, content: bytes) -> None:
    assert gaps(read(name, content)) == {"package-database-unreadable"}


@pytest.mark.parametrize("name", NAMES)
def test_a_database_cut_short_is_a_gap(name: str) -> None:
    whole = golden(name)

    for share in (0.2, 0.5, 0.9):
        assert gaps(read(name, whole[: int(len(whole) * share)])) == {"package-database-unreadable"}


def test_overflow_pages_in_a_circle_end() -> None:
    content = bytearray(golden("Packages-little-endian"))
    for start in range(4096, len(content), 4096):
        if content[start + 25] == 7:
            content[start + 16 : start + 20] = struct.pack("<I", start // 4096)

    assert gaps(read("Packages-little-endian", bytes(content))) == {"package-database-unreadable"}


def test_values_that_share_pages_end() -> None:
    """A thousand items that point to the same value of many pages would be gigabytes."""
    size, items = 4096, 300
    meta = bytearray(size)
    struct.pack_into("<IIII", meta, 12, 0x61561, 9, size, 0)
    struct.pack_into("<I", meta, 32, 41)
    hashed = bytearray(size)
    struct.pack_into("<I", hashed, 8, 1)
    struct.pack_into("<H", hashed, 20, items)
    hashed[25] = 13
    at = size
    for item in range(0, items, 2):
        at -= 5
        struct.pack_into("<H", hashed, 26 + 2 * item, at)
        hashed[at : at + 5] = b"\1\1\0\0\0"
        at -= 12
        struct.pack_into("<H", hashed, 28 + 2 * item, at)
        hashed[at : at + 12] = b"\3\0\0\0" + struct.pack("<II", 2, 40 * 4070)
    chain = b""
    for number in range(2, 42):
        page = bytearray(size)
        struct.pack_into("<II", page, 8, number, 0)
        struct.pack_into("<I", page, 16, number + 1)
        struct.pack_into("<H", page, 22, 4070)
        page[25] = 7
        chain += page

    database = read("Packages-little-endian", bytes(meta + hashed) + chain)

    assert "its values share pages" in {gap.detail for gap in database.gaps}


def test_overlapping_slots_end() -> None:
    content = bytearray(golden("Packages.db"))
    slot = bytes(content[48:64])
    for at in range(32, 4096, 16):
        content[at : at + 16] = slot

    assert "its slots overlap" in {gap.detail for gap in read("Packages.db", bytes(content)).gaps}


def test_a_view_in_the_place_of_the_table_is_not_run() -> None:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE VIEW Packages AS WITH RECURSIVE r(hnum) AS (SELECT 1 UNION ALL SELECT hnum + 1 FROM r) "
                     "SELECT hnum, zeroblob(1000000) AS blob FROM r")  # fmt: skip
    content = database.serialize()
    database.close()

    assert [gap.detail for gap in read("rpmdb.sqlite", content).gaps] == ["it has no table of packages"]


def test_a_table_of_computed_columns_is_not_run() -> None:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB AS (zeroblob(100000000)))")
    database.executemany("INSERT INTO Packages (hnum) VALUES (?)", [(n,) for n in range(1000)])
    content = database.serialize()
    database.close()

    assert gaps(read("rpmdb.sqlite", content)) == {"package-database-unreadable"}


def test_changes_that_wait_in_a_log_are_a_gap(tmp_path: Path) -> None:
    path = tmp_path / "rpmdb.sqlite"
    path.write_bytes(golden("rpmdb.sqlite"))
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("DELETE FROM Packages")
    database.commit()
    log = path.with_name("rpmdb.sqlite-wal").read_bytes()
    database.close()

    assert sqlite.pending(log)
    assert [gap.path for gap in merged((SQLITE, golden("rpmdb.sqlite")), (f"{SQLITE}-wal", log)).gaps] == [f"{SQLITE}-wal"]  # fmt: skip
    assert merged((SQLITE, golden("rpmdb.sqlite")), (f"{SQLITE}-wal", b"")).gaps == ()


def test_a_damaged_header_leaves_the_others() -> None:
    content = golden("rpmdb.sqlite").replace(
        b"compass\x0018.20.4\x00", b"comp\x00ss\x0018.20.4\x00".replace(b"18", b"\x00\x00")
    )

    database = read("rpmdb.sqlite", content)

    assert len(database.packages) == 14
    assert gaps(database) == {"package-database-unreadable"}


@pytest.mark.parametrize("blob", [b"", b"\0" * 16, struct.pack(">II", 0xFFFFFFFF, 1) + bytes(64), struct.pack(">II", 1, 0xFFFFFFF) + bytes(64)])  # fmt: skip
def test_headers_that_lie_about_their_size_are_damaged(blob: bytes) -> None:
    with pytest.raises(HeaderDamaged):
        Header(blob)


@pytest.mark.parametrize("kind", [4, 6, 8])
def test_values_outside_of_a_header_are_damaged(kind: int) -> None:
    header = Header(struct.pack(">II", 1, 4) + struct.pack(">IIII", 1000, kind, 3, 2) + b"a\0bc")

    with pytest.raises(HeaderDamaged):
        header.numbers(1000) if kind == 4 else header.texts(1000)


def test_an_image_without_rpm_has_a_manifest() -> None:
    line = "bash\t2:5.1.8-1.cm2\t1653816591\t1653753130\tMicrosoft Corporation\t(none)\t4215424\tx86_64\t0\tbash-5.1.8-1.cm2.src.rpm"
    database = RpmCataloger().read(
        "var/lib/rpmmanifest/container-manifest-2", line.replace("2:", "").encode() + b"\nodd\n"
    )

    assert [(p.name, p.version, p.source) for p in database.packages] == [("bash", "5.1.8-1.cm2", "bash")]
    assert len(database.gaps) == 1


def test_which_files_are_databases() -> None:
    wanted = [*NAMES.values(), f"{SQLITE}-wal", "var/lib/rpmmanifest/container-manifest-2"]

    assert all(cataloger_for(path) for path in wanted)
    assert not any(
        cataloger_for(path) for path in ("opt/Packages", "var/lib/rpm/Name", f"{SQLITE}-shm", "var/lib/rpmmanifest/x")
    )


def test_an_rpm_distribution_without_its_database_is_a_gap() -> None:
    assert [gap.kind for gap in merged(("bin/sh", b"x")).gaps] == ["package-database-unreadable"]
    assert merged(symlink("var/lib/rpm", "../../usr/lib/sysimage/rpm"), (SQLITE, golden("rpmdb.sqlite"))).gaps == ()


@pytest.mark.skipif(shutil.which("rpmbuild") is None, reason="rpm is not installed")
def test_a_database_that_rpm_makes_now_is_read(tmp_path: Path) -> None:
    spec = tmp_path / "a.spec"
    spec.write_text("Name: dory\nVersion: 1\nRelease: 2\nSummary: x\nLicense: MIT\n%description\nx\n%files\n")
    options = ["--define", f"_topdir {tmp_path}", "--target", "noarch"]
    subprocess.run(["rpmbuild", "-bb", "--quiet", *options, str(spec)], check=True, capture_output=True)
    database = ["rpm", "--dbpath", str(tmp_path / "db"), "--define", "_db_backend sqlite"]
    package = str(tmp_path / "RPMS/noarch/dory-1-2.noarch.rpm")
    subprocess.run([*database, "--initdb"], check=True, capture_output=True)
    subprocess.run(
        [*database, "-i", "--justdb", "--nodeps", "--force-debian", package], check=True, capture_output=True
    )

    found = read("rpmdb.sqlite", (tmp_path / "db/rpmdb.sqlite").read_bytes())

    assert [(p.name, p.version) for p in found.packages] == [("dory", "1-2")]
