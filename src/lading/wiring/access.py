"""Identity as the registry's Authenticator: principals and roles on one side, visitors and places on the other."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial
from typing import Final

from lading.identity import ALLOWED, EVERY_TEAM, Identity, Operation, Principal, PrincipalKind
from lading.identity.errors import TooManyAttempts
from lading.kernel.clock import Clock
from lading.kernel.errors import Unauthenticated
from lading.lifecycle.findings import Viewer
from lading.settings import Settings
from lading.supply_chain.registry.access import ANONYMOUS, Access, Place, Sight, Visitor
from lading.supply_chain.registry.errors import TooManyRequests
from lading.supply_chain.registry.token_keys import TokenKeys
from lading.supply_chain.registry.tokens import AccessTokens

_OPERATIONS: Final = {Access.PULL: Operation.PULL, Access.PUSH: Operation.PUSH, Access.DELETE: Operation.DELETE}
_NOTHING: Final = Sight()


class IdentityAuthenticator:
    """Repositories belong to teams; the first push claims a new one.

    Args:
        anonymous: whether those who prove nothing may pull from public repositories.
        tokens: reads the tokens of the token flow; None where none are issued.
    """

    def __init__(self, identity: Identity, *, anonymous: bool = False, tokens: AccessTokens | None = None) -> None:
        self._identity = identity
        self._anonymous = anonymous
        self._tokens = tokens

    def identify(self, user: str, secret: str, address: str = "") -> Visitor | None:
        try:
            if user:
                return visitor_of(self._identity.authenticate_basic(user, secret, address=address))
            return self._bearer(secret)
        except TooManyAttempts as error:
            raise TooManyRequests(error.what, retry_after=error.retry_after, remedy=error.remedy) from error
        except Unauthenticated:
            return None

    def _bearer(self, secret: str) -> Visitor | None:
        """The visitor of a token of the token flow, as far as its principal counts now, or of a principal's own."""
        claims = self._tokens.read(secret) if self._tokens is not None else None
        if claims is None:
            return visitor_of(self._identity.authenticate_token(secret))
        if claims.principal != ANONYMOUS.principal:
            visitor = visitor_of(self._identity.holder(claims.principal, claims.proof))
        elif self._anonymous:
            visitor = ANONYMOUS
        else:
            return None
        return replace(visitor, scopes=claims.scopes, until=claims.until)

    def anonymous(self) -> Visitor | None:
        return ANONYMOUS if self._anonymous else None

    def may(self, visitor: Visitor, access: Access, place: Place) -> bool:
        if access is Access.PULL:
            return self.sight(visitor).sees(place)
        principal = visitor.proof
        if not isinstance(principal, Principal):
            return False
        # Another region brings blobs; the manifests that name them come signed, by way of the API.
        if principal.kind is PrincipalKind.REGION:
            brings = access is Access.PUSH and bool(place.team)
            return brings and principal.may(Operation.REPLICATE, place.team, place.name)
        # Writing what belongs to nobody yet claims it for the visitor's own team.
        return principal.may(_OPERATIONS[access], place.team or visitor.team, place.name)

    def sight(self, visitor: Visitor) -> Sight:
        principal = visitor.proof
        if not isinstance(principal, Principal):
            return Sight(public=self._anonymous) if visitor.principal == ANONYMOUS.principal else _NOTHING
        return sight_of(principal)


def open_tokens(settings: Settings, keys: TokenKeys | None = None, clock: Clock | None = None) -> AccessTokens:
    """The tokens of this Lading: every endpoint on every host issues and reads the same.

    Args:
        keys: the keys to sign with; those of the data directory, only to be read, when left out.
    """
    return AccessTokens(keys or TokenKeys(settings.data / "keys", clock), f"lading-{settings.region}", clock)


def sight_of(principal: Principal) -> Sight:
    """Which repositories a principal may pull from: every role allows it where it is held, but that of a replicator."""
    if not principal.keeps(Operation.PULL):
        return _NOTHING
    grants = [grant for grant in principal.grants if Operation.PULL in ALLOWED[grant.role]]
    return Sight(
        everything=principal.may(Operation.PULL, EVERY_TEAM),
        internal=bool(grants),
        public=True,
        teams=frozenset(grant.team for grant in grants if not grant.repositories),
        narrowed=frozenset((grant.team, grant.repositories) for grant in grants if grant.repositories),
    )


def readable_teams(principal: Principal) -> frozenset[str] | None:
    """The teams that have something a principal may read; None for all. What exactly, `Principal.may` says."""
    teams = frozenset(grant.team for grant in principal.grants)
    return None if EVERY_TEAM in teams else teams


def viewer_of(principal: Principal) -> Viewer:
    """A principal as one who looks at findings: answers about the same team and repository are given once."""
    teams = readable_teams(principal)
    may = lru_cache(maxsize=None)(partial(principal.may, Operation.READ))
    return Viewer(may, teams, frozenset(team for team in teams or () if may(team, "")))


def visitor_of(principal: Principal) -> Visitor:
    """A principal as the registry knows it."""
    team = principal.id.removeprefix("robot:").partition("/")[0] if principal.id.startswith("robot:") else ""
    own = [name for name in principal.teams if name != EVERY_TEAM]
    return Visitor(principal.id, team or (own[0] if len(own) == 1 else ""), principal.token_id, proof=principal)
