"""After an upgrade: images are looked at again with the new catalogers, and judged by what is found."""

from __future__ import annotations

import msgspec
import pytest

from lading.facts.kinds.supply_chain import ImageInventoried
from lading.kernel.digest import Digest
from lading.lifecycle.reread import Rereading
from lading.supply_chain.inventory.sql import InventoryStore
from lading.supply_chain.registry.states import State
from unit.lifecycle.conftest import House


def forget_packages(house: House, image: Digest) -> None:
    """Leave the inventory as catalogers that knew nothing of Python would have left it."""
    store, older = InventoryStore(), "2+release.1"
    inventory = house.inventories.of(image)
    layers = [house.inventories.layer(Digest.parse(layer)) for layer in inventory.layers]
    with house.database.write() as tx:
        store.put_image(tx, msgspec.structs.replace(inventory, cataloger_version=older, packages=()))
        for known in layers:
            store.put_layer(tx, msgspec.structs.replace(known, cataloger_version=older, databases=()))


@pytest.fixture
def image(house: House) -> Digest:
    return Digest.parse(house.ship("gunicorn==21.2.0").images["shop/web"])


def test_what_older_catalogers_did_not_see_is_found_and_judged(house: House, image: Digest) -> None:
    forget_packages(house, image)
    house.findings.match_image(image, house.inventories.of(image))
    house.learn("PYSEC-1", "gunicorn", "22.0.0")
    rereading = Rereading(house.inventories, house.admission)

    assert rereading.step()
    assert not rereading.step()

    assert [package.name for package in house.inventories.of(image).packages] == ["gunicorn"]
    state = house.states.state(image)
    assert state is not None
    assert state.state is State.QUARANTINED


def test_an_upgrade_that_changes_nothing_states_nothing(house: House, image: Digest) -> None:
    inventory = house.inventories.of(image)
    with house.database.write() as tx:
        InventoryStore().put_image(tx, msgspec.structs.replace(inventory, cataloger_version="2+older.1"))
    told = len(house.told(ImageInventoried))

    assert Rereading(house.inventories, house.admission).step()
    assert (len(house.told(ImageInventoried)), house.inventories.outdated()) == (told, [])
    assert house.inventories.of(image) == inventory


def test_an_image_whose_layers_are_gone_is_passed_over_once(house: House, image: Digest) -> None:
    inventory = house.inventories.of(image)
    gone = str(Digest.of(b"gone"))
    with house.database.write() as tx:
        store = InventoryStore()
        store.put_image(tx, msgspec.structs.replace(inventory, image=gone, cataloger_version="1+dpkg"))
    rereading = Rereading(house.inventories, house.admission)

    assert [rereading.step(), rereading.step()] == [True, False]
