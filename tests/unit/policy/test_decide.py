from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from lading.facts import Ledger
from lading.facts.kinds.policy import DecisionMade, RulesLoaded
from lading.kernel.clock import ManualClock
from lading.kernel.errors import IntegrityFailure, NotFound
from lading.kernel.subject import Subject
from lading.policy.decide import Policy
from lading.policy.errors import PolicyEmpty, PolicyInvalid
from lading.policy.exceptions import Exceptions
from lading.policy.explain import Explainer, summary
from lading.policy.pack import default_pack, parse_pack
from lading.policy.replay import Replay
from lading.policy.rule import RuleException
from lading.policy.simulate import simulate
from lading.policy.sql import rules
from lading.state import Database

IMAGE = Subject.parse("image:sha256:" + "a" * 64)
DENY_ALL = b"{id: deny-all, title: t, stages: [deploy, pull], severity: low, owner: o, message: refused, deny: 'true'}"


def test_what_no_rule_refuses_is_allowed_and_stated(each_database: Database, ledger: Ledger, good: dict) -> None:
    policy = Policy(each_database, ledger, default_pack(), ManualClock())
    decision = policy.decide("deploy", IMAGE, good, actor="system:test")

    assert decision.allowed, decision.violations
    with each_database.read() as tx:
        loaded, made = [entry.fact for entry in ledger.read(tx)]
    assert isinstance(loaded, RulesLoaded)
    assert loaded.count == len(policy.pack.rules)
    assert isinstance(made, DecisionMade)
    assert (made.decision, made.about, made.allowed) == (decision.id, str(IMAGE), True)
    assert policy.get(decision.id).decision == decision
    assert policy.recent(subject=IMAGE, stage="deploy") == [decision]


def test_the_shop_with_flaws_is_refused_by_the_right_rules(policy: Policy, flawed: dict) -> None:
    decision = policy.decide("deploy", IMAGE, flawed, actor="system:test")

    assert not decision.allowed
    assert set(decision.denied_by) == {"no-fixable-severe-flaw", "no-known-exploited-flaw"}
    assert [warning.rule for warning in decision.warnings] == ["severe-flaw-without-fix"]
    first = decision.violations[0]
    assert (first.severity, first.message) == ("high", "CVE-2019-10906 (high) in jinja2 2.10 is fixed in 2.10.1")
    assert first.evidence[0].path == "findings[0]"
    assert "no-fixable-severe-flaw (3)" in summary(decision)


def test_a_decision_in_a_transaction_that_fails_leaves_nothing(
    policy: Policy, database: Database, ledger: Ledger, good: dict
) -> None:
    with pytest.raises(RuntimeError), database.write() as tx:
        policy.decide_in(tx, "deploy", IMAGE, good, actor="system:test")
        raise RuntimeError

    assert policy.recent() == []
    with database.read() as tx:
        assert ledger.head(tx).seq == 0


def test_an_empty_pack_allows_nothing(database: Database, ledger: Ledger, good: dict) -> None:
    with pytest.raises(PolicyEmpty):
        Policy(database, ledger, parse_pack({})).decide("deploy", IMAGE, good, actor="system:test")


def test_a_stage_without_rules_allows_nothing(database: Database, ledger: Ledger, good: dict) -> None:
    with pytest.raises(PolicyEmpty, match="stage build"):
        Policy(database, ledger, parse_pack({"a.yaml": DENY_ALL})).decide("build", IMAGE, good, actor="system:test")


@pytest.mark.parametrize("stage", ["build", "push", "pull", "deploy", "run"])
def test_the_default_pack_speaks_about_every_stage(policy: Policy, stage: Any) -> None:
    assert [one for one in policy.pack.of_stage(stage) if one.rule.effect == "deny"]


@pytest.mark.parametrize("missing", ["image", "findings"])
def test_a_missing_part_of_the_input_is_refused(policy: Policy, good: dict, missing: str) -> None:
    del good[missing]
    decision = policy.decide("deploy", IMAGE, good, actor="system:test")

    assert not decision.allowed
    assert all(violation.failed for violation in decision.violations)
    assert "The evaluation failed" in decision.violations[0].message


def test_every_default_of_a_workload_is_held(policy: Policy, good: dict) -> None:
    relaxed = {
        "user": "0",
        "read_only": False,
        "privileged": True,
        "capabilities": ["SYS_ADMIN"],
        "no_new_privileges": False,
        "memory_bytes": 0,
        "pids": 0,
        "host_paths": ["/"],
        "host_network": True,
    }
    good["workload"] |= relaxed
    decision = policy.decide("deploy", IMAGE, good, actor="system:test")
    assert len(decision.denied_by) == len(relaxed)

    told = Explainer(policy, Replay(policy._database)).explain(decision.id)
    assert told.change is not None
    assert told.change.passes
    assert len(told.change.settings) == len(relaxed)


