"""Whatever a file holds, its cataloger says what is there or tells a gap: it never raises."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lading.supply_chain.inventory.catalogers import CATALOGERS, cataloger_for
from lading.supply_chain.inventory.catalogers.dotnet import DotnetBundleCataloger
from lading.supply_chain.inventory.catalogers.java.manifest import parse_manifest
from lading.supply_chain.inventory.values import PackageDatabase

MADE = Path(__file__).parents[1] / "unit" / "supply_chain" / "inventory" / "made"
FILES = sorted(path for path in MADE.rglob("*") if path.is_file() and path.name != "README.md")
PATHS = [path.relative_to(MADE).as_posix() for path in FILES]
EDIT = st.tuples(st.floats(0, 1), st.binary(max_size=6), st.integers(0, 6))
FRAGMENTS = [b"[[package]]\n", b'name = "a"\n', b'version = "1"\n', b"packages:\n", b"  a@1.0.0:\n", b"lockfileVersion: 9\n",
             b"GEM\n", b"    a (1.0)\n", b"# yarn lockfile v1\n", b'"a@1":\n', b'  version "1"\n', b"__metadata:\n", b"{", b"}", b'"packages": ',
             b"[", b"]", b'"name":"a/b",', b'"libraries":', b"s.name = 'a'\n", b"\xff", b"'", b"a==1\n", b"null", b":", b"\n"]  # fmt: skip


def checked(database: PackageDatabase, path: str) -> None:
    assert database.path == path
    for package in database.packages:
        assert package.name and package.version and package.purl.startswith("pkg:")
        assert package.path.partition("!/")[0] == path
    assert all(not owned.startswith("/") for owned in database.owns)


def read(path: str, content: bytes) -> None:
    cataloger = cataloger_for(path)
    assert cataloger is not None
    checked(cataloger.read(path, content), path)


@pytest.mark.parametrize("path", PATHS)
@settings(max_examples=25, deadline=None)
@given(st.one_of(st.binary(max_size=400), st.lists(st.sampled_from(FRAGMENTS), max_size=30).map(b"".join)))
def test_any_bytes_are_read(path: str, content: bytes) -> None:
    read(path, content)


@pytest.mark.parametrize("path", PATHS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(EDIT, min_size=1, max_size=6))
def test_damaged_files_are_read(path: str, edits: list[tuple[float, bytes, int]]) -> None:
    content = (MADE / path).read_bytes()
    for where, put, gone in edits:
        at = int(where * len(content))
        content = content[:at] + put + content[at + gone :]
    read(path, content)


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=8, max_size=8), st.binary(max_size=120))
def test_any_bundle_is_read(header: bytes, rest: bytes) -> None:
    marker = bytes.fromhex("8b1202b96a612038727b930214d7a03213f5b9e6efae3318ee3b2dce24b36aae")
    checked(DotnetBundleCataloger().read("app", header + marker + rest), "app")
    small = (int.from_bytes(header[:1]) % 120).to_bytes(8, "little")
    checked(DotnetBundleCataloger().read("app", small + marker + rest), "app")


@given(st.text(max_size=300))
def test_any_manifest_is_read(text: str) -> None:
    assert all(name == name.lower() for name in parse_manifest(text.encode("utf-8", "surrogatepass")))


@given(st.text(st.sampled_from(list("abc./-_@")) | st.characters(), max_size=80))
def test_any_path_is_wanted_or_not(path: str) -> None:
    for cataloger in CATALOGERS:
        assert cataloger.wants(path) in (True, False)
