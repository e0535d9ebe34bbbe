"""On which terms people come in from an identity provider: where it is, who we are to it, what its groups mean here.

    platform=*:admin; shop-devs=shop:developer; shop-ci=shop:developer:shop/ci-*; *=shop:viewer

`GROUP=TEAM:ROLE`, narrowed to some repositories by a third part, between semicolons. The group `*` is everybody who
logs in. Who has no role by these terms and none from an admin is not let in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from lading.identity.patterns import checked_pattern
from lading.identity.principal import Grant, checked_name
from lading.identity.roles import EVERY_TEAM, Role
from lading.kernel.errors import InvalidInput

_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Rule:
    """Whoever is in a group has a role."""

    group: str
    grant: Grant


@dataclass(frozen=True, slots=True)
class Terms:
    """What the settings say about the identity provider."""

    issuer: str
    client_id: str
    secret: str = field(default="", repr=False)
    scopes: str = "openid profile"
    name_claim: str = "preferred_username"
    groups_claim: str = "groups"
    rules: tuple[Rule, ...] = ()
    lasting: timedelta = timedelta(days=7)

    def __post_init__(self) -> None:
        if not is_safe(self.issuer, self.issuer) or urlsplit(self.issuer).query or not self.client_id:
            raise InvalidInput(
                f"{self.issuer[:200]!r} with client {self.client_id[:100]!r} is no identity provider to log in at.",
                remedy="Set LADING_OIDC_ISSUER to an https address, and LADING_OIDC_CLIENT_ID.",
            )
        if "openid" not in self.scopes.split():
            raise InvalidInput(
                "The scopes of the identity provider lack openid.", remedy="Add it to LADING_OIDC_SCOPES."
            )

    def grants(self, groups: Iterable[str]) -> frozenset[Grant]:
        """The roles of somebody who is in these groups."""
        held = {*groups, "*"}
        return frozenset(rule.grant for rule in self.rules if rule.group in held)


def is_safe(url: str, issuer: str) -> bool:
    """Whether credentials may be sent there: over TLS, or within this machine when the issuer is on it."""
    parts, home = urlsplit(url), urlsplit(issuer)
    if parts.scheme == "https":
        return bool(parts.hostname)
    return parts.scheme == "http" and parts.hostname in _LOOPBACK and home.hostname in _LOOPBACK


def read_rules(text: str) -> tuple[Rule, ...]:
    """The rules between semicolons; raises InvalidInput for one that cannot be read."""
    return tuple(_rule(entry.strip()) for entry in text.split(";") if entry.strip())


def _rule(entry: str) -> Rule:
    # The last one: names of groups may hold the sign themselves, as those of directories do.
    group, _, given = entry.rpartition("=")
    team, _, rest = given.partition(":")
    role, _, pattern = rest.partition(":")
    try:
        grant = Grant(team if team == EVERY_TEAM else checked_name(team, "team"), Role(role), checked_pattern(pattern))
    except (InvalidInput, ValueError) as error:
        raise InvalidInput(
            f"{entry[:200]!r} gives no role: {error}.", remedy="Write GROUP=TEAM:ROLE or GROUP=TEAM:ROLE:PATTERN."
        ) from error
    if not group:
        raise InvalidInput(
            f"{entry[:200]!r} names no group.", remedy="Write GROUP=TEAM:ROLE; the group * is everybody."
        )
    return Rule(group.strip(), grant)
