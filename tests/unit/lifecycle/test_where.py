"""Where something is: by flaw, alias, package, image, team and licence; whose, since when, fixed by what."""

from __future__ import annotations

import msgspec
import pytest

from lading.kernel.clock import ManualClock
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.lifecycle.where import Answer, Where
from lading.supply_chain.match.whereabouts import Whereabouts
from lading.supply_chain.registry.listing import Listings
from lading.wiring.adapters import RegistryOwners
from unit.lifecycle.conftest import House
from unit.lifecycle.test_reports_of_other_tools import FIXTURES, take


@pytest.fixture
def where(house: House) -> Where:
    return Where(
        whereabouts=Whereabouts(house.database), listings=Listings(house.database), registry=house.registry,
        deployments=house.deployments, reports=house.reports, owners=RegistryOwners(house.registry),
        teams=lambda: ["shop", "platform"],
    )  # fmt: skip


def everyone(_team: str, _repository: str) -> bool:
    return True


def ask(where: Where, what: str, kind: str = "", limit: int = 200) -> Answer:
    return where.find(what, everyone, kind=kind, limit=limit)


def test_a_flaw_is_found_by_every_name_with_owner_moment_and_fix(house: House, where: Where) -> None:
    image = house.ship("jinja2==3.1.2").images["shop/web"]
    house.learn("CVE-2024-22195", "jinja2", "3.1.3", severity="MODERATE")

    found = ask(where, "CVE-2024-22195")

    (row,), (container,) = found.images, found.containers
    assert (found.kind, found.total, row["digest"]) == ("flaw", 1, image)
    assert (row["package"], row["fixed"], row["team"], row["owner"]) == ("jinja2", "3.1.3", "shop", "shop")
    assert row["since"] == "2026-01-01T00:00:00.000000Z"
    assert (container["workload"], container["fixed"], container["since"]) == ("shop/web", "3.1.3", row["since"])


