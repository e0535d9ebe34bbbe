"""Ships over rooms in memory: what is deployed, what is refused, and what stays as it was."""

from __future__ import annotations

import pytest

from lading.facts.kinds.lifecycle import ShipFinished, ShipStarted
from lading.facts.kinds.supply_chain import AttestationMade, ImageBuilt
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput, NotFound, Refused
from lading.supply_chain.attest.statement import PROVENANCE
from lading.supply_chain.build.errors import BaseUnknown, BuildFailed, SourceInvalid
from unit.lifecycle.conftest import DOCKERFILE, STORE, WEB, House


def state(house: House, image: str) -> str:
    found = house.states.state(Digest.parse(image))
    assert found is not None
    return str(found.state)


def test_a_source_becomes_what_runs(house: House) -> None:
    result = house.ship("flask==3.0.0", commit="0123456789abcdef", dirty=True)

    image = result.images["shop/web"]
    assert result.outcome == "deployed"
    assert house.running() == {"shop/web": image}
    assert house.versions() == {"shop/web:flask": "3.0.0"}
    assert state(house, image) == "approved"
    assert house.registry.resolve("shop/web", "0123456789ab-dirty").digest == Digest.parse(image)
    assert [(fact.commit, fact.dirty) for fact in house.told(ShipStarted)] == [("0123456789abcdef", True)]
    assert [(fact.outcome, fact.images) for fact in house.told(ShipFinished)] == [("deployed", result.images)]
    assert [fact.digest for fact in house.told(ImageBuilt)] == [image]


def test_shipping_the_same_again_changes_nothing_and_attests_only_that_it_was_built_again(house: House) -> None:
    first = house.ship("flask==3.0.0")
    engine, attested = list(house.engine.log), len(house.told(AttestationMade))

    again = house.ship("flask==3.0.0")

    assert (again.outcome, again.images) == ("unchanged", first.images)
    assert house.engine.log == engine
    assert [fact.predicate_type for fact in house.told(AttestationMade)[attested:]] == [PROVENANCE]


def test_a_severe_flaw_with_a_fix_is_refused_and_what_runs_stays(house: House) -> None:
    before = house.ship("flask==3.0.0")
    house.learn("PYSEC-1", "gunicorn", "22.0.0")

    with pytest.raises(Refused):
        house.ship("gunicorn==21.2.0")

    assert house.running() == before.images
    assert any("raise gunicorn 21.2.0 to 22.0.0" in line for line in house.heard.said)
    assert [fact.outcome for fact in house.told(ShipFinished)] == ["deployed", "refused"]
    assert state(house, house.told(ImageBuilt)[-1].digest) == "quarantined"


def test_a_mended_source_passes_after_a_refusal(house: House) -> None:
    house.learn("PYSEC-1", "gunicorn", "22.0.0")
    with pytest.raises(Refused):
        house.ship("gunicorn==21.2.0")

    assert house.ship("gunicorn==22.0.0").outcome == "deployed"


def test_a_workload_that_asks_too_much_is_refused_although_its_image_is_fine(house: House) -> None:
    with pytest.raises(Refused, match="Workload shop/web"):
        house.ship("flask==3.0.0", compose=WEB + "    privileged: true\n")

    assert house.running() == {}
    assert state(house, house.told(ImageBuilt)[-1].digest) == "approved"


def test_without_deployment_the_image_is_judged_and_nothing_runs(house: House) -> None:
    result = house.ship("flask==3.0.0", deploy=False)

    assert (result.outcome, house.running()) == ("built", {})
    assert state(house, result.images["shop/web"]) == "approved"


def test_an_image_of_the_registry_runs_beside_what_is_built(house: House) -> None:
    house.make_base()

    house.ship("flask==3.0.0", compose=WEB + STORE)

    assert set(house.running()) == {"shop/web", "shop/store"}
    assert house.versions()["shop/store:store"] == "7.0.1-1"


def test_an_image_that_nobody_has_is_named(house: House) -> None:
    with pytest.raises(BaseUnknown, match="base/store:12"):
        house.ship("flask==3.0.0", compose=WEB + STORE)

    assert [fact.outcome for fact in house.told(ShipFinished)] == ["failed"]


def test_a_version_that_is_never_healthy_gives_way_to_the_one_before(house: House) -> None:
    before = house.ship("flask==3.0.0")
    house.break_all_but(before.images)

    result = house.ship("flask==3.1.0")

    assert result.outcome == "rolled-back"
    assert result.reason
    assert house.running() == before.images


def test_a_failing_step_leaves_what_runs(house: House) -> None:
    before = house.ship("flask==3.0.0")
    broken = {"compose.yaml": WEB, "web/Dockerfile": DOCKERFILE + "RUN make\n", "web/requirements.txt": "flask==3.0.0"}

    with pytest.raises(BuildFailed):
        house.ships.ship("ship-2", house.request(broken), "person:anna", house.heard)

    assert house.running() == before.images
    assert [fact.outcome for fact in house.told(ShipFinished)] == ["deployed", "failed"]


def test_a_directory_with_only_a_dockerfile_is_an_application(house: House) -> None:
    files = {"Dockerfile": DOCKERFILE, "requirements.txt": "flask==3.0.0"}

    result = house.ships.ship("s", house.request(files, team="shop", deploy=False), "person:anna", house.heard)

    assert set(result.images) == {"shop/app"}


def test_an_application_without_a_team_is_not_begun(house: House) -> None:
    with pytest.raises(InvalidInput, match="belongs to no team"):
        house.ship("flask==3.0.0", compose=WEB.replace("x-lading: {team: shop}\n", ""))

    assert house.told(ShipStarted) == []


def test_a_source_without_anything_to_ship_is_not_begun(house: House) -> None:
    request = house.request({"README": "nothing"})

    with pytest.raises(SourceInvalid):
        house.ships.ship("s", request, "person:anna", house.heard)

    assert house.told(ShipStarted) == []


def test_a_source_that_was_never_uploaded_is_not_found(house: House) -> None:
    request = house.request({"README": "x"})
    house.sources.path(Digest.parse(request.source)).unlink()

    with pytest.raises(NotFound):
        house.ships.ship("s", request, "person:anna", house.heard)


def test_the_provenance_says_what_each_step_above_the_base_installed(house: House) -> None:
    image = Digest.parse(house.ship("flask==3.0.0").images["shop/web"])

    verified = house.attestations.verify(image, "shop/web")
    told = next(one.predicate for one in verified if one.predicate_type == PROVENANCE)
    layers = [item for item in told["runDetails"]["byproducts"] if item["name"] == "layer"]
    assert [item["annotations"]["added"] for item in layers] == [["pkg:pypi/flask@3.0.0"]]
