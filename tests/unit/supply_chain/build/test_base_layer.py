"""A root file system becomes the same layer wherever and whenever it was made."""

from __future__ import annotations

import gzip
import io
import tarfile

import pytest

from lading.kernel.digest import Digest
from lading.supply_chain.build.base import BaseFailed, Package
from lading.supply_chain.build.base_layer import installed_packages, write_layer

EPOCH = 1_700_000_000
STATUS = b"""Package: zlib1g
Status: install ok installed
Architecture: amd64
Source: zlib (1:1.2.13.dfsg-1)
Version: 1:1.2.13.dfsg-1

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: dash
Status: install ok installed
Architecture: amd64
Version: 0.5.12-2
Description: POSIX-compliant shell
 More of it.
"""


def root(
    files: dict[str, bytes], *, mtime: int = EPOCH - 5, owner: str = "root", extra: tuple[tarfile.TarInfo, ...] = ()
) -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"./{name}")
            entry.size, entry.mtime, entry.uname = len(content), mtime, owner
            tar.addfile(entry, io.BytesIO(content))
        for entry in extra:
            tar.addfile(entry)
    buffer.seek(0)
    return buffer


def layer_of(source: io.BytesIO) -> tuple[dict[str, bytes], Digest]:
    target = io.BytesIO()
    layer = write_layer(source, target, EPOCH)
    assert layer.digest == Digest.of(target.getvalue())
    assert layer.size == len(target.getvalue())
    plain = gzip.decompress(target.getvalue())
    assert layer.diff_id == Digest.of(plain)
    contents = {}
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        for entry in tar:
            handle = tar.extractfile(entry) if entry.isreg() else None
            contents[entry.name] = handle.read() if handle else b""
    return contents, layer.digest


def test_two_roots_that_differ_only_in_when_and_where_give_one_digest() -> None:
    first = root(
        {"var/lib/dpkg/status": STATUS, "etc/hostname": b"alpha\n", "etc/shadow": b"root:*:19000:0:99999:7:::\n"}
    )
    second = root(
        {
            "var/lib/dpkg/status": STATUS,
            "etc/hostname": b"beta\n",
            "etc/shadow": b"root:*:20001:0:99999:7:::\n",
        },
        owner="builder",
        mtime=EPOCH - 5,
    )
    assert layer_of(first)[1] == layer_of(second)[1]


def test_times_after_the_snapshot_are_set_to_it() -> None:
    now = layer_of(root({"var/lib/dpkg/status": STATUS}, mtime=EPOCH + 1000))[1]
    later = layer_of(root({"var/lib/dpkg/status": STATUS}, mtime=EPOCH + 9999))[1]
    assert now == later


@pytest.mark.parametrize(
    "name",
    [
        "etc/machine-id", "etc/resolv.conf", "etc/apt/sources.list", "etc/apt/sources.list.d/x.sources",
        "etc/apt/apt.conf.d/99mmdebstrap", "var/lib/apt/lists/x_InRelease", "var/log/dpkg.log",
        "var/cache/ldconfig/aux-cache", "var/lib/dpkg/status-old", "run/x", "tmp/x", "etc/passwd-",
    ],
)  # fmt: skip
def test_traces_of_the_making_are_left_out(name: str) -> None:
    assert list(layer_of(root({name: b"x", "var/lib/dpkg/status": STATUS}))[0]) == ["var/lib/dpkg/status"]


def test_device_nodes_are_left_out_and_links_kept() -> None:
    device = tarfile.TarInfo("./opt/null")
    device.type = tarfile.CHRTYPE
    link = tarfile.TarInfo("./bin")
    link.type, link.linkname = tarfile.SYMTYPE, "usr/bin"
    names = layer_of(root({"var/lib/dpkg/status": STATUS}, extra=(device, link)))[0]
    assert sorted(names) == ["bin", "var/lib/dpkg/status"]


def test_installed_packages_are_listed_with_their_source() -> None:
    assert installed_packages(STATUS) == (
        Package("dash", "0.5.12-2", "amd64", "dash"),
        Package("zlib1g", "1:1.2.13.dfsg-1", "amd64", "zlib"),
    )


def test_a_root_without_a_package_database_fails() -> None:
    with pytest.raises(BaseFailed, match="no package database"):
        layer_of(root({"etc/os-release": b""}))


def test_a_stream_that_breaks_off_fails() -> None:
    whole = root({"var/lib/dpkg/status": STATUS * 100}).getvalue()
    with pytest.raises(BaseFailed, match="could not be read"):
        layer_of(io.BytesIO(whole[: len(whole) // 3]))
