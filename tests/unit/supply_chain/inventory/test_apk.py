import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.kernel.digest import Digest
from lading.supply_chain.inventory.catalogers.apk import ApkCataloger
from lading.supply_chain.inventory.layers import read_layer
from lading.supply_chain.inventory.merge import merge
from lading.supply_chain.inventory.values import ImageInventory
from tar_layers import distribution, tar

INSTALLED = "lib/apk/db/installed"
RECORDS = b"""C:Q1qKcZ+j23xssAXmgQhkOO8dHnbWw=
P:libcrypto3
V:3.3.1-r3
A:x86_64
S:1712345
I:4640768
T:Crypto library from openssl
U:https://www.openssl.org/
L:Apache-2.0
o:openssl
m:A Maintainer <maintainer@example.invalid>
t:1718000000
c:abcdef
D:so:libc.musl-x86_64.so.1
p:so:libcrypto.so.3=3
F:etc
F:etc/ssl
R:openssl.cnf
Z:Q1wGuxVEOK9iGLj1i8ZZ4CBdNKWHg=
F:lib
R:libcrypto.so.3
a:0:0:755
Z:Q1abc=

C:Q1two=
P:musl
V:1.2.5-r0
A:x86_64
L:MIT
o:musl
F:lib
R:ld-musl-x86_64.so.1
a:0:0:755

"""


def release(identity: str, number: str, version: str = "") -> tuple[str, bytes]:
    return "etc/os-release", f'ID={identity}\nVERSION_ID="{number}"\nVERSION="{version}"\n'.encode()


def merged(*members: tuple[str, bytes]) -> ImageInventory:
    layer = tar(*members)
    return merge(str(Digest.of(b"image")), [read_layer(str(Digest.of(layer)), io.BytesIO(layer))])


def test_packages_have_their_origin_release_and_package_url() -> None:
    inventory = merged(release("alpine", "3.20.3"), (INSTALLED, RECORDS))

    found = [(p.name, p.ecosystem, p.source, p.source_version, p.licenses, p.purl) for p in inventory.packages]
    assert found == [
        ("libcrypto3", "Alpine:v3.20", "openssl", "3.3.1-r3", ("Apache-2.0",),
         "pkg:apk/alpine/libcrypto3@3.3.1-r3?arch=x86_64&distro=alpine-3.20.3"),
        ("musl", "Alpine:v3.20", "musl", "1.2.5-r0", ("MIT",), "pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-3.20.3"),
    ]  # fmt: skip
    assert inventory.gaps == ()


def test_files_of_packages_are_known_with_their_owner() -> None:
    owned = list(ApkCataloger().read(INSTALLED, RECORDS).owned())

    assert owned == [("etc/ssl/openssl.cnf", "libcrypto3"), ("lib/libcrypto.so.3", "libcrypto3"), ("lib/ld-musl-x86_64.so.1", "musl")]  # fmt: skip
    files = [(INSTALLED, RECORDS), ("lib/libcrypto.so.3", b"1"), ("lib/mine.so", b"2"), release("alpine", "3.20.3")]
    assert merged(*files).unowned_files == 1


@pytest.mark.parametrize(
    ("identity", "number", "ecosystem"),
    [
        ("alpine", "3.21_alpha20240807", "Alpine:edge"),
        ("alpine", "3.9", "Alpine:v3.9"),
        ("wolfi", "20230201", "Wolfi"),
        ("chainguard", "20230214", "Chainguard"),
    ],
)
def test_distributions_are_named_as_advisories_name_them(identity: str, number: str, ecosystem: str) -> None:
    assert {p.ecosystem for p in merged(release(identity, number), (INSTALLED, RECORDS)).packages} == {ecosystem}


def test_the_list_is_found_where_directories_were_merged() -> None:
    assert len(merged(release("wolfi", "20230201"), ("usr/lib/apk/db/installed", RECORDS)).packages) == 2


def test_what_a_distribution_s_package_owns_is_the_distribution_s_to_mend() -> None:
    path, content = distribution("six", "1.16.0")
    directory, _, name = path.rpartition("/")
    record = f"P:py3-six\nV:1.16.0-r9\nA:noarch\no:py3-six\nF:{directory}\nR:{name}\n\n".encode()
    inventory = merged(release("alpine", "3.20.3"), (INSTALLED, record), (path, content))

    assert {p.name: p.provided_by for p in inventory.packages} == {"py3-six": "", "six": "py3-six"}


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"P:a\n\n", b"V:1\n\n", RECORDS[:-30], b"ADB.\x01\x02", b"P:a\0\nV:1\n\n", b"\xff" * 40]
)
def test_a_damaged_list_is_a_gap(content: bytes) -> None:
    assert "package-database-unreadable" in {gap.kind for gap in ApkCataloger().read(INSTALLED, content).gaps}


def test_a_list_that_is_gone_is_a_gap() -> None:
    assert [gap.path for gap in merged(release("alpine", "3.20.3"), ("bin/busybox", b"1")).gaps] == [INSTALLED]


@given(st.one_of(st.binary(max_size=400), st.lists(st.sampled_from(RECORDS.split(b"\n"))).map(b"\n".join)))
def test_any_content_is_read(content: bytes) -> None:
    database = ApkCataloger().read(INSTALLED, content)

    assert database.packages or database.gaps
    assert len(list(database.owned())) == len(database.owns)
