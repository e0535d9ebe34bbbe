"""Package databases that want to cost more than their share."""

import io
import json

import pytest

from lading.supply_chain.inventory.catalogers import cataloger_for
from lading.supply_chain.inventory.layers import read_layer
from lading.supply_chain.inventory.limits import Limits
from lading.supply_chain.inventory.values import LayerInventory, PackageDatabase
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
