"""What rules see of the weaknesses of an image, by the same checks as a scan."""

from __future__ import annotations

from lading.kernel.digest import Digest
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