def test_an_image_is_judged_for_deploy_before_it_is_approved(policy: Policy, good: dict) -> None:
    workload = good.pop("workload")
    good["image"] |= {"state": "quarantined", "signed": False, "attestations": []}

    assert policy.decide("deploy", IMAGE, good, actor="system:test").allowed
    assert policy.decide("deploy", IMAGE, good | {"workload": workload}, actor="system:test").denied_by == (
        "image-approved",
        "image-has-inventory",
        "image-has-provenance",
        "image-signed",
    )


@pytest.mark.parametrize("document", [{"a": 2**63}, {"a": float("nan"), "b": object()}, {"a": "\ud800"}])
def test_what_is_not_plain_json_is_refused_as_input(policy: Policy, document: dict) -> None:
    with pytest.raises(PolicyInvalid):
        policy.decide("deploy", IMAGE, document, actor="system:test")


def test_a_deep_document_is_refused_as_input(policy: Policy) -> None:
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(PolicyInvalid):
        policy.decide("deploy", IMAGE, {"a": deep}, actor="system:test")
    while deep:
        deep = deep[0]


# --- explanations


def test_the_explanation_names_rule_finding_layer_owner_and_the_smallest_change(policy: Policy, flawed: dict) -> None:
    decision = policy.decide("deploy", IMAGE, flawed, actor="system:test")
    told = Explainer(policy, Replay(policy._database)).explain(decision.id)

    worst = told.reasons[0]
    assert (worst.severity, worst.rule, worst.owner) == ("critical", "no-fixable-severe-flaw", "shop")
    assert worst.layer.startswith("sha256:111")
    assert told.change is not None
    assert [(one.package, one.to) for one in told.change.upgrades] == [("jinja2", "2.11.3"), ("urllib3", "1.10")]
    assert told.change.passes
    assert told.change.upgrades[0].mends == ("CVE-2019-10906", "CVE-2020-28493")
    text = told.text()
    assert "raise jinja2 2.10 to 2.11.3 in layer sha256:1111" in text
    assert "With it, the same rules allow this." in text


def test_a_flaw_without_a_fix_cannot_be_changed_away_and_the_explanation_says_so(policy: Policy, flawed: dict) -> None:
    flawed["findings"][4]["kev"] = True
    decision = policy.decide("deploy", IMAGE, flawed, actor="system:test")
    told = Explainer(policy, Replay(policy._database)).explain(decision.id)

    assert told.change is not None
    assert not told.change.passes
    assert [violation.rule for violation in told.change.remaining] == ["no-known-exploited-flaw"]
    assert "This is still refused after it" in told.text()
    assert told.change.words == ("no-known-exploited-flaw: Raise zlib1g to (none), or remove it from the image.",)


def test_a_change_that_is_not_needed_is_left_out(database: Database, ledger: Ledger, good: dict) -> None:
    pack = parse_pack(
        {
            "a.yaml": b"{id: a, title: t, stages: [deploy], severity: low, owner: o, message: m, deny: 'input.x == 1 && input.y == 1', remedy: {kind: set, set: {x: 0}}}",
            "b.yaml": b"{id: b, title: t, stages: [deploy], severity: low, owner: o, message: m, deny: 'input.x == 1', remedy: {kind: set, set: {x: 2}}}",
        }
    )
    policy = Policy(database, ledger, pack)
    decision = policy.decide("deploy", IMAGE, {"x": 1, "y": 1}, actor="system:test")
    told = Explainer(policy, Replay(database)).explain(decision.id)

    assert told.change is not None
    assert len(told.change.settings) == 1


# --- replay and simulation


def test_a_decision_replays_equal_after_the_rules_changed(policy: Policy, database: Database, flawed: dict) -> None:
    decision = policy.decide("deploy", IMAGE, flawed, actor="system:test")
    policy.pack = parse_pack({"a.yaml": DENY_ALL})
    policy.decide("deploy", IMAGE, flawed, actor="system:test")

    replayed = Replay(database).replay(decision.id)
    assert replayed.equal
    assert replayed.again == decision.outcome


def test_a_kept_rule_that_was_changed_is_found(policy: Policy, database: Database, good: dict) -> None:
    decision = policy.decide("deploy", IMAGE, good, actor="system:test")
    with database.write() as tx:
        body = tx.execute(sa.select(rules.c.body).where(rules.c.id == "no-known-exploited-flaw")).scalar_one()
        weaker = body.replace(b"it.kev == true", b"it.kev == null")
        assert weaker != body
        tx.execute(sa.update(rules).where(rules.c.id == "no-known-exploited-flaw").values(body=weaker))

    with pytest.raises(IntegrityFailure, match="was changed"):
        Replay(database).replay(decision.id)


