import shutil
import subprocess
import zlib
from pathlib import Path

import pytest

from lading.supply_chain.inventory.catalogers import cataloger_for
from lading.supply_chain.inventory.catalogers.rust import RustCataloger
from lading.supply_chain.inventory.values import PackageDatabase
from program_files import crates, elf, macho, pe

CRATES = [
    {"name": "shop", "version": "0.3.0", "source": "local", "dependencies": [1, 2], "root": True},
    {"name": "serde_json", "version": "1.0.117", "source": "crates.io"},
    {"name": "cc", "version": "1.0.90", "source": "crates.io", "kind": "build"},
]
LOCK = b"""version = 3

[[package]]
name = "shop"
version = "0.3.0"
dependencies = ["rand"]

[[package]]
name = "rand"
version = "0.8.5"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "34af8d1a0e25924bc5b7c43c079c942339d8f0a8b57c39049bef581b46327404"
"""


def read(content: bytes, path: str = "usr/bin/shop") -> PackageDatabase:
    return RustCataloger().read(path, content)


@pytest.mark.parametrize("form", [elf, pe, macho])
def test_crates_in_a_program_are_read(form: object) -> None:
    packages = read(form({".text": b"x" * 40, ".dep-v0": crates(*CRATES)})).packages  # type: ignore[operator]

    assert [(p.purl, p.ecosystem, p.declared_only) for p in packages] == [
        ("pkg:cargo/shop@0.3.0", "crates.io", False),
        ("pkg:cargo/serde_json@1.0.117", "crates.io", False),
    ]


def test_other_programs_say_nothing() -> None:
    assert read(elf({".text": b"x"})).says_nothing


@pytest.mark.parametrize(
    "section",
    [
        b"junk",
        crates(*CRATES)[:-20],
        zlib.compress(b"[]"),
        zlib.compress(b'{"packages": 3}'),
        zlib.compress(b'{"packages": [{"name": "a"}]}'),
        zlib.compress(b'{"packages": [{"name": "../a", "version": "1"}]}'),
        zlib.compress(bytes(20 << 20)),
        zlib.compress(b"[" * 200_000),
    ],
    ids=["junk", "short", "list", "number", "no-version", "name", "bomb", "deep"],
)
def test_a_damaged_list_of_crates_is_a_gap(section: bytes) -> None:
    database = read(elf({".dep-v0": section}))

    assert ([p.name for p in database.packages], [gap.kind for gap in database.gaps]) == (
        [],
        ["package-metadata-unreadable"],
    )


def test_a_lock_file_says_what_is_declared() -> None:
    assert [(p.name, p.version, p.declared_only) for p in read(LOCK, "src/Cargo.lock").packages] == [
        ("rand", "0.8.5", True)
    ]


@pytest.mark.parametrize("content", [b"\xff", b"a = [", b"package = 3", b"[[package]]\nname = 3\nsource = 'x'\n"])
def test_a_damaged_lock_file_is_a_gap(content: bytes) -> None:
    assert [gap.kind for gap in read(content, "src/Cargo.lock").gaps] == ["package-metadata-unreadable"]


def test_lock_files_of_kept_sources_are_left_alone() -> None:
    assert cataloger_for("app/Cargo.lock") is not None
    assert cataloger_for("usr/local/cargo/registry/src/index/rand-0.8.5/Cargo.lock") is None


def test_the_section_of_a_program_that_cargo_auditable_built_is_read() -> None:
    section = (Path(__file__).parents[3] / "golden/packages/dep-v0").read_bytes()

    packages = read(elf({".dep-v0": section})).packages

    assert [(package.name, package.version) for package in packages] == [("hello", "0.1.0"), ("itoa", "1.0.11")]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cargo-auditable") is None, reason="cargo-auditable is not installed")
def test_a_program_that_cargo_auditable_builds_now_is_read(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/main.rs").write_text("fn main() {}\n")
    (tmp_path / "Cargo.toml").write_text('[package]\nname = "dory"\nversion = "0.4.2"\n')
    subprocess.run(["cargo", "auditable", "build", "--offline"], cwd=tmp_path, check=True, capture_output=True)

    packages = read((tmp_path / "target/debug/dory").read_bytes()).packages

    assert [(package.name, package.version) for package in packages] == [("dory", "0.4.2")]
