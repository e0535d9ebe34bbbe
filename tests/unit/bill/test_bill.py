"""Bills from a ledger full of facts; the page is compared with a golden one (write it anew with LADING_GOLDEN=1)."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from lading.bill.assemble import Bills
from lading.bill.bill import Bill
from lading.bill.details import NoDetails
from lading.bill.follower import BillFollower
from lading.bill.render_text import render_bill
from lading.bill.words import KINDS_WITH_WORDS
from lading.facts import Ledger, follow
from lading.facts.kinds import CATALOGUE, orchestration, runtime_security, supply_chain
from lading.kernel.clock import ManualClock
from lading.kernel.digest import Digest
from lading.kernel.errors import Conflict, NotFound, Unavailable
from lading.state import Database

GOLDEN = Path(__file__).parents[2] / "golden" / "bills" / "shop-web.txt"
IMAGE, BASE, LAYER = (str(Digest.of(name)) for name in (b"image", b"base", b"layer"))
CONTAINER = "c" * 64


class Known(NoDetails):
    def findings(self, image: str) -> list[dict[str, Any]]:
        assert image == IMAGE
        return [
            {"severity": "high", "id": "CVE-2024-1135", "package": "gunicorn", "version": "21.2.0", "fixed": "22.0.0",
             "owner": "shop", "layer": LAYER, "rank": 4, "kev": False}
        ]  # fmt: skip

    def packages(self, image: str) -> dict[str, Any]:
        return {"total": 96, "ecosystems": {"PyPI": 11, "Debian:12": 85}, "gaps": []}

    def weaknesses(self, image: str) -> list[dict[str, Any]]:
        said = {"message": "it runs as root", "file": "", "line": 0, "owner": "shop"}
        return [{"severity": "medium", "rule": "image-runs-as-root", **said}]

    def lineage(self, image: str) -> dict[str, Any]:
        said = {"said": "base/python:12", "word": "verified", "created": "", "age_days": 41}
        moved = {"moved_to": str(Digest.of(b"newer")), "moved_at": "2026-01-02T00:00:00Z"}
        return {"line": [{"digest": BASE, "name": "base/python:12", **said, **moved}], "built_on_it": 3}

    def layers(self, image: str) -> list[dict[str, Any]]:
        return [{"digest": LAYER, "size": 35_800_000, "team": "platform", "origin": "base/python"}]

    def containers(self, workload: str) -> list[dict[str, Any]]:
        return [
            {"name": "shop-web-1", "state": "running", "health": "healthy", "node": "n1", "restarts": 0,
             "started": "2026-01-01T00:00:00Z"}
        ]  # fmt: skip

    def logs(self, workload: str) -> list[dict[str, Any]]:
        raise Unavailable("The telemetry store cannot be read.", remedy="Mend its disk.")


@pytest.fixture
def bills(database: Database, ledger: Ledger, clock: ManualClock) -> Bills:
    facts = [
        supply_chain.ImagePushed(
            digest=IMAGE, repository="shop/web", tag="1", media_type="m", size=39_500_000, layers=(LAYER,), config="",
            team="shop", principal="robot:shop/builder",
        ),
        supply_chain.ImageBuilt(
            digest=IMAGE, repository="shop/web", tag="1", builder="BuildKit", source=str(Digest.of(b"source")),
            commit="0123456789abcdef", dirty=False, dockerfile=str(Digest.of(b"d")), bases={"base/python:12": BASE},
            steps=6, cached_steps=1, seconds=3.9,
        ),
        supply_chain.ImageMoved(digest=IMAGE, before="quarantined", after="approved", why="every rule passed"),
        orchestration.WorkloadDeclared(
            workload="shop/web", application="shop", image=f"r/shop/web@{IMAGE}", team="shop", replicas=1,
            spec_digest="s", spec="{}", relaxations=("read_only: false",),
        ),
        orchestration.ContainerStarted(
            container=CONTAINER, workload="shop/web", name="shop-web-1", image=IMAGE, node="n1", team="shop",
            deployment="d", spec_digest="s",
        ),
        runtime_security.PostureAssessed(
            container=CONTAINER, workload="shop/web", image=IMAGE, privileges={"user": "10001"}, deviations=(),
        ),
    ]  # fmt: skip
    with database.write() as tx:
        ledger.append(tx, facts, actor="system:test")
    follow(database, ledger, BillFollower())
    return Bills(database, ledger, Known(), Known(), clock)


def test_the_page_is_as_it_was(bills: Bills) -> None:
    page = io.StringIO()
    render_bill(bills.of("shop/web"), Console(file=page, width=100, no_color=True, highlight=False))
    if os.environ.get("LADING_GOLDEN"):
        GOLDEN.write_text(page.getvalue(), encoding="utf-8")

    assert page.getvalue() == GOLDEN.read_text(encoding="utf-8")


def test_what_cannot_be_known_says_why(bills: Bills) -> None:
    sections = {section.title: section for section in bills.of("shop/web").sections}

    assert "The telemetry store cannot be read." in sections["Recent logs"].unknown
    assert sections["Attestations"].unknown == "nothing is signed"


@pytest.mark.parametrize("text", ["shop/web", CONTAINER, CONTAINER[:12], "shop-web-1", IMAGE, "shop/web:1"])
def test_every_name_of_it_finds_it(bills: Bills, text: str) -> None:
    assert bills.of(text).team == "shop"


def test_what_nobody_knows_is_not_found(bills: Bills) -> None:
    with pytest.raises(NotFound):
        bills.of("shop/nothing")


def test_what_could_be_several_things_lists_them(bills: Bills, database: Database, ledger: Ledger) -> None:
    other = orchestration.ContainerStarted(
        container="c" * 63 + "d", workload="shop/web", name="other", image=IMAGE, node="n1", team="shop",
        deployment="d", spec_digest="s",
    )  # fmt: skip
    with database.write() as tx:
        ledger.append(tx, [other], actor="system:test")
    follow(database, ledger, BillFollower())

    with pytest.raises(Conflict) as caught:
        bills.of("c" * 12)

    assert len(caught.value.details) == 2


def test_the_json_form_reads_back(bills: Bills) -> None:
    bill = bills.of("shop/web")

    assert msgspec.convert(msgspec.to_builtins(bill), Bill) == bill


def test_every_kind_of_fact_has_words() -> None:
    assert set(CATALOGUE) == KINDS_WITH_WORDS
