"""Who may read and write which repository: the port, and an adapter with a fixed list for tests and single users."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Access(StrEnum):
    """What can be asked of a repository."""

    PULL = "pull"
    PUSH = "push"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who proved who they are, and with what: two tokens of one principal may allow different things.

    `team` is the team that a robot works for, and that owns what it pushes first; empty for people of several teams.
    """

    principal: str
    team: str = ""
    token: str = ""


class Authenticator(Protocol):
    """Decides who is asking and what they may do. Both methods are quick and may be called from any thread."""

    def identify(self, user: str, secret: str) -> Visitor | None:
        """The visitor behind a user name and a token or password; None when they don't match."""
        ...

    def may(self, visitor: Visitor, access: Access, owner: str) -> bool:
        """Whether the visitor may do this with repositories of team `owner` (empty: one that nobody owns yet)."""
        ...


class FixedAuthenticator:
    """Visitors from a list: user name to (secret, team). A team owns its repositories and those of nobody."""

    def __init__(self, visitors: Mapping[str, tuple[str, str]]) -> None:
        self._visitors = dict(visitors)

    def identify(self, user: str, secret: str) -> Visitor | None:
        known = self._visitors.get(user)
        holds = known is not None and hmac.compare_digest(known[0].encode(), secret.encode())
        return Visitor(f"robot:{user}", known[1]) if known is not None and holds else None

    def may(self, visitor: Visitor, access: Access, owner: str) -> bool:
        return access is Access.PULL or owner in ("", visitor.team)
