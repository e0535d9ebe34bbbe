"""Identity as the registry's Authenticator: principals and roles on one side, visitors and places on the other."""

from __future__ import annotations

from typing import Final

from lading.identity import EVERY_TEAM, Identity, Operation, Principal
from lading.kernel.errors import Unauthenticated
from lading.supply_chain.registry.access import ANONYMOUS, Access, Place, Sight, Visitor

_OPERATIONS: Final = {Access.PULL: Operation.PULL, Access.PUSH: Operation.PUSH, Access.DELETE: Operation.DELETE}
_NOTHING: Final = Sight()


class IdentityAuthenticator:
    """Repositories belong to teams; the first push claims a new one.

    Args:
        anonymous: whether those who prove nothing may pull from public repositories.
    """

    def __init__(self, identity: Identity, *, anonymous: bool = False) -> None:
        self._identity = identity
        self._anonymous = anonymous

    def identify(self, user: str, secret: str, address: str = "") -> Visitor | None:
        try:
            if user:
                return visitor_of(self._identity.authenticate_basic(user, secret, address=address))
            return visitor_of(self._identity.authenticate_token(secret))
        except Unauthenticated:
            return None

    def anonymous(self) -> Visitor | None:
        return ANONYMOUS if self._anonymous else None

    def may(self, visitor: Visitor, access: Access, place: Place) -> bool:
        if access is Access.PULL:
            return self.sight(visitor).sees(place)
        principal = visitor.proof
        if not isinstance(principal, Principal):
            return False
        # Another region brings blobs; the manifests that name them come signed, by way of the API.
        if access is Access.PUSH and place.team and principal.may(Operation.REPLICATE, place.team, place.name):
            return True
        # Writing what belongs to nobody yet claims it for the visitor's own team.
        return principal.may(_OPERATIONS[access], place.team or visitor.team, place.name)

    def sight(self, visitor: Visitor) -> Sight:
        principal = visitor.proof
        if not isinstance(principal, Principal):
            return Sight(public=self._anonymous) if visitor == ANONYMOUS else _NOTHING
        return sight_of(principal)


def sight_of(principal: Principal) -> Sight:
    """Which repositories a principal may pull from: every role allows it where it is held."""
    if not principal.keeps(Operation.PULL):
        return _NOTHING
    grants = principal.grants
    return Sight(
        everything=principal.may(Operation.PULL, EVERY_TEAM),
        internal=bool(grants),
        public=True,
        teams=frozenset(principal.teams),
        narrowed=frozenset((grant.team, grant.repositories) for grant in grants if grant.repositories),
    )


def readable_teams(principal: Principal) -> frozenset[str] | None:
    """The teams that have something a principal may read; None for all. What exactly, `Principal.may` says."""
    teams = frozenset(grant.team for grant in principal.grants)
    return None if EVERY_TEAM in teams else teams


def visitor_of(principal: Principal) -> Visitor:
    """A principal as the registry knows it."""
    team = principal.id.removeprefix("robot:").partition("/")[0] if principal.id.startswith("robot:") else ""
    own = [name for name in principal.teams if name != EVERY_TEAM]
    return Visitor(principal.id, team or (own[0] if len(own) == 1 else ""), principal.token_id, proof=principal)
