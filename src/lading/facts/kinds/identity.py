"""Facts about who may do what."""

from __future__ import annotations

from lading.facts.fact import Fact
from lading.kernel.subject import Subject, SubjectKind


class TeamCreated(Fact, frozen=True, kw_only=True, tag="team.created"):
    """A team exists."""

    team: str

    def subject(self) -> Subject:
        return Subject(SubjectKind.TEAM, self.team)


class _AboutPrincipal(Fact, frozen=True, kw_only=True, tag="_about-principal"):
    principal: str

    def subject(self) -> Subject:
        return Subject(SubjectKind.PRINCIPAL, self.principal)


class PrincipalCreated(_AboutPrincipal, frozen=True, kw_only=True, tag="principal.created"):
    """A person or a robot is known; `principal` is `person:NAME` or `robot:TEAM/NAME`."""

    kind_of: str


class PrincipalLinked(_AboutPrincipal, frozen=True, kw_only=True, tag="principal.linked"):
    """A subject of an identity provider is this person from now on."""

    issuer: str
    external: str


class PrincipalDisabled(_AboutPrincipal, frozen=True, kw_only=True, tag="principal.disabled"):
    """Nothing proves this principal any more; all its tokens were revoked."""


class RoleGranted(_AboutPrincipal, frozen=True, kw_only=True, tag="role.granted"):
    """A principal has a role in a team; `repositories` narrows it to a pattern of its repositories."""

    team: str
    role: str
    repositories: str = ""


class RoleWithdrawn(_AboutPrincipal, frozen=True, kw_only=True, tag="role.withdrawn"):
    """A principal lost a role in a team."""

    team: str
    role: str
    repositories: str = ""


class TokenIssued(_AboutPrincipal, frozen=True, kw_only=True, tag="token.issued"):
    """A token was made; the fact carries its id, never the token."""

    token_id: str
    purpose: str
    until: str = ""


class TokenRevoked(_AboutPrincipal, frozen=True, kw_only=True, tag="token.revoked"):
    """A token does not work any more."""

    token_id: str


class AccessRefused(_AboutPrincipal, frozen=True, kw_only=True, tag="access.refused"):
    """Somebody asked for what they may not do; `principal` is `anonymous` when nobody proved who it was.

    `door` is the endpoint, `address` where the call came from, `status` what HTTP said. The same refusal again and
    again is one fact a minute, with how often (`times`) and between which moments. `various` stands for more different
    ones than are told apart.
    """

    operation: str
    target: str
    door: str = ""
    address: str = ""
    status: int = 0
    times: int = 1
    first: str = ""
    last: str = ""


class AccessUsed(_AboutPrincipal, frozen=True, kw_only=True, tag="access.used"):
    """Somebody's call changed something: who and with which token, what, by which door and from where, and when."""

    operation: str
    target: str
    token_id: str = ""
    door: str = ""
    address: str = ""
    moment: str = ""
