"""Package databases that want to cost more than their share."""

import io
import json
import sqlite3
import struct

import pytest

from lading.supply_chain.inventory.catalogers import CATALOGERS, cataloger_for
from lading.supply_chain.inventory.layers import read_layer
from lading.supply_chain.inventory.limits import Limits
from lading.supply_chain.inventory.values import LayerInventory, PackageDatabase
from program_files import elf
from tar_layers import STATUS, entry, node_module, tar


def read(path: str, content: bytes) -> PackageDatabase:
    cataloger = cataloger_for(path)
    assert cataloger is not None
    return cataloger.read(path, content)


def layer(content: bytes, **limits: int) -> LayerInventory:
    return read_layer("sha256:x", io.BytesIO(content), Limits(**limits))


def test_a_line_of_blanks_is_read_in_a_moment() -> None:
    blanks = b" " * 2_000_000
    assert read(STATUS, b"Package:" + blanks + b"x\nVersion: 1\nSource: a" + blanks + b"(1\n\n").packages[0].name == "x"


def test_a_database_of_too_many_packages_is_a_gap() -> None:
    database = read(STATUS, b"Package: a\nVersion: 1\n\n" * 100_010)

    assert len(database.packages) == 100_000
    assert database.gaps[0].detail == "it has more than 100000 packages"


def test_a_lock_file_is_read_up_to_its_bound() -> None:
    packages = {f"node_modules/p{n}": {"version": "1.0.0"} for n in range(100_010)}

    assert len(read("package-lock.json", json.dumps({"packages": packages}).encode()).packages) == 100_000


@pytest.mark.parametrize("bound", [{"packages": 3}, {"databases": 3}, {"database_bytes": 100}])
def test_a_layer_of_too_many_databases_keeps_the_first_and_tells_of_the_others(bound: dict[str, int]) -> None:
    inventory = layer(tar(*(node_module(f"p{n}", "1.0.0") for n in range(10))), **bound)

    assert 0 < inventory.package_count <= 3
    assert {gap.kind for gap in inventory.gaps} == {"package-database-unread"}


def test_owned_paths_are_bounded() -> None:
    inventory = layer(tar(("var/lib/dpkg/info/a.list", b"/a\n" * 1000)), owned=100)

    assert inventory.databases == ()
    assert [gap.kind for gap in inventory.gaps] == ["package-database-unread"]


def test_a_package_file_larger_than_its_cataloger_reads_is_a_gap() -> None:
    inventory = layer(tar(entry("a/x.dist-info/METADATA", b"Name: x\n" * 600_000)))

    assert [gap.kind for gap in inventory.gaps] == ["package-database-unreadable"]


def test_a_database_that_is_replaced_over_and_over_is_read_a_bounded_number_of_times() -> None:
    inventory = layer(tar(*(node_module("p", f"1.0.{n}") for n in range(30))), again=10)

    assert {gap.kind for gap in inventory.gaps} == {"package-database-unread"}


def test_names_of_files_never_come_to_more_than_their_share() -> None:
    """A long directory and very many files in it."""
    many = b"P:a\nV:1\nF:" + b"d" * 4_000 + b"\n" + b"R:x\n" * 200_000 + b"\n"
    long = b"P:a\nV:1\nF:" + b"d" * 200_000 + b"\n" + b"R:x\n" * 200_000 + b"\n"

    assert [gap.detail for gap in read("lib/apk/db/installed", many).gaps] == ["it lists too many files"]
    assert sum(map(len, read("lib/apk/db/installed", long).owns)) == 200_000


def rpm_header(*values: tuple[int, int, int, bytes]) -> bytes:
    index, store = b"", b""
    for tag, kind, count, content in values:
        index += struct.pack(">IIII", tag, kind, len(store), count)
        store += content + bytes(-len(content) % 4)
    return struct.pack(">II", len(values), len(store)) + index + store


def test_files_of_an_rpm_package_never_come_to_more_than_their_share() -> None:
    count = 60_000
    blob = rpm_header(
        (1000, 6, 1, b"a\0"), (1001, 6, 1, b"1\0"), (1002, 6, 1, b"1\0"),
        (1116, 4, count, bytes(4 * count)), (1117, 8, count, b"\0" * count), (1118, 8, 1, b"/" + b"d" * 4_000 + b"\0"),
    )  # fmt: skip
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB NOT NULL)")
    database.execute("INSERT INTO Packages VALUES (1, ?)", (blob,))
    content = database.serialize()
    database.close()

    found = read("var/lib/rpm/rpmdb.sqlite", content)

    assert [gap.detail for gap in found.gaps] == ["header 1: its list of files is too long"]


def test_a_program_of_digits_and_one_of_overlapping_segments_are_read_in_a_moment() -> None:
    digits = elf({".rodata": b"1" * 8_000_000})
    assert read_program("bin/bash", digits) == 0

    segment = struct.pack("<IIQQQQQQ", 1, 6, 0, 0, 0, 8_000_000, 8_000_000, 1)
    head = elf({})[:64]
    overlapping = head[:32] + struct.pack("<Q", 64) + bytes(8) + head[48:56] + struct.pack("<HHHH", 60_000, 64, 0, 0)
    assert read_program("bin/x", overlapping + segment * 20_000 + bytes(8_000_000)) == 0


def read_program(path: str, content: bytes) -> int:
    return sum(len(one.read(path, content).packages) for one in CATALOGERS.wanting(path, "elf"))
