"""Who may read and write which repository: the port, and an adapter with a fixed list for tests and single users.

    private    only those with a role in its team, or one narrowed to a pattern that matches
    internal   everybody who has a role anywhere may pull
    public     everybody who proved who they are may pull, and where anonymous pulls are allowed, everybody

What somebody may not pull does not exist for them: every answer about it is that of a name nobody ever pushed to.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Protocol


class Access(StrEnum):
    """What can be asked of a repository."""

    PULL = "pull"
    PUSH = "push"
    DELETE = "delete"


class Visibility(StrEnum):
    """Who may pull from a repository besides those with a role for it."""

    PRIVATE = "private"
    INTERNAL = "internal"
    PUBLIC = "public"


@dataclass(frozen=True, slots=True)
class Place:
    """A repository as access is decided about it. One that does not exist has the team of its namespace, or none."""

    name: str
    team: str = ""
    visibility: Visibility = Visibility.INTERNAL
    exists: bool = False


@dataclass(frozen=True, slots=True)
class Sight:
    """Which repositories somebody may pull from; the queries that list repositories follow the same rule.

    `narrowed` are teams (`*`: any) with a pattern of names; `*` in a pattern stands for any characters.
    """

    everything: bool = False
    internal: bool = False
    public: bool = False
    teams: frozenset[str] = frozenset()
    narrowed: frozenset[tuple[str, str]] = frozenset()

    def sees(self, place: Place) -> bool:
        """Whether the repository may be pulled from; of one that does not exist, whether that may be known."""
        if self.everything or place.team in self.teams:
            return True
        if any(team in ("*", place.team) and fnmatchcase(place.name, pattern) for team, pattern in self.narrowed):
            return True
        if not place.exists:
            return False
        return {Visibility.PRIVATE: False, Visibility.INTERNAL: self.internal, Visibility.PUBLIC: self.public}[
            place.visibility
        ]


EVERYTHING = Sight(everything=True)


@dataclass(frozen=True, slots=True)
class Scopes:
    """What a token of the token flow was asked for: repositories with the actions that were granted, and the catalogue.

    A repository for which nothing was granted is there with no action: the token says nothing about it either way.
    """

    repositories: Mapping[str, frozenset[Access]] = field(default_factory=dict)
    catalogue: bool = False

    def __hash__(self) -> int:
        return hash((frozenset(self.repositories.items()), self.catalogue))


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who proved who they are, and with what: two tokens of one principal may allow different things.

    `team` is the team that a robot works for, and that owns what it pushes first; empty for people of several teams.
    `scopes` is set for a token of the token flow: it allows what the principal may and the token was given for.
    `until` is when that token ends, in seconds since 1970. `proof` is whatever the authenticator keeps with its
    visitors.
    """

    principal: str
    team: str = ""
    token: str = ""
    scopes: Scopes | None = None
    until: float | None = None
    proof: object = field(default=None, compare=False, repr=False)


ANONYMOUS = Visitor("anonymous")


class Authenticator(Protocol):
    """Decides who is asking and what they may do. All methods are quick and may be called from any thread."""

    def identify(self, user: str, secret: str, address: str = "") -> Visitor | None:
        """The visitor behind a user name and a token or password; None when they don't match.

        `address` is where the request comes from, to count failures by. Raises TooManyRequests when there were too
        many, before anything is checked.
        """
        ...

    def anonymous(self) -> Visitor | None:
        """The visitor that somebody is who proves nothing; None where nobody may do anything without."""
        ...

    def may(self, visitor: Visitor, access: Access, place: Place) -> bool:
        """Whether the principal behind a visitor may do this with a repository now; scopes don't count here."""
        ...

    def sight(self, visitor: Visitor) -> Sight:
        """Which repositories the principal behind a visitor may pull from now."""
        ...


class FixedAuthenticator:
    """Visitors from a list: user name to (secret, team). A team owns its repositories and those of nobody."""

    def __init__(self, visitors: Mapping[str, tuple[str, str]], *, anonymous: bool = False) -> None:
        self._visitors = dict(visitors)
        self._anonymous = anonymous

    def identify(self, user: str, secret: str, address: str = "") -> Visitor | None:
        del address
        known = self._visitors.get(user)
        holds = known is not None and hmac.compare_digest(known[0].encode(), secret.encode())
        return Visitor(f"robot:{user}", known[1]) if known is not None and holds else None

    def anonymous(self) -> Visitor | None:
        return ANONYMOUS if self._anonymous else None

    def may(self, visitor: Visitor, access: Access, place: Place) -> bool:
        if access is Access.PULL:
            return self.sight(visitor).sees(place)
        return visitor.principal != ANONYMOUS.principal and place.team in ("", visitor.team)

    def sight(self, visitor: Visitor) -> Sight:
        if visitor.principal == ANONYMOUS.principal:
            return Sight(public=True)
        return Sight(internal=True, public=True, teams=frozenset({visitor.team}))
