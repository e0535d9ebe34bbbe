"""Rules and decisions: list, explain, replay, simulate, except."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from lading.entrypoints.api.access import Caller, Parts, require
from lading.identity import Operation
from lading.kernel.errors import InvalidInput
from lading.kernel.subject import Subject
from lading.policy.pack import parse_pack
from lading.policy.rule import RuleException
from lading.policy.simulate import Difference, simulate

router: Final = APIRouter(tags=["policy"])


class SimulateBody(BaseModel):
    """Changed rule files: name to text."""

    files: dict[str, str]


class ExceptionBody(BaseModel):
    """An exception that expires, for subjects that `match` (`*` stands for anything) or for one flaw of theirs."""

    rule: str = Field(max_length=200)
    match: str = Field("", max_length=500)
    flaw: str = Field("", max_length=100)
    until: str = Field(max_length=40)
    reason: str = Field(min_length=3, max_length=1_000)
    owner: str = Field(min_length=1, max_length=100)


@router.get("/policy")
def rules(parts: Parts, caller: Caller) -> dict[str, Any]:
    """The rules in force."""
    require(parts, caller, Operation.READ)
    shown = [
        {
            "id": item.rule.id,
            "title": item.rule.title,
            "stages": list(item.rule.stages),
            "severity": item.rule.severity,
            "effect": item.rule.effect,
            "owner": item.rule.owner,
        }
        for item in parts.pack.rules
    ]
    return {"digest": parts.pack.digest, "engine": parts.pack.engine.name, "rules": shown}


@router.post("/policy/simulate")
def simulate_rules(parts: Parts, caller: Caller, body: SimulateBody) -> dict[str, Any]:
    """Judge past subjects with changed rules."""
    require(parts, caller, Operation.READ)
    pack = parse_pack({name: text.encode() for name, text in body.files.items()}, origin="simulation")
    done = simulate(parts.database, pack)
    changes = [_change(item, "refused") for item in done.newly_refused]
    changes += [_change(item, "allowed") for item in done.newly_allowed]
    return {"replayed": done.judged, "changes": changes}


@router.post("/policy/exceptions", status_code=201)
def grant(parts: Parts, caller: Caller, body: ExceptionBody) -> dict[str, Any]:
    """Grant an exception."""
    require(parts, caller, Operation.EXCEPT)
    if body.flaw:
        granted = parts.exception_list.grant_for(
            body.rule, body.flaw, subject=body.match, until=body.until, reason=body.reason, owner=body.owner,
            actor=caller.id,
        )  # fmt: skip
    elif body.match:
        stated = RuleException(reason=body.reason, owner=body.owner, until=body.until, subject=body.match)
        granted = parts.exceptions.grant(body.rule, stated, actor=caller.id)
    else:
        raise InvalidInput(
            "The exception says neither for what nor for which flaw it is.", remedy="Give match or flaw."
        )
    return dict(msgspec.to_builtins(granted)) | {"until": body.until}


@router.get("/policy/exceptions")
def exceptions(
    parts: Parts,
    caller: Caller,
    flaw: Annotated[str, Query(max_length=200)] = "",
    ending: bool = False,
    ended: bool = False,
) -> list[dict[str, Any]]:
    """Exceptions from rules and VEX statements with owner and end, the first to end first; with `ending` only those
    that end within 14 days."""
    require(parts, caller, Operation.READ)
    found = parts.exception_list.all(flaw=flaw, ending=ending, ended=ended)
    return [dict(msgspec.to_builtins(one)) for one in found]


@router.delete("/policy/exceptions/{exception}")
def withdraw(parts: Parts, caller: Caller, exception: str) -> dict[str, Any]:
    """End an exception that was granted, now."""
    require(parts, caller, Operation.EXCEPT)
    return dict(msgspec.to_builtins(parts.exceptions.withdraw(exception, actor=caller.id)))


@router.get("/decisions")
def decisions(
    parts: Parts, caller: Caller, subject: str = "", limit: Annotated[int, Query(ge=1, le=1_000)] = 30
) -> list[dict[str, Any]]:
    """The youngest decisions."""
    require(parts, caller, Operation.READ)
    about = Subject.parse(subject if ":" in subject else f"workload:{subject}") if subject else None
    return [
        {
            "id": item.id,
            "stage": item.stage,
            "verdict": "allowed" if item.allowed else "refused",
            "subject": item.subject,
            "denied_by": list(item.denied_by),
            "at": item.at,
        }
        for item in parts.policy.recent(subject=about, limit=limit)
    ]


@router.get("/decisions/{decision}")
def explain(parts: Parts, caller: Caller, decision: str) -> dict[str, Any]:
    """A decision explained: rule, finding, layer, owner, and the smallest change that would pass."""
    require(parts, caller, Operation.READ)
    explanation = parts.explainer.explain(decision)
    return dict(msgspec.to_builtins(explanation)) | {"text": explanation.text()}


@router.post("/decisions/{decision}/replay")
def replay(parts: Parts, caller: Caller, decision: str) -> dict[str, Any]:
    """Judge the kept input again with the rules of then."""
    require(parts, caller, Operation.READ)
    return {"same": parts.replay.replay(decision).equal}


def _change(item: Difference, after: str) -> dict[str, Any]:
    shown = dict(msgspec.to_builtins(item))
    return shown | {"before": "allowed" if after == "refused" else "refused", "after": after}