def test_since_when_survives_that_more_is_known(house: House, where: Where, clock: ManualClock) -> None:
    house.ship("jinja2==3.1.2")
    house.learn("CVE-1", "jinja2", "3.1.3", severity="LOW")
    before = ask(where, "CVE-1").images[0]["since"]
    clock.sleep(86_400)
    house.advisories.import_osv("other", [msgspec.json.encode({"id": "CVE-1", "modified": "2026-02-01T00:00:00Z", "affected": [
        {"package": {"ecosystem": "PyPI", "name": "jinja2"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.1.9"}]}]}]})])  # fmt: skip
    house.findings.catch_up()

    (row,) = ask(where, "CVE-1").images
    assert (row["fixed"], row["since"]) == ("3.1.9", before)


def test_what_only_another_tool_knows_is_found_too(house: House, where: Where) -> None:
    image = Digest.parse(house.ship("jinja2==3.1.2").images["shop/web"])
    take(house, image, (FIXTURES / "trivy-flaws.json").read_bytes())

    found = ask(where, "CVE-2099-0001")
    assert [(row["digest"], row["fixed"]) for row in found.images] == [(str(image), "3.1.9")]
    assert [row["workload"] for row in found.containers] == ["shop/web"]


@pytest.mark.parametrize("what", ["jinja2", "jinja2@3.1.2", "pkg:pypi/jinja2@3.1.2"])
def test_a_package_is_found_with_and_without_its_version(house: House, where: Where, what: str) -> None:
    house.ship("jinja2==3.1.2")
    found = ask(where, what)
    assert (found.kind, [row["version"] for row in found.images]) == ("package", ["3.1.2"])
    assert found.images[0]["since"] == found.images[0]["pushed"]
    assert ask(where, "jinja2@3.1.9").kind == "nothing"


def test_an_image_is_found_by_digest_and_by_tag(house: House, where: Where) -> None:
    image = house.ship("jinja2==3.1.2").images["shop/web"]
    row = ask(where, image).images[0]
    for what in (image, f"{row['repository']}:{row['tags'][0]}"):
        found = ask(where, what)
        assert (found.kind, [one["digest"] for one in found.images]) == ("image", [image])
        assert [one["workload"] for one in found.containers] == ["shop/web"]


def test_a_team_is_found_with_all_that_is_its_own(house: House, where: Where) -> None:
    image = house.ship("jinja2==3.1.2").images["shop/web"]
    found = ask(where, "shop")
    assert (found.kind, image in {row["digest"] for row in found.images}) == ("team", True)
    assert [row["workload"] for row in found.containers] == ["shop/web"]


def test_a_licence_is_found_by_its_id_in_an_expression(house: House, where: Where) -> None:
    image = Digest.parse(house.ship("jinja2==3.1.2").images["shop/web"])
    inventory = house.inventories.of(image)
    packages = tuple(msgspec.structs.replace(one, licenses=("MIT OR Apache-2.0",)) for one in inventory.packages)
    house.findings.match_image(image, msgspec.structs.replace(inventory, packages=packages))

    for what in ("MIT", "apache-2.0", "MIT OR Apache-2.0"):
        found = ask(where, what)
        assert (found.kind, {row["what"] for row in found.images}) == ("licence", {"MIT OR Apache-2.0"})
    house.findings.match_image(image, inventory)
    assert ask(where, "MIT").kind == "nothing"


def test_others_things_are_not_shown(house: House, where: Where) -> None:
    house.ship("jinja2==3.1.2")
    found = where.find("jinja2", lambda team, _repository: team == "other")
    assert (found.images, found.containers) == ([], [])


def test_only_the_first_images_are_listed_and_the_others_counted(house: House, where: Where) -> None:
    house.ship("jinja2==3.1.2")
    house.ship("jinja2==3.1.2\nclick==8.1.7")
    for what, kind in (("jinja2", "package"), ("shop", "team")):
        every, found = ask(where, what), ask(where, what, limit=1)
        assert (found.kind, len(found.images), found.total, every.more_images) == (kind, 1, every.total, 0)
        assert found.more_images == every.total - 1 > 0


def test_what_others_have_does_not_hide_what_one_may_see(house: House, where: Where) -> None:
    house.make_base()
    mine = Digest.parse(house.ship("jinja2==3.1.2").images["shop/web"])
    (base,) = (Digest.parse(row["digest"]) for row in ask(where, "store").images)
    kept = house.inventories.of(base)
    both = msgspec.structs.replace(kept, packages=(*kept.packages, *house.inventories.of(mine).packages))
    house.findings.match_image(base, both)
    (first,) = ask(where, "jinja2", limit=1).images

    for team, image in (("shop", mine), ("platform", base)):
        found = where.find("jinja2", lambda owner, _, team=team: owner == team, limit=1, sees_all=False)
        assert ([row["digest"] for row in found.images], found.total, found.more_images) == ([str(image)], 1, 0)
    assert (first["digest"], ask(where, "jinja2").total) == (str(base), 2)


def test_a_kind_that_is_none_is_refused(where: Where) -> None:
    with pytest.raises(InvalidInput, match="no kind"):
        ask(where, "x", kind="colour")


def test_no_question_reads_a_whole_table(house: House, where: Where) -> None:
    """What SQLite plans for each question begins at an index."""
    house.ship("jinja2==3.1.2")
    house.learn("CVE-1", "jinja2", "", severity="LOW")
    statements: list[str] = []
    with house.database.read() as tx:
        tx.connection.dbapi_connection.set_trace_callback(statements.append)  # type: ignore[union-attr]
    for what in ("CVE-1", "jinja2@3.1.2", "MIT", "shop"):
        ask(where, what)
    with house.database.read() as tx:
        tx.connection.dbapi_connection.set_trace_callback(None)  # type: ignore[union-attr]
        asked = [one for one in statements if one.startswith("SELECT") and ("match_" in one or "foreign_" in one)]
        plans = [row[3] for one in asked for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {one}")]
    assert asked
    # Whether anything is said at all (VEX) is one row.
    scans = [plan for plan in plans if plan.startswith(("SCAN match_", "SCAN foreign_")) and "match_vex" not in plan]
    assert scans == []
