"""A principal: somebody who proved who they are, with what they may do already in hand."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lading.identity.errors import InvalidName
from lading.identity.patterns import matches
from lading.identity.roles import ALLOWED, EVERY_TEAM, ON_REPOSITORIES, Operation, Role

_NAME: Final = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_MOST_NAME: Final = 64


class PrincipalKind(StrEnum):
    """People log in; robots belong to a team; the system is Lading itself; a region is another Lading."""

    PERSON = "person"
    ROBOT = "robot"
    SYSTEM = "system"
    REGION = "region"
    ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True)
class Grant:
    """A role in a team; the team `*` is every team.

    `repositories` narrows the role to the team's repositories that match a pattern, and to what is done with them:
    a narrowed developer may push there, and neither deploys nor ships. Empty is no narrowing.
    """

    team: str
    role: Role
    repositories: str = ""

    def covers(self, operation: Operation, team: str, repository: str) -> bool:
        """Whether the grant allows `operation` in `team`, on `repository` where one is named."""
        if self.team not in (team, EVERY_TEAM) or operation not in ALLOWED[self.role]:
            return False
        if not self.repositories:
            return True
        return operation in ON_REPOSITORIES and bool(repository) and matches(self.repositories, repository)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `id` is `person:NAME`, `robot:TEAM/NAME`, `system:PART` or `anonymous`.

    `token_id` names what proved it: a token, or a password. `only` narrows a token to some operations; None is no
    narrowing.
    """

    id: str
    kind: PrincipalKind
    grants: frozenset[Grant] = frozenset()
    token_id: str = ""
    purpose: str = ""
    only: frozenset[Operation] | None = None

    def may(self, operation: Operation, team: str, repository: str = "") -> bool:
        """Whether a role in `team`, or in every team, allows `operation`; `team` of `*` or none asks for every one.

        `repository` is what it is done with; without it, roles that are narrowed to some repositories don't count.
        """
        if not self.keeps(operation):
            return False
        return any(grant.covers(operation, team, repository) for grant in self.grants)

    def keeps(self, operation: Operation) -> bool:
        """Whether the token was not narrowed to something else."""
        return self.only is None or operation in self.only

    @property
    def teams(self) -> tuple[str, ...]:
        """The teams with a role in the whole team, sorted; `*` among them for a global role."""
        return tuple(sorted({grant.team for grant in self.grants if not grant.repositories}))


ANONYMOUS: Final = Principal("anonymous", PrincipalKind.ANONYMOUS)


def system_principal(part: str) -> Principal:
    """Lading itself acting, for example `worker`: may do everything. Never made from anything off the wire."""
    everything = frozenset({Grant(EVERY_TEAM, Role.ADMIN)})
    return Principal(f"system:{part}", PrincipalKind.SYSTEM, everything, purpose="system")


def checked_name(text: str, what: str) -> str:
    """A legal name of a team, person or robot; raises InvalidName."""
    if len(text) > _MOST_NAME or _NAME.fullmatch(text) is None:
        raise InvalidName(
            f"{text[:80]!r} cannot be the name of a {what}.",
            remedy=f"Use lower-case letters and digits, joined by . _ or -, at most {_MOST_NAME} characters.",
        )
    return text


def person_name(name: str) -> str:
    """`person:NAME`; raises InvalidName."""
    return f"person:{checked_name(name, 'person')}"


def robot_name(team: str, name: str) -> str:
    """`robot:TEAM/NAME`; raises InvalidName."""
    return f"robot:{checked_name(team, 'team')}/{checked_name(name, 'robot')}"


def region_name(name: str) -> str:
    """`region:NAME`; raises InvalidName."""
    return f"region:{checked_name(name, 'region')}"
