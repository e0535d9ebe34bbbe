"""Facts about what containers are allowed, what they do, and what followed."""

from __future__ import annotations

from lading.facts.fact import Fact
from lading.kernel.subject import Subject, SubjectKind


class PostureAssessed(Fact, frozen=True, kw_only=True, tag="container.posture-assessed"):
    """What a container really has, against what its specification allowed. `privileges` describe what it has."""

    container: str
    workload: str
    image: str
    privileges: dict[str, str]
    deviations: tuple[str, ...]

    def subject(self) -> Subject:
        return Subject.container(self.container)


class SensorStateChanged(Fact, frozen=True, kw_only=True, tag="sensor.state-changed"):
    """A sensor started, stopped or lost events; a lost event stream is a finding, never silence."""

    sensor: str
    node: str
    state: str
    lost: int
    detail: str = ""

    def subject(self) -> Subject:
        return Subject(SubjectKind.NODE, self.node)


class IncidentOpened(Fact, frozen=True, kw_only=True, tag="incident.opened"):
    """Something happened that must not. `fingerprint` is the same for the same thing in the same container."""

    incident: str
    fingerprint: str
    rule: str
    severity: str
    title: str
    container: str
    workload: str
    image: str
    team: str
    evidence: dict[str, str]
    decision: str = ""

    def subject(self) -> Subject:
        return Subject.container(self.container)


class IncidentSeenAgain(Fact, frozen=True, kw_only=True, tag="incident.seen-again"):
    """An open incident repeated itself; `times` counts from its opening."""

    incident: str
    container: str
    times: int

    def subject(self) -> Subject:
        return Subject.container(self.container)


class IncidentClosed(Fact, frozen=True, kw_only=True, tag="incident.closed"):
    """An incident is over, and why: by a person, or because its container was replaced."""

    incident: str
    container: str
    resolution: str

    def subject(self) -> Subject:
        return Subject.container(self.container)


class ResponseTaken(Fact, frozen=True, kw_only=True, tag="incident.response-taken"):
    """Lading acted on an incident: `action` is alert, pause, isolate, kill or replace."""

    incident: str
    container: str
    action: str
    outcome: str

    def subject(self) -> Subject:
        return Subject.container(self.container)
