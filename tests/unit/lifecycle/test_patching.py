"""Patches: who has a flaw, what would close it, and that it is closed by nothing else than a new image."""

from __future__ import annotations

import pytest

from lading.facts.kinds.lifecycle import PatchFinished, PatchPlanned, ShipStarted
from lading.facts.kinds.supply_chain import BaseImageMade
from lading.lifecycle.patch import PatchFailed
from unit.lifecycle.conftest import STORE, WEB, House


def test_a_plan_names_layer_owner_and_change_and_changes_nothing(house: House) -> None:
    before = house.ship("flask==3.0.0", "gunicorn==21.2.0")
    house.learn("PYSEC-1", "gunicorn", "22.0.0")
    engine = list(house.engine.log)

    result = house.patch("PYSEC-1", auto=False)

    (change,) = result.plan.changes
    assert result.outcome == "planned"
    assert (change.kind, change.package, change.version, change.fixed) == ("pin", "gunicorn", "21.2.0", "22.0.0")
    assert (change.workloads, change.owner, change.origin) == (("shop/web",), "shop", "shop/web")
    assert "raise gunicorn to 22.0.0" in result.plan.lines()[0]
    assert (house.running(), house.engine.log) == (before.images, engine)
    assert [fact.workloads for fact in house.told(PatchPlanned)] == [("shop/web",)]
    assert house.told(PatchFinished) == []


def test_a_pin_is_raised_rebuilt_replaced_and_verified(house: House) -> None:
    before = house.ship("flask==3.0.0", "gunicorn==21.2.0", commit="0123456789abcdef")
    house.learn("PYSEC-1", "gunicorn", "22.0.0")

    result = house.patch("PYSEC-1")

    assert (result.outcome, result.remaining) == ("closed", ())
    assert house.versions() == {"shop/web:flask": "3.0.0", "shop/web:gunicorn": "22.0.0"}
    assert house.running() != before.images
    assert [(fact.commit, fact.dirty) for fact in house.told(ShipStarted)] == [
        ("0123456789abcdef", False),
        ("0123456789abcdef", True),
    ]
    assert [fact.outcome for fact in house.told(PatchFinished)] == ["closed"]


def test_a_second_patch_builds_on_the_first(house: House) -> None:
    house.ship("flask==3.0.0", "gunicorn==21.2.0")
    house.learn("PYSEC-1", "gunicorn", "22.0.0")
    house.patch("PYSEC-1")
    house.learn("PYSEC-2", "flask", "3.1.0")

    assert house.patch("PYSEC-2").outcome == "closed"
    assert house.versions() == {"shop/web:flask": "3.1.0", "shop/web:gunicorn": "22.0.0"}


def test_a_flaw_of_a_base_is_closed_by_making_the_base_again(house: House) -> None:
    house.make_base()
    house.ship("flask==3.0.0", compose=WEB + STORE)
    web = house.running()["shop/web"]
    house.learn("DSA-1", "store", "7.0.2-1", ecosystem="Debian:12")
    house.archive.publish("7.0.2-1")

    result = house.patch("DSA-1")

    assert [(change.kind, change.owner) for change in result.plan.changes] == [("base", "platform")]
    assert result.outcome == "closed"
    assert house.versions()["shop/store:store"] == "7.0.2-1"
    assert house.running()["shop/web"] == web
    assert len(house.told(BaseImageMade)) == 2


def test_what_nobody_runs_needs_no_patch(house: House) -> None:
    house.ship("flask==3.0.0")
    house.ship("gunicorn==21.2.0", deploy=False)
    house.learn("PYSEC-1", "gunicorn", "22.0.0")

    assert house.patch("PYSEC-1").outcome == "nothing-to-do"
    assert [fact.outcome for fact in house.told(PatchFinished)] == ["nothing-to-do"]


def test_a_flaw_without_a_fix_is_left_to_people(house: House) -> None:
    before = house.ship("gunicorn==21.2.0")
    house.learn("PYSEC-1", "gunicorn", "")

    with pytest.raises(PatchFailed) as caught:
        house.patch("PYSEC-1")

    assert "no fixed version is known" in caught.value.remedy
    assert house.running() == before.images


def test_a_requirement_that_is_no_exact_pin_is_left_to_people(house: House) -> None:
    before = house.ship("gunicorn>=21.2.0")
    house.learn("PYSEC-1", "gunicorn", "22.0.0")

    with pytest.raises(PatchFailed, match="No file of shop pins gunicorn"):
        house.patch("PYSEC-1")

    assert house.running() == before.images


def test_a_patched_version_that_breaks_is_rolled_back_and_said_to_be(house: House) -> None:
    before = house.ship("gunicorn==21.2.0")
    house.learn("PYSEC-1", "gunicorn", "22.0.0")
    house.break_all_but(before.images)

    with pytest.raises(PatchFailed, match="rolled back"):
        house.patch("PYSEC-1")

    assert house.running() == before.images
