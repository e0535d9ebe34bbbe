"""What steps installed: the history of an image beside the inventories of its layers."""

from __future__ import annotations

from typing import Any

import pytest

from lading.facts import Ledger
from lading.kernel.digest import Digest
from lading.lifecycle.steps import BuildSteps
from lading.state import Database
from lading.supply_chain.inventory import Inventories, MemoryLayers
from lading.supply_chain.registry.reading import LayerRef
from tar_layers import OS_RELEASE, distribution, node_module, status, tar

BASE = tar(OS_RELEASE, status(("bash", "5.2")))
PIP = tar(distribution("flask", "3.0.0"))
NPM = tar(node_module("left-pad", "1.0.0"))


class Images(MemoryLayers):
    """Images in memory, with a history."""

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[Digest, list[dict[str, Any]]] = {}

    def config(self, digest: Digest) -> dict[str, Any]:
        return {"history": self.history.get(digest, [])}

    def layers(self, image: Digest) -> list[LayerRef]:  # type: ignore[override]
        return [LayerRef(ref.digest, ref.media_type, ref.size) for ref in super().layers(image)]


@pytest.fixture
def images() -> Images:
    return Images()


def told(images: Images, database: Database, ledger: Ledger, *asked: Any) -> list[tuple[str, str, tuple[str, ...]]]:
    steps = BuildSteps(images, Inventories(database, ledger, images))
    return [(step.stage, step.step, step.added) for step in steps.of(*asked)]


def test_layers_above_the_base_are_told_with_their_step(images: Images, database: Database, ledger: Ledger) -> None:
    base, image = images.add(BASE), images.add(BASE, PIP)
    images.history[image] = [
        {"created_by": "base"},
        {"created_by": "ENV A=b", "empty_layer": True},
        {"created_by": "RUN pip install flask"},
    ]

    assert told(images, database, ledger, image, [base]) == [("", "RUN pip install flask", ("pkg:pypi/flask@3.0.0",))]


def test_stages_are_told_where_the_image_has_not_their_layers(
    images: Images, database: Database, ledger: Ledger
) -> None:
    base, image, stage = images.add(BASE), images.add(BASE, PIP), images.add(BASE, PIP, NPM)

    assert told(images, database, ledger, image, [base], {"builder": stage, "gone": Digest.of(b"gone")}) == [
        ("", "", ("pkg:pypi/flask@3.0.0",)),
        ("builder", "", ("pkg:npm/left-pad@1.0.0",)),
    ]


def test_a_base_that_is_not_here_hides_nothing(images: Images, database: Database, ledger: Ledger) -> None:
    image = images.add(BASE)

    assert len(told(images, database, ledger, image, [Digest.of(b"gone")])) == 1


@pytest.mark.parametrize("history", [None, "x", [3], [{"created_by": "one too many"}, {}, {}]])
def test_an_odd_history_names_no_steps(images: Images, database: Database, ledger: Ledger, history: Any) -> None:
    image = images.add(BASE)
    images.history[image] = history

    assert [step for _, step, _ in told(images, database, ledger, image)] == [""]
