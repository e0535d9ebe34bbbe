import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lading.supply_chain.inventory.catalogers.golang import GoCataloger
from lading.supply_chain.inventory.values import PackageDatabase
from program_files import BASE, GO_MAGIC, elf, go_information, macho, pe, pointing_go_information

LINES = [
    "path\texample.com/Shop/cmd/web",
    "mod\texample.com/Shop\tv1.2.3\t",
    "dep\tgithub.com/jackc/pgx/v5\tv5.5.4\th1:abc=",
    "dep\tgolang.org/x/net\tv0.20.0",
    "=>\tgithub.com/fork/net\tv0.21.0\th1:def=",
    "dep\texample.com/local\tv0.1.0",
    "=>\t./local\t(devel)\t",
    "build\t-compiler=gc",
    "build\tvcs.revision=0123456789abcdef0123456789abcdef01234567",
]
EXPECTED = [
    ("stdlib", "1.21.5"),
    ("example.com/Shop", "v1.2.3"),
    ("github.com/jackc/pgx/v5", "v5.5.4"),
    ("github.com/fork/net", "v0.21.0"),
    ("example.com/local", "(devel)"),
]


def read(content: bytes) -> PackageDatabase:
    return GoCataloger().read("usr/bin/web", content)


def found(database: PackageDatabase) -> list[tuple[str, str]]:
    return [(package.name, package.version) for package in database.packages]


INLINE = go_information("go1.21.5", LINES)


@pytest.mark.parametrize(
    "program",
    [
        elf({".text": bytes(64), ".go.buildinfo": INLINE}),
        elf({".text": bytes(64), ".go.buildinfo": INLINE}, wide=False, order=">"),
        elf({".data": bytes(32) + INLINE}),
        pe({".text": bytes(64), ".data": bytes(16) + INLINE}),
        macho({"__text": bytes(64), "__go_buildinfo": INLINE}),
        macho({"__go_buildinfo": INLINE}, universal=True),
    ],
    ids=["elf", "elf-32-big", "elf-data", "pe", "macho", "universal"],
)
def test_modules_are_read_from_each_form(program: bytes) -> None:
    database = read(program)

    assert found(database) == EXPECTED
    assert database.gaps == ()


@pytest.mark.parametrize(("wide", "order"), [(True, "<"), (True, ">"), (False, "<"), (False, ">")])
def test_programs_of_old_compilers_point_to_their_texts(wide: bool, order: str) -> None:
    at = BASE + (128 if wide else 96)
    content = pointing_go_information("go1.21.5", LINES, at, width=8 if wide else 4, order=order)

    assert found(read(elf({".go.buildinfo": content}, wide=wide, order=order))) == EXPECTED


def test_package_urls_keep_the_module_and_the_revision_of_the_program() -> None:
    packages = read(elf({".go.buildinfo": INLINE})).packages

    assert packages[1].purl == (
        "pkg:golang/example.com/shop@v1.2.3?vcs_revision=0123456789abcdef0123456789abcdef01234567"
    )  # fmt: skip
    assert packages[2].purl == "pkg:golang/github.com/jackc/pgx/v5@v5.5.4"
    assert {package.ecosystem for package in packages} == {"Go"}


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("go1.22", "1.22.0"),
        ("go1.22rc1", "1.22.0-rc.1"),
        ("go1.21.5 X:boringcrypto", "1.21.5"),
        ("go1.19.2b7", "1.19.2"),
        ("devel go1.23-7c2bd5e Fri Jan 5 2024", "1.23.0-devel"),
    ],
)
def test_the_standard_library_has_the_version_of_go(said: str, version: str) -> None:
    assert found(read(elf({".go.buildinfo": go_information(said, [])}))) == [("stdlib", version)]


def test_other_programs_say_nothing() -> None:
    for content in (
        elf({".text": b"x"}),
        pe({".text": b"x"}),
        macho({"__text": b"x"}),
        b"\xca\xfe\xba\xbe\0\0\x004" + bytes(40),
    ):
        assert read(content).says_nothing


@pytest.mark.parametrize(
    ("at", "damage"),
    [
        (32, b"\xff\xff\xff\xff\x7f"),
        (14, b"\x08\x00" + b"\xff" * 16),
        (14, b"\x07\x00" + b"\xff" * 16),
        (33, b"gX.21.5!"),
    ],
)
def test_damaged_build_information_is_a_gap(at: int, damage: bytes) -> None:
    program = bytearray(elf({".text": bytes(64), ".go.buildinfo": go_information("go1.21.5", [])}))
    start = program.index(GO_MAGIC) + at
    program[start : start + len(damage)] = damage

    assert [gap.kind for gap in read(bytes(program)).gaps] == ["package-metadata-unreadable"]


def test_a_program_that_is_cut_short_is_a_gap() -> None:
    program = elf({".text": bytes(64), ".go.buildinfo": INLINE})

    assert [gap.kind for gap in read(program[: program.index(GO_MAGIC) + 40]).gaps] == ["package-metadata-unreadable"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("go") is None, reason="Go is not installed")
def test_a_program_that_go_builds_now_is_read(tmp_path: Path) -> None:
    (tmp_path / "dep").mkdir()
    (tmp_path / "go.mod").write_text(
        "module example.com/shop\n\ngo 1.18\n\nrequire example.com/dep v1.2.3\n\nreplace example.com/dep => ./dep\n"
    )
    (tmp_path / "main.go").write_text('package main\n\nimport "example.com/dep"\n\nfunc main() { println(dep.Word) }\n')
    (tmp_path / "dep/go.mod").write_text("module example.com/dep\n\ngo 1.18\n")
    (tmp_path / "dep/dep.go").write_text('package dep\n\nconst Word = "anchor"\n')
    command = ["go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", "shop", "."]
    environment = os.environ | {"GOFLAGS": "-mod=mod", "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    built = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert built.returncode == 0, built.stderr

    version = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout.strip()
    database = read((tmp_path / "shop").read_bytes())

    names = dict(found(database))
    assert set(names) == {"stdlib", "example.com/shop", "example.com/dep"}
    assert f"go{names['stdlib']}" in (version, f"{version}.0")
