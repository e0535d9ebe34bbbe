"""Whatever bytes a package database or a program has, its cataloger ends with a result, and tells of what it left out."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lading.supply_chain.inventory.catalogers.golang import GoCataloger
from lading.supply_chain.inventory.catalogers.rpm import RpmCataloger
from lading.supply_chain.inventory.catalogers.rpm.header import Header, HeaderDamaged
from lading.supply_chain.inventory.catalogers.rust import RustCataloger
from lading.supply_chain.inventory.catalogers.wellknown import WellKnownCataloger
from program_files import BASE, crates, elf, go_information, macho, pe, pointing_go_information

GOLDEN = Path(__file__).parents[1] / "golden" / "packages"
DATABASES = ["rpmdb.sqlite", "Packages.db", "Packages-little-endian", "Packages-big-endian"]
DAMAGE = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=12)
SLOW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@lru_cache(maxsize=4)
def golden(name: str) -> bytes:
    return zstandard.ZstdDecompressor().decompress((GOLDEN / f"{name}.zst").read_bytes(), max_output_size=1 << 24)


def damaged(content: bytes, damage: list[tuple[float, int]], within: int) -> bytes:
    """The content with some bytes changed, most of them where the structure is: at the start of pages."""
    changed = bytearray(content)
    for where, value in damage:
        at = int(where * len(changed))
        changed[at - at % 4096 + at % within if value & 1 else at] = value
    return bytes(changed)


@pytest.mark.parametrize("name", DATABASES)
@SLOW
@given(damage=DAMAGE, cut=st.integers(0, 9000), within=st.sampled_from([26, 40, 120, 400]))
def test_damaged_rpm_databases_are_read(name: str, damage: list[tuple[float, int]], cut: int, within: int) -> None:
    content = damaged(golden(name), damage, within)
    database = RpmCataloger().read("var/lib/rpm/Packages", content[: len(content) - cut])

    assert database.packages or database.gaps
    assert len(list(database.owned())) == len(database.owns)


@given(st.sampled_from(["Packages", "rpmdb.sqlite-wal"]), st.binary(max_size=2000), st.sampled_from([b"", b"RpmP\0\0\0\0", b"SQLite format 3\0"]))  # fmt: skip
def test_any_bytes_are_read_as_an_rpm_database(name: str, content: bytes, head: bytes) -> None:
    RpmCataloger().read(f"var/lib/rpm/{name}", head + content)


@given(st.binary(max_size=400), st.integers(0, 12))
def test_any_bytes_are_read_as_a_header(content: bytes, count: int) -> None:
    try:
        header = Header(count.to_bytes(4) + (64).to_bytes(4) + content)
        for tag in (1000, 1003, 1116, 1117):
            header.text(tag), header.number(tag), header.texts(tag)
    except HeaderDamaged:
        return


PROGRAMS = [
    form({".text": bytes(40), name: content})
    for form in (elf, pe, macho)
    for name, content in (
        (".go.buildinfo", go_information("go1.21.5", ["dep\tgolang.org/x/net\tv0.17.0"])),
        (".data", pointing_go_information("go1.17", ["mod\texample.com/a\tv1.0.0"], BASE + 144)),
        (".dep-v0", crates({"name": "rand", "version": "0.8.5"})),
    )
]
LOOKING = [GoCataloger(), RustCataloger(), WellKnownCataloger()]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(PROGRAMS), DAMAGE, st.integers(0, 300), st.sampled_from([26, 64, 200]))
def test_damaged_programs_are_read(program: bytes, damage: list[tuple[float, int]], cut: int, within: int) -> None:
    content = damaged(program, damage, within)
    for cataloger in LOOKING:
        cataloger.read("bin/nginx", content[: len(content) - cut])


@given(st.sampled_from(["bin/x", "a/Cargo.lock", "jre/release"]), st.sampled_from([b"", b"\x7fELF\2\1", b"MZ", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe"]), st.binary(max_size=400))  # fmt: skip
def test_any_bytes_are_read_as_a_program(path: str, head: bytes, content: bytes) -> None:
    for cataloger in LOOKING:
        cataloger.read(path, head + content)
