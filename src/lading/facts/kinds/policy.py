"""Facts about rules and decisions."""

from __future__ import annotations

from lading.facts.fact import Fact
from lading.kernel.subject import Subject, SubjectKind


class DecisionMade(Fact, frozen=True, kw_only=True, tag="decision.made"):
    """The rules of a stage were applied to a subject. The decision itself keeps inputs, rule versions and evidence."""

    decision: str
    stage: str
    about: str
    allowed: bool
    denied_by: tuple[str, ...]
    excepted: tuple[str, ...]
    rules: str

    def subject(self) -> Subject:
        return Subject.parse(self.about)


class RulesLoaded(Fact, frozen=True, kw_only=True, tag="policy.loaded"):
    """A set of rules came into force. `rules` is the digest of all of them."""

    rules: str
    count: int
    origin: str

    def subject(self) -> Subject:
        return Subject(SubjectKind.POLICY, "rules")


class ExceptionGranted(Fact, frozen=True, kw_only=True, tag="policy.exception-granted"):
    """A rule does not hold for some subjects until a moment."""

    rule: str
    match: str
    owner: str
    reason: str
    until: str

    def subject(self) -> Subject:
        return Subject(SubjectKind.POLICY, self.rule)


class ExceptionWithdrawn(Fact, frozen=True, kw_only=True, tag="policy.exception-withdrawn"):
    """An exception granted at run time was ended before its time."""

    rule: str
    exception: str

    def subject(self) -> Subject:
        return Subject(SubjectKind.POLICY, self.rule)
