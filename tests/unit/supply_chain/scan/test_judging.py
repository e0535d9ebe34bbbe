"""What was accepted, what refuses, and what is kept from scan to scan."""

from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lading.kernel.digest import Digest
from lading.kernel.severity import Severity
from lading.supply_chain.checks.image.rules import RUNS_AS_ROOT
from lading.supply_chain.inventory import ImageInventory, LayerInventory
from lading.supply_chain.inventory.catalogers import VERSION
from lading.supply_chain.match import Finding
from lading.supply_chain.report import ScanResult
from lading.supply_chain.scan import DirectoryLayerCache, LayerCache, MemoryLayerCache
from lading.supply_chain.scan.errors import TargetInvalid, TargetUnreadable
from lading.supply_chain.scan.gate import Gate, judge
from lading.supply_chain.scan.ignoring import read_ignored, sort_out, sort_out_weaknesses

TODAY = date(2026, 1, 2)


def flaw(identity: str, severity: Severity, fixed: str = "", **more: Any) -> Finding:
    return Finding(
        id=identity, package="jinja2", version="2.10", purl="pkg:pypi/jinja2@2.10", ecosystem="PyPI",
        severity=severity, why="", fixed=fixed, **more,
    )  # fmt: skip


def scanned(*findings: Finding, gaps: tuple[str, ...] = ()) -> ScanResult:
    inventory = ImageInventory(image="sha256:" + "0" * 64, cataloger_version="1", layers=())
    return ScanResult(
        name="x", kind="directory", digest="sha256:" + "0" * 64, made="2026-01-02T00:00:00Z", lading="1",
        inventory=inventory, findings=findings, gaps=gaps,
    )  # fmt: skip


HIGH, LOW, UNKNOWN = flaw("A", Severity.HIGH, "3"), flaw("B", Severity.LOW), flaw("C", Severity.UNKNOWN)


@pytest.mark.parametrize(
    ("gate", "counted"),
    [
        (Gate(), []),
        (Gate(fail_on=Severity.CRITICAL), ["C"]),
        (Gate(fail_on=Severity.HIGH), ["A", "C"]),
        (Gate(fail_on=Severity.LOW), ["A", "B", "C"]),
        (Gate(fail_on=Severity.LOW, only_fixed=True), ["A"]),
    ],
)
def test_a_threshold_counts_what_nobody_judged_too(gate: Gate, counted: list[str]) -> None:
    verdict = judge(scanned(HIGH, LOW, UNKNOWN), gate).verdict

    assert [key.partition("@")[0] for key in verdict.counted] == counted
    assert verdict.passed == (not counted)


def test_a_gap_refuses_unless_told_otherwise() -> None:
    assert not judge(scanned(gaps=("unreadable",)), Gate()).verdict.passed
    assert judge(scanned(gaps=("unreadable",)), Gate(fail_on_gaps=False)).verdict.passed


def ignore(tmp_path: Path, text: str) -> Any:
    path = tmp_path / "ignore.toml"
    path.write_text(text)
    return read_ignored(path, TODAY)


def test_an_acceptance_holds_to_its_last_day_and_is_told_of_afterwards(tmp_path: Path) -> None:
    rows = ignore(
        tmp_path,
        """
        [[ignore]]
        id = "GHSA-1"
        reason = "not reachable"
        until = 2026-01-02
        [[ignore]]
        id = "B"
        package = "other"
        reason = "elsewhere"
        until = 2026-12-31
        [[ignore]]
        id = "C"
        reason = "old"
        until = 2026-01-01
        """,
    )
    stay, accepted, lapsed = sort_out([flaw("A", Severity.HIGH, aliases=("GHSA-1",)), LOW, UNKNOWN], rows, TODAY)

    assert [one.id for one in stay] == ["B", "C"]
    assert [(one.finding.id, one.reason, one.until) for one in accepted] == [("A", "not reachable", "2026-01-02")]
    assert lapsed == ("C was accepted until 2026-01-01 (old) and counts again",)


def test_a_weakness_is_accepted_by_its_rule_and_place(tmp_path: Path) -> None:
    rows = ignore(
        tmp_path,
        """
        [[ignore]]
        id = "image-runs-as-root"
        path = "srv/*/Dockerfile"
        reason = "it ends as nobody"
        until = 2026-12-31
        [[ignore]]
        id = "image-runs-as-root"
        package = "jinja2"
        reason = "no weakness has a package"
        until = 2026-12-31
        """,
    )
    there, elsewhere = (RUNS_AS_ROOT.found("x", file=file) for file in ("srv/a/Dockerfile", "Dockerfile"))

    stay, accepted, _ = sort_out_weaknesses([there, elsewhere], rows, TODAY)

    assert stay == (elsewhere,)
    assert [(one.weakness, one.reason) for one in accepted] == [(there, "it ends as nobody")]


def test_a_weakness_counts_from_its_severity_on() -> None:
    weak = msgspec.structs.replace(scanned(), weaknesses=(RUNS_AS_ROOT.found("x"),))

    assert judge(weak, Gate(fail_on=Severity.HIGH)).verdict.passed
    refused = judge(weak, Gate(fail_on=Severity.MEDIUM, only_fixed=True)).verdict
    assert (refused.passed, refused.counted) == (False, (RUNS_AS_ROOT.found("x").key,))


@pytest.mark.parametrize(
    "text",
    [
        "ignore = 1",
        '[[ignore]]\nid = "A"\nuntil = 2026-02-01',
        '[[ignore]]\nid = "A"\nreason = " "\nuntil = 2026-02-01',
        '[[ignore]]\nid = "A"\nreason = "x"',
        '[[ignore]]\nid = "A"\nreason = "x"\nuntil = 2036-02-01',
        '[[ignore]]\nid = "A"\nreason = "x"\nuntil = 2026-02-01\nfor_ever = true',
        "[[ignore]",
    ],
)
def test_an_acceptance_without_reason_or_end_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(TargetInvalid):
        ignore(tmp_path, text)


@pytest.fixture(params=["memory", "directory"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> LayerCache:
    return MemoryLayerCache() if request.param == "memory" else DirectoryLayerCache(tmp_path)


def test_a_cache_gives_back_what_was_kept(cache: LayerCache) -> None:
    layer = Digest.of(b"layer")
    inventory = LayerInventory(layer=str(layer), cataloger_version=VERSION, file_count=3)

    assert cache.find(layer) is None
    cache.keep(layer, inventory)
    cache.keep(layer, inventory)

    assert cache.find(layer) == inventory
    assert cache.find(Digest.of(b"other")) is None


def test_a_damaged_or_older_entry_of_the_cache_is_not_used(tmp_path: Path) -> None:
    layer = Digest.of(b"layer")
    DirectoryLayerCache(tmp_path).keep(layer, LayerInventory(layer=str(layer), cataloger_version=VERSION))

    assert DirectoryLayerCache(tmp_path, "newer").find(layer) is None
    for entry in tmp_path.rglob("sha256-*"):
        entry.write_bytes(entry.read_bytes()[:-4])
    assert DirectoryLayerCache(tmp_path).find(layer) is None


def test_a_cache_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "layers").write_text("in the way")
    layer = Digest.of(b"layer")
    with pytest.raises(TargetUnreadable, match="cannot be written"):
        DirectoryLayerCache(tmp_path).keep(layer, LayerInventory(layer=str(layer), cataloger_version=VERSION))
