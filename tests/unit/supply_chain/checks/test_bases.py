"""Weaknesses of what an image is built on."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lading.supply_chain.checks.gathering import gather
from lading.supply_chain.checks.target import Target
from lading.supply_chain.inventory import ImageInventory
from lading.supply_chain.lineage.values import Base

BASE = "sha256:" + "b" * 64


@pytest.mark.parametrize(
    ("base", "found"),
    [
        (None, {}),
        (Base(digest=BASE, name="base/debian:12", age_days=180), {}),
        (Base(digest=BASE, name="base/debian:12", age_days=-1), {}),
        (Base(digest=BASE, name="base/debian:12", age_days=181, created="2026-01-01T00:00:00Z"), {"base-old": "low"}),
        (Base(digest=BASE, age_days=366, created="2025-01-01T00:00:00Z"), {"base-old": "medium"}),
        (Base(digest=BASE, name="x:1", moved_to=BASE, moved_at="2026-01-01T00:00:00Z"), {"base-outdated": "medium"}),
        (Base(digest=BASE, word="contradicted", said="y:1@sha256:0"), {"base-contradicted": "medium"}),
    ],
)
def test_a_base_is_judged_by_its_age_its_tag_and_its_word(base: Base | None, found: dict[str, str]) -> None:
    inventory = ImageInventory(image="sha256:" + "0" * 64, cataloger_version="1", layers=(), packages=())
    target = Target(of="image", inventory=inventory, at=datetime(2026, 11, 26, tzinfo=UTC), base=base)

    weaknesses = {one.rule: one.severity.label for one in gather(target) if one.rule.startswith("base-")}
    assert weaknesses == found
