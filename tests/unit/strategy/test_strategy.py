from datetime import timedelta

from lading.facts import Ledger, follow
from lading.facts.kinds import CATALOGUE
from lading.facts.kinds.orchestration import EngineConnected
from lading.facts.kinds.runtime_security import IncidentSeenAgain
from lading.facts.kinds.system import CheckpointSigned, ToolSeen
from lading.kernel.clock import ManualClock
from lading.state import Database
from lading.strategy.analyse.coverage import Report, report
from lading.strategy.catalogue.catalogue import capability_table, catalogue
from lading.strategy.evidence.follower import EvidenceFollower


def told(database: Database, ledger: Ledger, clock: ManualClock, *facts: object) -> Report:
    with database.write() as tx:
        ledger.append(tx, facts, actor="system:test")  # type: ignore[arg-type]
    follow(database, ledger, EvidenceFollower())
    return report(database, clock)


def coverage(found: Report, identity: str) -> str:
    return next(row.coverage for row in found.rows if row.id == identity)


def test_without_evidence_everything_is_a_gap(database: Database, clock: ManualClock) -> None:
    found = report(database, clock)

    assert found.count("gap") == len(found.rows) == 41


def test_evidence_covers_and_grows_old(database: Database, ledger: Ledger, clock: ManualClock) -> None:
    signed = CheckpointSigned(seq=1, hash="h", key_id="k")
    assert coverage(told(database, ledger, clock, signed), "P6") == "covered"

    clock.advance(timedelta(days=31))

    assert coverage(report(database, clock), "P6") == "gap"


def test_what_lading_does_in_part_is_never_covered_in_full(
    database: Database, ledger: Ledger, clock: ManualClock
) -> None:
    connected = EngineConnected(engine="Docker Engine", version="1", node="n", private=True)

    assert coverage(told(database, ledger, clock, connected), "O9") == "partial"


def test_two_tools_in_one_role_are_named(database: Database, ledger: Ledger, clock: ManualClock) -> None:
    found = told(database, ledger, clock, ToolSeen(name="one", role="scanner"), ToolSeen(name="two", role="scanner"))

    assert [(item.role, item.tools) for item in found.duplicates] == [("scanner", ("one", "two"))]


def test_facts_are_counted_once_each(database: Database, ledger: Ledger, clock: ManualClock) -> None:
    seen = IncidentSeenAgain(incident="i", container="c", times=1)
    told(database, ledger, clock, seen, seen)
    told(database, ledger, clock, seen)
    follow(database, ledger, EvidenceFollower())

    with database.read() as tx:
        from lading.strategy.evidence.sql import everything

        assert everything(tx)[0]["incident.seen-again"].times == 3


def test_the_catalogue_is_whole_and_its_evidence_exists() -> None:
    kinds = {kind.kind() for kind in CATALOGUE}
    capabilities = [item for area in catalogue() for item in area.capabilities]

    assert len({item.id for item in capabilities}) == 41
    assert {kind for item in capabilities for kind in item.evidence} <= kinds
    assert {item.status for item in capabilities} <= {"works", "partial", "planned"}
    assert capability_table().count("\n| S") == 12
