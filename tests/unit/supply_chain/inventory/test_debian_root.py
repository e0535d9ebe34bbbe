"""A real Debian root, made from packages, against dpkg's own word; and, where there is one, against the standard tar."""

import hashlib
import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from lading.kernel.digest import Digest
from lading.supply_chain.inventory.files import unpack
from lading.supply_chain.inventory.layers import read_layer
from lading.supply_chain.inventory.merge import merge
from lading.supply_chain.licences import licence_of

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("mmdebstrap")]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("mmdebstrap") is None:
        pytest.skip("mmdebstrap is not installed")
    path = tmp_path_factory.mktemp("root") / "root.tar"
    command = ["mmdebstrap", "--variant=minbase", "--quiet", "bookworm", str(path)]
    made = subprocess.run(command, capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"mmdebstrap failed: {made.stderr[-300:]}")
    return path


def test_packages_equal_dpkg_query(root: Path, tmp_path: Path) -> None:
    with tarfile.open(root) as archive:
        archive.extract("./var/lib/dpkg/status", tmp_path, filter="data")
    asked = "${Package} ${Version} ${source:Package} ${source:Version} ${Architecture}\n"
    command = ["dpkg-query", f"--admindir={tmp_path}/var/lib/dpkg", "--show", f"--showformat={asked}"]
    expected = sorted(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())

    with root.open("rb") as blob:
        inventory = merge(str(Digest.of(b"i")), [read_layer(str(Digest.of(b"l")), blob)])

    found = sorted(f"{p.name} {p.version} {p.source} {p.source_version} {p.architecture}" for p in inventory.packages)
    assert found == expected
    assert inventory.gaps == ()
    assert inventory.unowned_files < inventory.files / 10


def test_every_package_says_its_licence_and_most_of_them_are_known(root: Path) -> None:
    with root.open("rb") as blob:
        inventory = merge(str(Digest.of(b"i")), [read_layer(str(Digest.of(b"l")), blob)])

    licences = [licence_of(package.licenses, package.ecosystem) for package in inventory.packages]

    assert [one for one in licences if not one.expression] == []
    assert sum(one.known for one in licences) / len(licences) > 0.7


def test_the_index_equals_the_standard_reader(root: Path) -> None:
    content = root.read_bytes()
    found = {
        f.path: (f.kind, f.mode, f.uid, f.gid, f.size, f.sha256.hex())
        for f in unpack(read_layer("x", io.BytesIO(content)).files)
    }

    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive:
            path = member.name.removeprefix("./").strip("/")
            if path in ("", "."):
                continue
            kind, mode, uid, gid, size, sha256 = found[path]
            assert (mode, uid, gid) == (member.mode, member.uid, member.gid), path
            if member.isreg():
                handle = archive.extractfile(member)
                assert handle is not None
                assert (kind, size, sha256) == ("f", member.size, hashlib.sha256(handle.read()).hexdigest()), path
