"""Teams, people, robots, roles and tokens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from fastapi import APIRouter
from pydantic import BaseModel, Field

from lading.entrypoints.api.access import Caller, Parts, require
from lading.facts.kinds.access import TokenKeysRotated
from lading.identity import EVERY_TEAM, Operation, Role
from lading.kernel.clock import timestamp
from lading.kernel.errors import InvalidInput, NotFound

router: Final = APIRouter(tags=["identity"])


class TeamBody(BaseModel):
    """A new team."""

    team: str = Field(max_length=64)


class RobotBody(BaseModel):
    """A new robot."""

    name: str = Field(max_length=64)
    role: str = "developer"
    days: int = Field(365, ge=1, le=3_650)


class PersonBody(BaseModel):
    """A new person."""

    name: str = Field(max_length=64)


class LinkBody(BaseModel):
    """Who a person is at the identity provider."""

    subject: str = Field(min_length=1, max_length=255)


class RoleBody(BaseModel):
    """A role for somebody."""

    principal: str = Field(max_length=140)
    team: str = Field(max_length=64)
    role: str
    repositories: str = Field("", max_length=255, description="Pattern that narrows it, such as shop/*.")


class RotationBody(BaseModel):
    """How long to wait before anything is signed with the new key: time to copy it to other hosts."""

    minutes: int = Field(0, ge=0, le=10_080)


@router.get("/whoami")
def whoami(caller: Caller) -> dict[str, Any]:
    """Who the token belongs to."""
    roles = sorted([grant.team, str(grant.role)] for grant in caller.grants if not grant.repositories)
    narrowed = sorted(
        [grant.team, str(grant.role), grant.repositories] for grant in caller.grants if grant.repositories
    )
    return {"principal": caller.id, "roles": roles, "narrowed": narrowed}


@router.get("/teams")
def teams(parts: Parts, caller: Caller) -> list[dict[str, Any]]:
    """Teams that the caller may see."""
    members: dict[str, int] = {}
    for row in parts.identity.principals():
        for grant in row.grants:
            members[grant.team] = members.get(grant.team, 0) + 1
    seen = [team for team in parts.identity.teams() if parts.identity.may(caller, Operation.READ, team)]
    return [{"team": team, "members": members.get(team, 0)} for team in seen]


@router.post("/teams", status_code=201)
def create_team(parts: Parts, caller: Caller, body: TeamBody) -> dict[str, Any]:
    """Create a team."""
    require(parts, caller, Operation.ADMIN)
    parts.identity.create_team(body.team, actor=caller.id)
    return {"team": body.team}


@router.post("/teams/{team}/robots", status_code=201)
def create_robot(parts: Parts, caller: Caller, team: str, body: RobotBody) -> dict[str, Any]:
    """Create a robot; its token is in this answer and nowhere else."""
    require(parts, caller, Operation.ADMIN, team)
    lasting = timedelta(days=body.days)
    issued = parts.identity.create_robot(team, body.name, actor=caller.id, role=_role(body.role), lasting=lasting)
    return {"principal": issued.principal, "token": issued.text, "until": issued.until}


@router.post("/people", status_code=201)
def create_person(parts: Parts, caller: Caller, body: PersonBody) -> dict[str, Any]:
    """Create a person; their token is in this answer and nowhere else."""
    require(parts, caller, Operation.ADMIN)
    person = parts.identity.create_person(body.name, actor=caller.id)
    issued = parts.identity.issue_token(person, purpose="command line", actor=caller.id)
    return {"principal": person, "token": issued.text}


@router.get("/principals")
def principals(parts: Parts, caller: Caller) -> list[dict[str, Any]]:
    """People and robots with a role in a team that the caller is admin of; all of them for an admin of every team."""
    every = parts.identity.may(caller, Operation.ADMIN, EVERY_TEAM)
    return [
        {
            "principal": row.name,
            "roles": sorted([grant.team, str(grant.role), grant.repositories] for grant in row.grants),
            "created": row.created_at,
            "disabled": row.disabled,
        }
        for row in parts.identity.principals()
        if every or any(parts.identity.may(caller, Operation.ADMIN, grant.team) for grant in row.grants)
    ]


@router.post("/principals/{principal:path}/disable")
def disable(parts: Parts, caller: Caller, principal: str) -> dict[str, Any]:
    """Let nothing prove somebody any more; their tokens are revoked."""
    require(parts, caller, Operation.ADMIN, target=principal)
    parts.identity.disable(principal, actor=caller.id)
    return {"disabled": principal}


@router.post("/people/{name}/link")
def link(parts: Parts, caller: Caller, name: str, body: LinkBody) -> dict[str, Any]:
    """Let a subject of the identity provider log in as a person who is here already."""
    require(parts, caller, Operation.ADMIN)
    issuer = parts.settings.oidc_issuer
    if not issuer:
        raise NotFound("This Lading has no identity provider.", remedy="Set LADING_OIDC_ISSUER.")
    parts.identity.link(f"person:{name.removeprefix('person:')}", issuer, body.subject, actor=caller.id)
    return {"principal": name, "issuer": issuer, "subject": body.subject}


@router.post("/roles", status_code=201)
def grant(parts: Parts, caller: Caller, body: RoleBody) -> dict[str, Any]:
    """Give somebody a role in a team."""
    require(parts, caller, Operation.ADMIN, body.team)
    parts.identity.grant(body.principal, body.team, _role(body.role), actor=caller.id, repositories=body.repositories)
    return body.model_dump()


@router.post("/roles/withdraw")
def withdraw(parts: Parts, caller: Caller, body: RoleBody) -> dict[str, Any]:
    """Take a role from somebody; it counts no longer within a second."""
    require(parts, caller, Operation.ADMIN, body.team)
    parts.identity.withdraw(
        body.principal, body.team, _role(body.role), actor=caller.id, repositories=body.repositories
    )
    return body.model_dump()


@router.get("/tokens")
def tokens(parts: Parts, caller: Caller) -> list[dict[str, Any]]:
    """Tokens, by id; what they are is kept nowhere."""
    require(parts, caller, Operation.ADMIN)
    return [
        {
            "id": row.id,
            "principal": row.principal,
            "purpose": row.purpose,
            "created": row.issued_at,
            "until": row.expires_at,
            "used": row.used_at,
            "revoked": row.revoked_at,
        }
        for row in parts.identity.tokens()
    ]


@router.post("/token-keys", status_code=201)
def rotate_token_keys(parts: Parts, caller: Caller, body: RotationBody) -> dict[str, Any]:
    """Sign the tokens of the token flow with a new key; those that were signed before stay good for their minutes."""
    require(parts, caller, Operation.ADMIN)
    made = parts.token_keys.rotate(timedelta(minutes=body.minutes))
    since = timestamp(datetime.fromtimestamp(made.since, UTC))
    with parts.database.write() as tx:
        parts.ledger.append(tx, [TokenKeysRotated(key_id=made.id, since=since)], actor=caller.id)
    return {"key": made.id, "since": since}


@router.delete("/tokens/{token}")
def revoke_token(parts: Parts, caller: Caller, token: str) -> dict[str, Any]:
    """Make a token worthless."""
    own = {row.id for row in parts.identity.tokens(caller.id)}
    if token not in own:
        require(parts, caller, Operation.ADMIN)
    parts.identity.revoke_token(token, actor=caller.id)
    return {"revoked": token}


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError as error:
        raise InvalidInput(f"{text[:40]!r} is no role.", remedy=f"Roles are {', '.join(Role)}.") from error
