"""Roles and what they may do: one table.

A role is held in a team. Admin of all teams (`*`) is the global admin; there is no other right outside of teams.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

EVERY_TEAM: Final = "*"


class Operation(StrEnum):
    """What can be asked for."""

    READ = "read"
    PULL = "pull"
    PUSH = "push"
    DELETE = "delete"
    SHIP = "ship"
    DEPLOY = "deploy"
    RESPOND = "respond"
    APPROVE = "approve"
    REVOKE = "revoke"
    EXCEPT = "except"
    REPLICATE = "replicate"
    ADMIN = "admin"


class Role(StrEnum):
    """What somebody is in a team."""

    VIEWER = "viewer"
    DEVELOPER = "developer"
    OPERATOR = "operator"
    SECURITY = "security"
    REPLICATOR = "replicator"
    ADMIN = "admin"


# What is done with a repository or an image in it: all that a role narrowed to some repositories may allow.
ON_REPOSITORIES: Final = frozenset(
    {
        Operation.READ,
        Operation.PULL,
        Operation.PUSH,
        Operation.DELETE,
        Operation.APPROVE,
        Operation.REVOKE,
        Operation.ADMIN,
    }
)

_SEES: Final = frozenset({Operation.READ, Operation.PULL})

ALLOWED: Final[dict[Role, frozenset[Operation]]] = {
    Role.VIEWER: _SEES,
    Role.DEVELOPER: _SEES | {Operation.PUSH, Operation.SHIP, Operation.DEPLOY},
    Role.OPERATOR: _SEES | {Operation.SHIP, Operation.DEPLOY, Operation.RESPOND, Operation.DELETE},
    Role.SECURITY: _SEES | {Operation.APPROVE, Operation.REVOKE, Operation.EXCEPT, Operation.RESPOND},
    Role.REPLICATOR: frozenset({Operation.REPLICATE}),
    Role.ADMIN: frozenset(Operation),
}
