import gzip
import hashlib
import io
import tarfile
import tracemalloc
import zlib

import pytest
import zstandard

from lading.supply_chain.inventory.files import unpack
from lading.supply_chain.inventory.layers import read_layer
from lading.supply_chain.inventory.limits import Limits
from lading.supply_chain.inventory.values import LayerInventory
from tar_layers import directory, distribution, entry, hardlink, node_module, status, symlink, tar

LAYER = "sha256:" + "0" * 64


def read(content: bytes, limits: Limits | None = None) -> LayerInventory:
    return read_layer(LAYER, io.BytesIO(content), limits or Limits())


def kinds(inventory: LayerInventory) -> list[str]:
    return [note.kind for note in inventory.all_gaps]


def test_files_are_indexed_with_mode_owner_and_content_digest() -> None:
    content = b"x" * 3_000_000
    found = {
        f.path: f for f in unpack(read(tar(directory("usr"), entry("usr/a", content, mode=0o640, uid=7, gid=8))).files)
    }

    assert (found["usr"].kind, found["usr"].mode) == ("d", 0o755)
    file = found["usr/a"]
    assert (file.kind, file.mode, file.uid, file.gid, file.size) == ("f", 0o640, 7, 8, len(content))
    assert file.sha256 == hashlib.sha256(content).digest()


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress], ids=["plain", "gzip", "zstd"])
def test_every_form_and_compression_reads_the_same(form: int, pack: object) -> None:
    long = "/".join(["directory"] * 12) + "/" + "n" * 60
    plain = tar((long, b"1"), ("b", b"22"), symlink("c", "b"), hardlink("d", "b"), form=form)

    inventory = read(pack(plain))  # type: ignore[operator]

    assert [f.path for f in unpack(inventory.files)] == [long, "b", "c", "d"]
    assert inventory.all_gaps == ()


def test_names_and_sizes_beyond_ustar_are_read() -> None:
    long = "é" * 300 + "/" + "b" * 200
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        found = list(unpack(read(tar(entry(long, b"1", uid=3_000_000_000), form=form)).files))
        assert [(f.path, f.uid) for f in found] == [(long, 3_000_000_000)]


def test_two_gzip_members_and_two_zstd_frames_are_one_stream() -> None:
    plain = tar(("a", b"1" * 10_000), ("b", b"2"))
    for pack in (gzip.compress, zstandard.compress):
        inventory = read(pack(plain[:1000]) + pack(plain[1000:]))
        assert (inventory.file_count, inventory.all_gaps) == (2, ())


def test_whiteouts_and_opaque_directories_are_told_and_are_no_files() -> None:
    inventory = read(tar(("etc/.wh.passwd", b""), ("var/.wh..wh..opq", b""), (".wh.tmp", b""), (".wh..wh.plnk", b"")))

    assert inventory.whiteouts == ("etc/passwd", "tmp")
    assert inventory.opaque == ("var",)
    assert inventory.file_count == 0


def test_setuid_and_setgid_files_are_told() -> None:
    inventory = read(
        tar(entry("bin/su", b"1", mode=0o4755), entry("bin/wall", b"1", mode=0o2755), entry("bin/ls", b"1"))
    )

    assert [str(note) for note in inventory.privileged] == ["setuid: bin/su: 4755", "setgid: bin/wall: 2755"]


def test_packages_of_all_ecosystems_are_found_in_one_pass() -> None:
    inventory = read(
        tar(status(("libc6", "2.36-9", "glibc")), distribution("Jinja2", "3.1.2"), node_module("@x/y", "1.0.0"))
    )

    found = [p.purl for database in inventory.databases for p in database.packages]
    assert found == ["pkg:deb/debian/libc6@2.36-9?arch=amd64", "pkg:pypi/jinja2@3.1.2", "pkg:npm/%40x/y@1.0.0"]


@pytest.mark.parametrize(
    ("member", "kind"),
    [
        (("../../etc/passwd", b"x"), "path-traversal"),
        (("a/../../b", b"x"), "path-traversal"),
        (("/etc/passwd", b"x"), "absolute-name"),
        (entry("sda", None, type=tarfile.BLKTYPE, devmajor=8, devminor=0), "device-node"),
        (entry("tmp/null", None, type=tarfile.CHRTYPE, devmajor=1, devminor=3), "device-node"),
        (symlink("a/b", "../../../etc/shadow"), "link-escapes"),
        (hardlink("a", "../../etc/shadow"), "link-escapes"),
        (hardlink("a", "a"), "link-loop"),
        (hardlink("a", "nowhere"), "link-dangling"),
        (symlink("var/lib/dpkg/status", "/tmp/x"), "package-database-unreadable"),
        (entry("p" * 5000, b"x"), "path-too-long"),
    ],
)
def test_hostile_entries_are_told_and_read_on(member: tuple[object, object], kind: str) -> None:
    inventory = read(tar(member, ("after", b"1")))

    assert kinds(inventory) == [kind]
    assert "after" in {f.path for f in unpack(inventory.files)}


def test_hard_links_in_a_loop_are_told() -> None:
    assert kinds(read(tar(hardlink("a", "b"), hardlink("b", "a")))) == ["link-loop", "link-loop"]


