"""What moves an image between quarantined, approved and revoked."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from lading.entrypoints.worker.followers import ToAdmit
from lading.facts.kinds.lifecycle import ImageRevocationCarriedOut
from lading.facts.kinds.policy import ExceptionGranted
from lading.facts.kinds.supply_chain import AttestationMade, FindingsChanged
from lading.kernel.clock import ManualClock, timestamp
from lading.kernel.digest import Digest
from lading.kernel.errors import LadingError, Refused
from lading.lifecycle.telling import Untold
from lading.policy.exceptions import Exceptions
from lading.policy.rule import RuleException
from lading.supply_chain.attest.statement import APPROVAL, CYCLONEDX, PROVENANCE, SCAN
from lading.supply_chain.registry.states import State
from unit.lifecycle.conftest import House


def shipped(house: House) -> Digest:
    return Digest.parse(house.ship("gunicorn==21.2.0").images["shop/web"])


def state(house: House, image: Digest) -> State:
    found = house.states.state(image)
    assert found is not None
    return found.state


def test_approval_is_proven_by_signature_contents_provenance_and_approval(house: House) -> None:
    image = shipped(house)

    attested = {fact.predicate_type for fact in house.told(AttestationMade) if fact.digest == str(image)}
    assert house.attestations.is_signed(image, "shop/web")
    assert attested >= {PROVENANCE, CYCLONEDX, SCAN, APPROVAL}
    assert len(attested) == 5


def test_the_scan_that_an_approval_rests_on_is_stated(house: House) -> None:
    house.learn("PYSEC-1", "gunicorn", "22.0.0", severity="LOW")
    image = shipped(house)

    (stated,) = (one for one in house.attestations.verify(image, "shop/web") if one.predicate_type == SCAN)
    assert stated.problem == ""
    assert stated.predicate["scanner"]["result"] == [
        {
            "id": "PYSEC-1",
            "severity": [{"method": "label", "score": "low"}],
            "component": "pkg:pypi/gunicorn@21.2.0",
        }
    ]
    assert stated.predicate["scanner"]["db"]["uri"] == "urn:lading:advisories"


def test_a_new_flaw_takes_the_approval_away(house: House) -> None:
    image = shipped(house)
    house.learn("PYSEC-1", "gunicorn", "22.0.0")

    decision = house.admission.reconsider(image, "shop/web")

    assert decision is not None
    assert [item.rule for item in decision.violations] == ["no-fixable-severe-flaw"]
    assert state(house, image) is State.QUARANTINED


def test_a_mild_flaw_leaves_the_approval(house: House) -> None:
    image = shipped(house)
    house.learn("PYSEC-1", "gunicorn", "22.0.0", severity="LOW")

    decision = house.admission.reconsider(image, "shop/web")

    assert decision is not None
    assert decision.allowed
    assert state(house, image) is State.APPROVED


def test_only_approved_images_are_reconsidered(house: House) -> None:
    image = shipped(house)
    house.revocation.revoke(image, who="person:anna", why="a test")

    assert house.admission.reconsider(image, "shop/web") is None


def test_judging_an_image_that_somebody_approved_by_hand_leaves_it_to_them(house: House) -> None:
    image = shipped(house)
    house.learn("PYSEC-1", "gunicorn", "22.0.0")
    house.admission.reconsider(image, "shop/web")
    with house.database.write() as tx:
        house.states.move(tx, image, State.APPROVED, who="person:anna", why="behind a firewall")

    verdict = house.admission.admit(image, "shop/web", Untold())

    assert not verdict.decision.allowed
    assert (verdict.state, state(house, image)) == (State.APPROVED, State.APPROVED)


def test_revoking_names_who_runs_it_and_stops_nothing(house: House) -> None:
    image = shipped(house)

    revoked = house.revocation.revoke(image, who="person:anna", why="leaked a key")

    assert [row.workload for row in revoked.running] == ["shop/web"]
    assert (revoked.state.state, revoked.state.why) == (State.REVOKED, "leaked a key")
    assert house.running() == {"shop/web": str(image)}
    (fact,) = house.told(ImageRevocationCarriedOut)
    assert fact.running == tuple(row.id for row in revoked.running)


def test_shipping_again_does_not_bring_a_revoked_image_back(house: House) -> None:
    image = shipped(house)
    house.revocation.revoke(image, who="person:anna", why="leaked a key")

    with pytest.raises(Refused):
        house.ship("gunicorn==21.2.0")

    assert state(house, image) is State.REVOKED


def test_what_was_never_pushed_cannot_be_revoked(house: House) -> None:
    with pytest.raises(LadingError):
        house.revocation.revoke(Digest.of(b"nothing"), who="person:anna", why="a test")

    assert house.told(ImageRevocationCarriedOut) == []


def held(house: House) -> Digest:
    """An image that a rule took the approval from."""
    image = shipped(house)
    house.learn("PYSEC-1", "gunicorn", "22.0.0")
    house.admission.reconsider(image, "shop/web")
    assert state(house, image) is State.QUARANTINED
    return image


def test_a_held_image_is_approved_when_the_rule_that_held_it_has_an_exception(house: House, clock: ManualClock) -> None:
    image = held(house)
    assert not house.admission.release(image)
    assert house.admission.held_by({"no-fixable-severe-flaw", "other"}) == [str(image)]
    assert house.admission.held_by({"no-fixable"}) == []

    stated = RuleException(
        reason="not reachable", owner="shop", until=timestamp(clock.now() + timedelta(days=9)), subject="image:*"
    )
    Exceptions(house.database, house.ledger, house.policy).grant("no-fixable-severe-flaw", stated, actor="person:anna")

    assert house.admission.release(image)
    assert state(house, image) is State.APPROVED
    assert house.attestations.is_signed(image, "shop/web")
    assert not house.admission.release(image)


def test_an_image_that_somebody_holds_or_revoked_is_not_released(house: House) -> None:
    image = shipped(house)
    with house.database.write() as tx:
        house.states.move(tx, image, State.QUARANTINED, who="person:anna", why="refused by me")
    assert not house.admission.release(image)
    house.revocation.revoke(image, who="person:anna", why="a test")
    assert not house.admission.release(image)
    assert not house.admission.release(Digest.of(b"unknown"))
    assert state(house, image) is State.REVOKED


def test_what_may_pass_now_is_noted_by_flaws_that_went_and_by_exceptions() -> None:
    noted = ToAdmit(ManualClock())
    said: dict[str, Any] = {"digest": "sha256:1", "by_severity": {}, "advisories": ()}

    def changed(opened: tuple[str, ...], closed: tuple[str, ...], cause: str) -> FindingsChanged:
        return FindingsChanged(opened=opened, closed=closed, cause=cause, **said)

    facts = [
        changed((), ("CVE-1",), "image-matched"),
        changed((), ("CVE-1",), "vex-changed"),
        ExceptionGranted(rule="some-rule", match="image:*", owner="o", reason="r", until="2027-01-01T00:00:00Z"),
    ]
    noted.apply(None, [SimpleNamespace(fact=fact) for fact in facts])  # type: ignore[arg-type, misc]

    assert (noted.eased, noted.excepted, noted.changed) == ({"sha256:1"}, {"some-rule"}, set())
