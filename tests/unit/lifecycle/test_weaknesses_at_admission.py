"""What rules see of the weaknesses of an image, by the same checks as a scan."""

from __future__ import annotations

from lading.kernel.digest import Digest
from lading.kernel.subject import Subject
from unit.lifecycle.conftest import House


def test_rules_see_the_weaknesses_of_an_image(house: House) -> None:
    image = Digest.parse(house.ship("jinja2==3.1.2").images["shop/web"])

    found = house.documents.of_image(image)["weaknesses"]

    assert [(one["rule"], one["severity"], one["owner"]) for one in found] == [
        ("image-without-health-check", "low", "shop")
    ]


def test_an_image_that_was_not_read_has_a_gap_and_no_weakness(house: House) -> None:
    house.ship("jinja2==3.1.2")

    assert house.checking.of(Digest.of(b"unknown")) == ()


def test_packages_of_which_no_advisory_is_known_are_told_and_warned_of(house: House) -> None:
    image = Digest.parse(house.ship("jinja2==3.1.2").images["shop/web"])
    document = house.documents.of_image(image)

    assert document["unspoken"] == [{"ecosystem": "PyPI", "packages": 1}]
    judged = house.policy.judge("deploy", Subject.image(image), document)
    assert "no advisory is known of PyPI: its 1 packages were not judged" in {
        one.message for one in judged.outcome.warnings
    }

    house.learn("GHSA-1", "flask", "2")
    assert house.documents.unspoken(image) == []