def test_plain_devices_of_a_base_image_are_nothing_to_tell() -> None:
    assert read(tar(entry("dev/null", None, type=tarfile.CHRTYPE, devmajor=1, devminor=3))).all_gaps == ()


def test_a_climbing_name_that_ends_inside_is_read_where_a_runtime_would_write_it() -> None:
    path, content = status(("bash", "5.2"))
    inventory = read(tar(("tmp/../" + path, content)))

    assert kinds(inventory) == ["path-traversal"]
    assert [d.path for d in inventory.databases] == [path]


def test_a_database_written_through_a_link_of_the_layer_is_found_and_told() -> None:
    _, content = status(("bash", "5.2"))
    inventory = read(tar(symlink("opt/x", "/var/lib/dpkg"), ("opt/x/status", content)))

    assert kinds(inventory) == ["written-through-link"]
    assert inventory.package_count == 1


def test_a_hard_linked_metadata_file_counts_where_it_is_linked() -> None:
    path, content = distribution("flask", "1.0", "a")
    inventory = read(tar((path, content), hardlink(path.replace("a/", "b/", 1), path)))

    assert [d.path[:2] for d in inventory.databases] == ["a/", "b/"]


def test_ten_gigabytes_of_zeros_end_at_the_first_absurd_ratio() -> None:
    header = tarfile.TarInfo("zeros")
    header.size = 10 << 30
    pack = zlib.compressobj(9, wbits=31)
    block = bytes(1 << 20)
    parts = [pack.compress(header.tobuf(tarfile.GNU_FORMAT)), *(pack.compress(block) for _ in range(40)), pack.flush()]

    inventory = read(b"".join(parts), Limits(ratio_grace=8 << 20))

    assert kinds(inventory) == ["layer-bomb"]
    assert inventory.bytes_read < 12 << 20


def test_a_zstd_bomb_ends_too() -> None:
    bomb = zstandard.ZstdCompressor(level=3).compress(tar(("zeros", bytes(64 << 20))))

    assert kinds(read(bomb, Limits(ratio_grace=8 << 20))) == ["layer-bomb"]


def test_bounds_on_bytes_entries_and_names_end_the_reading_with_a_gap() -> None:
    layer = tar(*((f"f{n}", b"x" * 600) for n in range(50)))

    assert kinds(read(layer, Limits(bytes=10_000))) == ["layer-too-large"]
    assert kinds(read(layer, Limits(entries=10))) == ["layer-too-many-entries"]
    assert read(layer, Limits(entries=10)).file_count == 10
    assert kinds(read(layer, Limits(names=20))) == ["layer-too-many-entries"]


def test_many_hostile_entries_are_counted_not_listed() -> None:
    inventory = read(tar(*((f"/abs{n}", b"") for n in range(30))), Limits(notes=10))

    assert len(inventory.hostile) == 11
    assert inventory.hostile[-1].detail == "20 more of this kind are not listed"


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress], ids=["plain", "gzip", "zstd"])
def test_a_layer_cut_short_is_told(pack: object) -> None:
    whole = pack(tar(status(("bash", "5.2")), ("b", bytes(range(256)) * 400)))  # type: ignore[operator]

    for cut in (len(whole) // 2, whole.rindex(bytes(range(256))) if pack is bytes else len(whole) - 5):
        assert "layer-truncated" in kinds(read(whole[:cut]))


def test_what_follows_the_end_of_the_archive_is_told() -> None:
    assert kinds(read(tar(("a", b"1")) + tar(("hidden", b"1")))) == ["data-after-end"]


def test_what_is_not_a_layer_is_told() -> None:
    assert kinds(read(b"")) == ["layer-truncated"]
    assert kinds(read(b"hello" * 1000)) == ["layer-corrupt"]
    assert kinds(read(gzip.compress(b"hello" * 1000))) == ["layer-corrupt"]
    damaged = bytearray(gzip.compress(tar(("a", bytes(range(256)) * 1000))))
    damaged[400] ^= 0xFF
    assert kinds(read(bytes(damaged)))[0] in ("layer-corrupt", "layer-truncated")


def test_a_database_beyond_its_bound_is_a_gap_not_silence() -> None:
    inventory = read(tar(status(("bash", "5.2"))), Limits(database=10))

    assert kinds(inventory) == ["package-database-unreadable"]
    assert inventory.package_count == 0


def test_the_last_entry_of_a_name_counts() -> None:
    inventory = read(tar(status(("bash", "5.1")), status(("bash", "5.2"))))

    assert [p.version for d in inventory.databases for p in d.packages] == ["5.2"]


def test_memory_does_not_grow_with_the_number_of_files() -> None:
    header = tarfile.TarInfo()

    def peak(count: int) -> int:
        made = io.BytesIO()
        for number in range(count):
            header.name = f"srv/{number % 100}/{number}.txt"
            made.write(header.tobuf(tarfile.USTAR_FORMAT))
        made.write(bytes(1024))
        made.seek(0)
        tracemalloc.start()
        inventory = read_layer("sha256:x", made)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert inventory.file_count == count
        return most - len(inventory.files)

    assert peak(12_000) < peak(6_000) + (1 << 19)
