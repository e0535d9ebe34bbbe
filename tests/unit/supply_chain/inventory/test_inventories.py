import pytest

from lading.facts import Ledger
from lading.facts.kinds.supply_chain import ImageInventoried, LayerInventoried
from lading.kernel.digest import Digest
from lading.state import Database
from lading.supply_chain.inventory import Inventories, MemoryLayers
from lading.supply_chain.inventory.catalogers import Catalogers, Places
from lading.supply_chain.inventory.errors import LayerMissing, NotInventoried
from lading.supply_chain.inventory.limits import Limits
from lading.supply_chain.inventory.values import Package, PackageDatabase
from tar_layers import OS_RELEASE, distribution, status, tar


class Counting(MemoryLayers):
    def __init__(self) -> None:
        super().__init__()
        self.opened: list[Digest] = []

    def open(self, layer: Digest):  # type: ignore[no-untyped-def]
        self.opened.append(layer)
        return super().open(layer)


BASE = tar(OS_RELEASE, status(("bash", "5.2")))


def test_an_image_is_inventoried_and_found_again(each_database: Database, ledger: Ledger) -> None:
    source = MemoryLayers()
    image = source.add(BASE, tar(distribution("flask", "1.0")))
    inventories = Inventories(each_database, ledger, source)

    taken = inventories.take(image)

    assert [p.name for p in taken.packages] == ["bash", "flask"]
    assert inventories.of(image) == taken
    assert "etc/os-release" in inventories.files(image)


def test_each_layer_is_read_once_whatever_images_have_it(database: Database, ledger: Ledger) -> None:
    source = Counting()
    first, second = source.add(BASE), source.add(BASE, tar(distribution("flask", "1.0")))
    inventories = Inventories(database, ledger, source)

    inventories.take(first)
    inventories.take(second)
    inventories.take(second)

    assert len(source.opened) == 2
    with database.read() as tx:
        facts = [entry.fact for entry in ledger.read(tx)]
    assert [type(fact) for fact in facts] == [LayerInventoried, ImageInventoried, LayerInventoried, ImageInventoried]
    assert isinstance(facts[3], ImageInventoried)
    assert (facts[3].layers, facts[3].reused, facts[3].ecosystems) == (2, 1, {"Debian:12": 1, "PyPI": 1})


def test_gaps_are_in_the_facts(database: Database, ledger: Ledger) -> None:
    source = MemoryLayers()
    Inventories(database, ledger, source).take(source.add(BASE[:700]))

    with database.read() as tx:
        fact = ledger.read(tx)[0].fact
    assert isinstance(fact, LayerInventoried)
    assert fact.gaps[0].startswith("layer-truncated")


def test_what_is_not_there_is_said(database: Database, ledger: Ledger) -> None:
    inventories = Inventories(database, ledger, MemoryLayers())

    with pytest.raises(LayerMissing):
        inventories.take(Digest.of(b"nothing"))
    with pytest.raises(NotInventoried):
        inventories.of(Digest.of(b"nothing"))


def test_layers_beyond_the_bound_are_not_read_and_are_a_gap(database: Database, ledger: Ledger) -> None:
    source = Counting()
    image = source.add(BASE, tar(("a", b"1")), tar(("b", b"1")))

    inventory = Inventories(database, ledger, source, limits=Limits(layers=2)).take(image)

    assert len(source.opened) == 2
    assert [str(gap) for gap in inventory.gaps] == ["image-too-many-layers: 1 layers were not read"]


class Words:
    """A cataloger of one file name, whose every line is a package."""

    def __init__(self, name: str, revision: int = 1, wanted: str = "words.txt") -> None:
        self.name = name
        self.revision = revision
        self.places = Places(names=frozenset({wanted}))
        self.most = 1000

    def wants(self, path: str) -> bool:
        return path.rpartition("/")[2] in self.places.names

    def read(self, path: str, content: bytes) -> PackageDatabase:
        packages = tuple(
            Package(purl=f"pkg:generic/{word}@{self.revision}", ecosystem=self.name, name=word, version="1", path=path)
            for word in content.decode().split()
        )
        return PackageDatabase(path=path, cataloger=self.name, packages=packages)


WORDS, OTHERS = tar(("app/words.txt", b"anchor buoy")), tar(("bin/app", b"\x7fELF"))


def opened_by(database: Database, ledger: Ledger, *catalogers: Words) -> tuple[int, list[str]]:
    """How many layers an inventory of two layers opens, and the packages it finds."""
    source = Counting()
    image = source.add(WORDS, OTHERS)
    taken = Inventories(database, ledger, source, catalogers=Catalogers(catalogers)).take(image)
    return len(source.opened), [package.name for package in taken.packages]


def test_a_new_revision_reads_only_the_layers_that_have_its_files(each_database: Database, ledger: Ledger) -> None:
    both = ["anchor", "buoy"]

    assert opened_by(each_database, ledger, Words("a")) == (2, both)
    assert opened_by(each_database, ledger, Words("a")) == (0, both)
    assert opened_by(each_database, ledger, Words("a", 2)) == (1, both)
    assert opened_by(each_database, ledger, Words("a", 2)) == (0, both)


def test_a_new_cataloger_and_one_that_is_gone_cost_what_they_concern(database: Database, ledger: Ledger) -> None:
    opened_by(database, ledger, Words("a"))

    assert opened_by(database, ledger, Words("a"), Words("b", wanted="charts.txt"))[0] == 0
    assert opened_by(database, ledger, Words("a"), Words("b", 2, wanted="app"))[0] == 1
    assert opened_by(database, ledger, Words("b", 2, wanted="app")) == (1, ["\x7fELF"])


def test_a_layer_of_an_older_version_can_still_be_asked(database: Database, ledger: Ledger) -> None:
    opened_by(database, ledger, Words("a"))
    newer = Inventories(database, ledger, MemoryLayers(), catalogers=Catalogers([Words("a", 2)]))

    assert newer.layer(Digest.of(WORDS)).package_count == 2
