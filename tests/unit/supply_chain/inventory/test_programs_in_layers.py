import io
import shutil
from pathlib import Path

import pytest

from lading.kernel.digest import Digest
from lading.supply_chain.inventory.catalogers.wellknown import WellKnownCataloger
from lading.supply_chain.inventory.files import unpack
from lading.supply_chain.inventory.layers import read_layer
from lading.supply_chain.inventory.limits import Limits
from lading.supply_chain.inventory.merge import merge
from lading.supply_chain.inventory.values import ImageInventory
from program_files import crates, elf, go_information, pe
from tar_layers import OS_RELEASE, status, tar

GO = elf({".go.buildinfo": go_information("go1.21.5", ["dep\tgolang.org/x/net\tv0.17.0"])})
RUST = elf({".dep-v0": crates({"name": "rand", "version": "0.8.5"})})
BUSYBOX = elf({".rodata": b"\0BusyBox v1.36.1 (2024-01-01 00:00:00 UTC)\0"})


def merged(*members: tuple[object, object], limits: Limits | None = None) -> ImageInventory:
    layer = tar(OS_RELEASE, status(("bash", "5.2")), *members)
    return merge(str(Digest.of(b"image")), [read_layer(str(Digest.of(layer)), io.BytesIO(layer), limits or Limits())])


def found(inventory: ImageInventory) -> set[tuple[str, str]]:
    return {(package.name, package.provided_by) for package in inventory.packages if package.ecosystem != "Debian:12"}


def test_programs_are_found_wherever_they_lie() -> None:
    inventory = merged(("srv/a", GO), ("usr/bin/b", RUST), ("bin/busybox", BUSYBOX), ("c.exe", pe({".text": b"x"})))

    assert found(inventory) == {("stdlib", ""), ("golang.org/x/net", ""), ("rand", ""), ("busybox", "")}
    assert {file.path: file.form for layer in [read_layer("x", io.BytesIO(tar(("a", GO), ("b", b"MZ" + bytes(99)), ("c", b""))))] for file in unpack(layer.files)} == {"a": "elf", "b": "pe", "c": ""}  # fmt: skip


def test_what_a_distribution_s_package_owns_is_its_own_to_mend_and_no_well_known_program() -> None:
    listed = ("var/lib/dpkg/info/bash.list", b"/.\n/bin\n/bin/busybox\n/usr\n/usr/bin\n/usr/bin/tool\n")
    inventory = merged(listed, ("usr/bin/tool", GO), ("usr/bin/mine", RUST), ("usr/bin/busybox", BUSYBOX))

    assert found(inventory) == {("stdlib", "bash"), ("golang.org/x/net", "bash"), ("rand", "")}


def test_a_program_too_large_to_look_into_is_a_gap_only_when_it_has_packages() -> None:
    plain = elf({".rodata": bytes(5_000_000)})
    members = [("bin/go", GO + bytes(3_000_000)), ("bin/rust", RUST + bytes(3_000)), ("bin/plain", plain)]
    inventory = merged(*members, limits=Limits(database=min(len(GO), len(RUST)) - 1))

    assert {gap.path for gap in inventory.gaps if gap.kind == "program-unread"} == {"bin/go", "bin/rust"}


def test_a_program_across_pieces_of_the_stream_is_recognised() -> None:
    """The first bytes of a file may be the last of one chunk and the first of the next."""

    class Dribble(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 1, 509) if size and size > 0 else 509)

    layer = tar(OS_RELEASE, status(("bash", "5.2")), ("a", GO))

    assert read_layer("x", Dribble(layer)).package_count == 3


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("usr/lib/libcrypto.so.3", b"\0OpenSSL 3.0.11 19 Sep 2023\0", ("openssl", "3.0.11")),
        ("usr/lib/libcrypto.so.1.1", b"\0OpenSSL 1.1.1w  11 Sep 2023\0", ("openssl", "1.1.1w")),
        ("usr/local/bin/node", b"node.js/v20.11.0 x", ("node", "20.11.0")),
        ("usr/local/lib/libpython3.12.so.1.0", b"\0003.12.1\0", ("python", "3.12.1")),
        ("usr/sbin/nginx", b"nginx/1.25.3\0", ("nginx", "1.25.3")),
        ("usr/local/bin/redis-server", b"\0007.2.4\0c11-builtin\0", ("redis", "7.2.4")),
        ("usr/local/bin/php", b"X-Powered-By: PHP/8.3.1\0", ("php", "8.3.1")),
        ("usr/lib/libcurl.so.4", b"libcurl/8.5.0\0", ("curl", "8.5.0")),
        ("usr/bin/postgres", b"postgres (PostgreSQL) 16.1\0", ("postgresql", "16.1")),
        ("usr/local/bin/notnode", b"node.js/v20.11.0 x", None),
        ("usr/local/bin/node", b"nothing to see", None),
    ],
)
def test_well_known_programs_tell_their_version(path: str, text: bytes, expected: tuple[str, str] | None) -> None:
    cataloger = WellKnownCataloger()
    packages = cataloger.read(path, elf({".rodata": text})).packages if cataloger.wants(path) else ()

    assert [(package.name, package.version) for package in packages] == ([expected] if expected else [])


def test_a_java_runtime_has_a_file_that_says_its_version() -> None:
    content = b'IMPLEMENTOR="Eclipse Adoptium"\nJAVA_RUNTIME_VERSION="17.0.9+9"\nJAVA_VERSION="17.0.9"\n'

    packages = WellKnownCataloger().read("opt/java/openjdk/release", content).packages

    assert [package.purl for package in packages] == ["pkg:generic/java@17.0.9%2B9"]
    assert WellKnownCataloger().read("etc/release", b"1.0\n").says_nothing


@pytest.mark.skipif(shutil.which("busybox") is None, reason="busybox is not installed")
def test_a_real_busybox_tells_its_version() -> None:
    packages = WellKnownCataloger().read("bin/busybox", Path(str(shutil.which("busybox"))).read_bytes()).packages

    assert [package.name for package in packages] == ["busybox"]


def test_databases_that_nobody_here_reads_are_gaps() -> None:
    inventory = merged(("var/lib/pacman/local/ALPM_DB_VERSION", b"9\n"))

    assert [gap.kind for gap in inventory.gaps] == ["package-database-unknown"]


def test_distroless_images_say_which_files_their_packages_own() -> None:
    layer = tar(
        OS_RELEASE,
        ("var/lib/dpkg/status.d/tool", b"Package: tool\nVersion: 1\nArchitecture: amd64\n"),
        ("var/lib/dpkg/status.d/tool.md5sums", b"d41d8cd98f00b204e9800998ecf8427e  usr/bin/tool\n"),
        ("usr/bin/tool", GO),
    )
    inventory = merge(str(Digest.of(b"i")), [read_layer(str(Digest.of(layer)), io.BytesIO(layer))])

    assert {(p.name, p.provided_by) for p in inventory.packages} == {("tool", ""), ("stdlib", "tool"), ("golang.org/x/net", "tool")}  # fmt: skip
    assert inventory.unowned_files == 0
