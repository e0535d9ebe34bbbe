"""Incidents: once, counted, closed; each with its fact in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from lading.facts import Fact, Ledger
from lading.facts.kinds.runtime_security import IncidentClosed, IncidentOpened, IncidentSeenAgain, ResponseTaken
from lading.kernel.clock import ManualClock
from lading.kernel.errors import Conflict, InvalidInput, NotFound, Unavailable
from lading.kernel.severity import Severity
from lading.runtime_security.containers import RunningContainer
from lading.runtime_security.judge import Incidents, NewIncident, RuntimeJudge, Verdict, Violation
from lading.runtime_security.judge.incidents import MOST_OF_A_RULE
from lading.runtime_security.judge.judging import UNJUDGED
from lading.runtime_security.judge.verdict import StrictJudge
from lading.runtime_security.respond import Responses, ResponseSettings
from lading.runtime_security.respond.control import MemoryControl
from lading.runtime_security.sense import SensedEvent
from lading.runtime_security.sense.watch import MemoryAllowed
from lading.state import Database

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def new(web: RunningContainer, what: str = "exec sh", **changed: Any) -> NewIncident:
    made = NewIncident(web, "no-exec", Severity.HIGH, "a shell", what, {"command": "sh"}, "decision-1")
    return made._replace(**changed)


def facts(database: Database, ledger: Ledger) -> list[Fact]:
    with database.read() as tx:
        return [entry.fact for entry in ledger.read(tx)]


def test_one_thing_in_one_container_is_one_incident(
    each_database: Database, ledger: Ledger, web: RunningContainer
) -> None:
    incidents = Incidents(each_database, ledger)
    first, opened = incidents.open(new(web))
    assert opened
    again, opened_again = incidents.open(new(web))
    assert (again.id, opened_again) == (first.id, False)
    incidents.seen_again(first.id, 8)
    incidents.seen_again(first.id, 4)
    assert incidents.get(first.id).times == 8
    closed = incidents.close(first.id, who="person:kim", why="a drill")
    assert (closed.state, closed.resolution) == ("closed", "person:kim: a drill")
    _, reopened = incidents.open(new(web))
    assert reopened
    kinds = [type(fact) for fact in facts(each_database, ledger)]
    assert kinds == [IncidentOpened, IncidentSeenAgain, IncidentClosed, IncidentOpened]


def test_a_lasting_condition_stays_closed_in_its_container(
    database: Database, ledger: Ledger, web: RunningContainer
) -> None:
    incidents = Incidents(database, ledger)
    first, _ = incidents.open(new(web, lasting=True))
    incidents.close(first.id, who="person:kim", why="known and accepted until Friday")
    assert incidents.open(new(web, lasting=True)) == (incidents.get(first.id), False)
    assert incidents.open(new(web._replace(id="b" * 64), lasting=True))[1]


def test_the_worst_and_youngest_come_first_and_closed_ones_last(
    database: Database, ledger: Ledger, web: RunningContainer
) -> None:
    incidents = Incidents(database, ledger)
    for severity in (Severity.LOW, Severity.CRITICAL, Severity.HIGH):
        incidents.open(new(web, severity.label, severity=severity))
    critical = incidents.list()[0]
    incidents.close(critical.id, who="person:kim", why="done")
    assert [one.severity for one in incidents.list()] == ["high", "low"]
    assert [one.severity for one in incidents.list(every=True)] == ["high", "low", "critical"]
    assert incidents.list(workload="shop/other") == []
    assert len(incidents.list(container=web.id, limit=1)) == 1


def test_a_flood_of_different_things_ends_in_one_incident_more(
    database: Database, ledger: Ledger, web: RunningContainer
) -> None:
    incidents = Incidents(database, ledger)
    for number in range(MOST_OF_A_RULE + 20):
        incidents.open(new(web, f"file {number}"))
    titles = [one.title for one in incidents.list()]
    assert len(titles) == MOST_OF_A_RULE + 1
    assert titles.count("a shell, and more of the kind") == 1


def test_a_container_that_is_gone_ends_its_incidents(database: Database, ledger: Ledger, web: RunningContainer) -> None:
    incidents = Incidents(database, ledger)
    incidents.open(new(web))
    incidents.open(new(web._replace(id="b" * 64)))
    assert incidents.open_containers() == {"a" * 64, "b" * 64}
    assert incidents.container_gone(web.id) == 1
    assert incidents.container_gone(web.id) == 0
    assert incidents.open_containers() == {"b" * 64}


def test_closing_wants_an_open_incident_and_a_reason(database: Database, ledger: Ledger, web: RunningContainer) -> None:
    incidents = Incidents(database, ledger)
    incident, _ = incidents.open(new(web))
    with pytest.raises(InvalidInput, match="reason"):
        incidents.close(incident.id, who="person:kim", why="  ")
    incidents.close(incident.id, who="person:kim", why="x")
    with pytest.raises(Conflict, match="closed already"):
        incidents.close(incident.id, who="person:kim", why="x")
    with pytest.raises(NotFound):
        incidents.close("nothing", who="person:kim", why="x")


class Stage:
    """A judge with incidents behind it."""

    def __init__(self, database: Database, ledger: Ledger, clock: ManualClock, judge: Any) -> None:
        self.clock = clock
        self.incidents = Incidents(database, ledger, clock)
        self.control = MemoryControl("a" * 64)
        settings = ResponseSettings(by_severity={"high": ("isolate", "pause")}, by_rule={"no-posture": ("alert",)})
        self.responses = Responses(self.incidents, self.control, settings)
        self.judge = RuntimeJudge(
            judge=judge,
            incidents=self.incidents,
            allowed=MemoryAllowed({"shop/web": {"name": "shop/web", "read_only": True}}),
            responder=self.responses,
            clock=clock,
        )


def event(web: RunningContainer, kind: str = "exec", what: str = "sh") -> SensedEvent:
    return SensedEvent(kind, web, NOW, what, {"command": what, "in_image": False})


@pytest.fixture
def stage(database: Database, ledger: Ledger, clock: ManualClock) -> Stage:
    return Stage(database, ledger, clock, StrictJudge())


def test_an_event_becomes_an_incident_and_a_response(
    stage: Stage, web: RunningContainer, database: Database, ledger: Ledger
) -> None:
    stage.judge.handle(event(web))
    (incident,) = stage.incidents.list()
    assert (incident.rule, incident.severity, incident.workload, incident.team) == (
        "no-exec",
        "high",
        "shop/web",
        "shop",
    )
    assert incident.evidence["in_image"] == "false"
    assert incident.responses == [("alert", "done"), ("isolate", "taken off bridge"), ("pause", "done")]
    assert stage.control.done == [("isolate", web.id), ("pause", web.id)]
    assert [type(one) for one in facts(database, ledger)] == [IncidentOpened, *[ResponseTaken] * 3]


def test_repetitions_are_counted_and_written_down_ever_more_seldom(
    stage: Stage, web: RunningContainer, database: Database, ledger: Ledger
) -> None:
    for _ in range(100):
        stage.judge.handle(event(web))
    again = [one.times for one in facts(database, ledger) if isinstance(one, IncidentSeenAgain)]
    assert again == [2, 4, 8, 16, 32, 64]
    assert len(stage.incidents.list()) == 1


def test_a_posture_found_again_is_no_repetition(stage: Stage, web: RunningContainer) -> None:
    for _ in range(10):
        stage.judge.handle(event(web, "posture", "it is privileged"))
        stage.clock.sleep(200)
    (incident,) = stage.incidents.list()
    assert incident.times == 1


def test_what_the_policy_allows_is_silent(
    database: Database, ledger: Ledger, clock: ManualClock, web: RunningContainer
) -> None:
    class Lenient:
        def decide(self, container: str, document: Mapping[str, Any]) -> Verdict:
            return Verdict("d", ())

    stage = Stage(database, ledger, clock, Lenient())
    stage.judge.handle(event(web))
    assert stage.incidents.list() == []


def test_what_cannot_be_judged_is_an_incident(
    database: Database, ledger: Ledger, clock: ManualClock, web: RunningContainer
) -> None:
    class Broken:
        def decide(self, container: str, document: Mapping[str, Any]) -> Verdict:
            raise Unavailable("The policy pack has no rules.")

    stage = Stage(database, ledger, clock, Broken())
    stage.judge.handle(event(web))
    (incident,) = stage.incidents.list()
    assert incident.rule == UNJUDGED
    assert "no rules" in incident.title


def test_the_document_is_what_policies_expect(stage: Stage, web: RunningContainer) -> None:
    document = stage.judge.document(event(web)._replace(deviations=("it is privileged",)))
    assert document["stage"] == "run"
    assert document["workload"] == {"name": "shop/web", "read_only": True}
    assert document["image"]["digest"] == "sha256:" + "1" * 64
    assert document["container"]["deviations"] == ["it is privileged"]
    assert document["event"] == {
        "kind": "exec",
        "at": "2026-01-01T00:00:00.000000Z",
        "command": "sh",
        "in_image": False,
    }


def test_each_violated_rule_is_an_incident_of_its_own(
    database: Database, ledger: Ledger, clock: ManualClock, web: RunningContainer
) -> None:
    class Two:
        def decide(self, container: str, document: Mapping[str, Any]) -> Verdict:
            return Verdict("d", tuple(Violation(rule, Severity.LOW, rule, rule) for rule in ("one", "two")))

    stage = Stage(database, ledger, clock, Two())
    stage.judge.handle(event(web))
    assert {one.rule for one in stage.incidents.list()} == {"one", "two"}


def test_a_response_that_fails_is_said_and_the_next_one_is_taken(
    database: Database, ledger: Ledger, web: RunningContainer
) -> None:
    incidents = Incidents(database, ledger)
    settings = ResponseSettings(by_rule={"no-exec": ("kill", "replace")})
    responses = Responses(incidents, MemoryControl(), settings, replace=lambda incident: f"job for {incident.workload}")
    incident, _ = incidents.open(new(web))
    responses.respond(incident)
    assert incidents.get(incident.id).responses == [
        ("alert", "done"),
        ("kill", "failed: There is no container aaaaaaaaaaaa."),
        ("replace", "job for shop/web"),
    ]


def test_only_an_alert_follows_unless_more_is_set(database: Database, ledger: Ledger, web: RunningContainer) -> None:
    incidents = Incidents(database, ledger)
    incident, _ = incidents.open(new(web, severity=Severity.CRITICAL))
    Responses(incidents, control := MemoryControl(web.id)).respond(incident)
    assert control.done == []


def test_a_response_that_does_not_exist_is_refused_at_once(database: Database, ledger: Ledger) -> None:
    with pytest.raises(InvalidInput, match="explode"):
        Responses(Incidents(database, ledger), MemoryControl(), ResponseSettings(by_severity={"high": ("explode",)}))
