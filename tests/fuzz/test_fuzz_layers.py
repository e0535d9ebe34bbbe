"""Whatever bytes a layer has, reading it ends with a result: it never raises, hangs or writes anything."""

import gzip
import io

import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lading.supply_chain.inventory.catalogers import CATALOGERS
from lading.supply_chain.inventory.files import unpack
from lading.supply_chain.inventory.layers import read_layer
from lading.supply_chain.inventory.limits import Limits
from lading.supply_chain.inventory.merge import merge
from lading.supply_chain.inventory.paths import clean
from tar_layers import OS_RELEASE, directory, distribution, entry, hardlink, node_module, status, symlink, tar

SMALL = Limits(bytes=4 << 20, ratio_grace=1 << 20, entries=200, notes=20)
GOOD = tar(
    directory("usr"), OS_RELEASE, status(("bash", "5.2", "src")), distribution("flask", "1.0"), node_module("@a/b", "1.0.0"),
    symlink("x", "usr"), hardlink("y", "etc/os-release"), entry("é" * 120, b"z", uid=1 << 40), ("a/.wh.b", b""), (".wh..wh..opq", b""),
)  # fmt: skip
PACKED = (GOOD, gzip.compress(GOOD), zstandard.compress(GOOD))


def read_and_merge(content: bytes) -> None:
    layer = read_layer("sha256:x", io.BytesIO(content), SMALL)
    assert len(list(unpack(layer.files))) == layer.file_count
    merge("sha256:i", [layer, layer])


@given(st.binary(max_size=3000))
@example(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03")
@example(b"\x28\xb5\x2f\xfd")
def test_any_bytes_are_read(content: bytes) -> None:
    read_and_merge(content)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.sampled_from(PACKED),
    st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=8),
    st.integers(0, len(GOOD)),
)
def test_damaged_layers_are_read(good: bytes, damage: list[tuple[int, int]], cut: int) -> None:
    content = bytearray(good)
    for at, value in damage:
        content[at % len(content)] = value
    read_and_merge(bytes(content[: len(content) - cut % 700]))


def with_checksum(header: bytearray) -> bytes:
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(range(0, 2048, 512)), st.lists(st.tuples(st.integers(0, 499), st.integers(0, 255)), max_size=12))
def test_headers_with_a_right_checksum_and_odd_fields_are_read(block: int, damage: list[tuple[int, int]]) -> None:
    header = bytearray(GOOD[block : block + 512])
    for at, value in damage:
        header[at] = value
    read_and_merge(GOOD[:block] + with_checksum(header) + GOOD[block + 512 :])


@given(st.sampled_from(list(CATALOGERS)), st.sampled_from(
    ["var/lib/dpkg/status", "var/lib/dpkg/info/a.list", "a/x.dist-info/METADATA", "a/x.dist-info/RECORD", "node_modules/x/package.json", "package-lock.json"]
), st.one_of(st.binary(max_size=500), st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass"))))  # fmt: skip
def test_catalogers_take_any_content(cataloger: object, path: str, content: bytes) -> None:
    cataloger.read(path, content)  # type: ignore[attr-defined]


@given(st.text(alphabet=st.sampled_from("ab./\udcff\x00é"), max_size=40))
def test_a_cleaned_path_never_leaves_the_root(raw: str) -> None:
    path, _ = clean(raw)

    assert not path.startswith("/")
    assert not path.endswith("/")
    assert ".." not in path.split("/")
    path.encode()
