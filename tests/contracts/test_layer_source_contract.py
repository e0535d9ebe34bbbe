"""What every source of layers must do. The adapter over the registry joins this list where it is wired."""

import io

import pytest

from lading.kernel.digest import Digest
from lading.supply_chain.inventory import LayerSource, MemoryLayers
from lading.supply_chain.inventory.errors import LayerMissing
from tar_layers import tar

LOWER, UPPER = tar(("a", b"1")), tar(("b", b"2"))


@pytest.fixture(params=["memory"])
def source_and_image(request: pytest.FixtureRequest) -> tuple[LayerSource, Digest]:
    memory = MemoryLayers()
    return memory, memory.add(LOWER, UPPER)


def test_layers_come_lowest_first_with_digest_and_size(source_and_image: tuple[LayerSource, Digest]) -> None:
    source, image = source_and_image

    assert [(ref.digest, ref.size) for ref in source.layers(image)] == [(Digest.of(c), len(c)) for c in (LOWER, UPPER)]


def test_a_layer_opens_as_its_bytes_any_number_of_times(source_and_image: tuple[LayerSource, Digest]) -> None:
    source, _ = source_and_image
    for _ in range(2):
        with source.open(Digest.of(UPPER)) as blob:
            assert io.BytesIO(blob.read()).getvalue() == UPPER


def test_what_is_not_there_is_missing(source_and_image: tuple[LayerSource, Digest]) -> None:
    source, _ = source_and_image
    with pytest.raises(LayerMissing):
        source.layers(Digest.of(b"nothing"))
    with pytest.raises(LayerMissing):
        source.open(Digest.of(b"nothing"))