def test_simulation_names_what_a_changed_pack_would_newly_refuse_and_allow(
    policy: Policy, database: Database, clock: ManualClock, good: dict, flawed: dict
) -> None:
    other = Subject.parse("image:sha256:" + "b" * 64)
    policy.decide("deploy", IMAGE, flawed, actor="system:test")
    clock.advance(timedelta(days=1))
    policy.decide("deploy", IMAGE, good, actor="system:test")
    policy.decide("deploy", other, flawed, actor="system:test")
    stricter = parse_pack({"a.yaml": DENY_ALL})
    laxer = parse_pack({"a.yaml": DENY_ALL.replace(b"'true'", b"'false'")})

    refused = simulate(database, stricter)
    assert (refused.judged, refused.still_refused) == (2, 1)
    assert [difference.subject for difference in refused.newly_refused] == [str(IMAGE)]
    allowed = simulate(database, laxer, since=clock.now())
    assert [difference.subject for difference in allowed.newly_allowed] == [str(other)]
    assert simulate(database, laxer, since=clock.now() + timedelta(days=1)).judged == 0
    assert simulate(database, laxer, stages=["pull"]).judged == 0


# --- exceptions


def exception(**values: str) -> RuleException:
    return RuleException(**({"reason": "not reachable", "owner": "shop", "until": "2026-02-01"} | values))


def test_an_exception_holds_until_its_moment_and_is_reported_afterwards(
    policy: Policy, database: Database, ledger: Ledger, clock: ManualClock, flawed: dict
) -> None:
    exceptions = Exceptions(database, ledger, policy)
    flawed["findings"] = flawed["findings"][:1]
    exceptions.grant("no-fixable-severe-flaw", exception(match="it.id == 'CVE-2019-10906'"), actor="person:ada")

    decision = policy.decide("deploy", IMAGE, flawed, actor="system:test")
    assert decision.allowed
    assert [one.violation.rule for one in decision.outcome.excepted] == ["no-fixable-severe-flaw"]

    clock.set(datetime(2026, 2, 1, tzinfo=UTC))
    late = policy.decide("deploy", IMAGE, flawed, actor="system:test")
    assert not late.allowed
    assert len(late.outcome.expired) == 1
    assert "expired exception" in Explainer(policy, Replay(database)).explain(late.id).text()

    clock.set(datetime(2026, 1, 1, tzinfo=UTC))
    assert not policy.decide("deploy", IMAGE, flawed, actor="system:test").allowed, "a clock set back revives nothing"
    assert Replay(database).replay(decision.id).equal


def test_an_exception_can_be_withdrawn(policy: Policy, database: Database, ledger: Ledger, flawed: dict) -> None:
    exceptions = Exceptions(database, ledger, policy)
    flawed["findings"] = flawed["findings"][:1]
    granted = exceptions.grant("no-fixable-severe-flaw", exception(subject="image:*"), actor="person:ada")
    assert policy.decide("deploy", IMAGE, flawed, actor="system:test").allowed

    exceptions.withdraw(granted.id, actor="person:ada")
    assert not policy.decide("deploy", IMAGE, flawed, actor="system:test").allowed
    assert exceptions.list() == []
    assert [one.withdrawn_by for one in exceptions.list(withdrawn=True)] == ["person:ada"]
    with pytest.raises(NotFound):
        exceptions.withdraw(granted.id, actor="person:ada")


@pytest.mark.parametrize(
    ("rule", "stated", "wrong"),
    [
        ("no-such-rule", exception(subject="*"), "no rule"),
        ("image-approved", exception(), "matches everything"),
        ("image-approved", exception(subject="*", until="2025-01-01"), "in the past"),
        ("image-approved", exception(subject="*", until="2036-01-01"), "too long"),
        ("image-approved", exception(subject="*", until="soon"), "not a moment"),
        ("image-approved", exception(subject="*", reason=" "), "no reason"),
        ("image-approved", exception(match="it.id =="), "Syntax error"),
        ("image-approved", exception(subject="*" * 300), "too long"),
    ],
)
def test_an_exception_that_says_too_little_is_not_granted(
    policy: Policy, database: Database, ledger: Ledger, rule: str, stated: RuleException, wrong: str
) -> None:
    with pytest.raises((NotFound, PolicyInvalid), match=wrong):
        Exceptions(database, ledger, policy).grant(rule, stated, actor="person:ada")


def test_an_exception_in_the_rule_file_holds_too_and_one_that_fails_does_not(
    database: Database, ledger: Ledger, good: dict
) -> None:
    text = (
        DENY_ALL.rstrip(b"}")
        + b", exceptions: [{match: 'input.nowhere.at == 1', reason: r, owner: o, until: 2030-01-01}, {subject: 'image:sha256:a*', reason: r, owner: o, until: 2030-01-01}]}"
    )
    policy = Policy(database, ledger, parse_pack({"a.yaml": text}), ManualClock())

    assert policy.decide("deploy", IMAGE, good, actor="system:test").allowed
    assert not policy.decide("deploy", Subject.parse("image:sha256:" + "c" * 64), good, actor="system:test").allowed
