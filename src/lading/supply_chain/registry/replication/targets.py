"""Where the registry is copied to: other Lading regions, and any OCI registry."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from lading.facts import Ledger
from lading.facts.follower import rewind
from lading.facts.kinds.replication import TargetAdded, TargetRemoved
from lading.identity.principal import checked_name
from lading.kernel.clock import Clock, timestamp
from lading.state import Database, Transaction
from lading.state.sealing import Sealer
from lading.supply_chain.registry.reading import check_name
from lading.supply_chain.registry.replication.errors import TargetExists, TargetInvalid, TargetUnknown
from lading.supply_chain.registry.replication.regions import checked_patterns, covered
from lading.supply_chain.registry.replication.sql import targets as sql
from lading.supply_chain.registry.sql.reading import CACHE_SUFFIX

_MOST_URL: Final = 300
_MOST_RATE: Final = 1 << 40
_USER: Final = re.compile(r"[^\s:\x00-\x1f]{0,200}")


class TargetKind(StrEnum):
    """What a target is."""

    LADING = "lading"
    OCI = "oci"


class Sent(StrEnum):
    """Which images a target gets: all with their states, or only those that may be pulled."""

    ANY = "any"
    APPROVED = "approved"


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A target as it is kept, without its secret.

    `url` is the API of a region or the address of a registry, `push` the push endpoint of a region, `rate` in bytes a
    second (0: no limit). `standing` is new, following or failing; `behind_since` says since when, unless following.
    """

    name: str
    kind: TargetKind
    url: str
    push: str
    user: str
    prefix: str
    patterns: tuple[str, ...]
    states: Sent
    rate: int
    added: str
    added_by: str
    standing: str
    behind_since: str
    failures: int
    next_try: str
    error: str
    items: int
    bytes: int

    @property
    def follower(self) -> str:
        """The name of its cursor over the ledger."""
        return follower_name(self.name)

    def covers(self, repository: str) -> bool:
        """Whether it gets what is in a repository. Layer caches of builds are nobody's business elsewhere."""
        return covered(self.patterns, repository) and not repository.endswith(CACHE_SUFFIX)

    def place(self, repository: str) -> str:
        """The name that a repository has there."""
        return f"{self.prefix}/{repository}" if self.prefix else repository


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A target to add. For a region, `name` is the region's own and the secret the token that it gave us."""

    name: str
    kind: TargetKind
    url: str
    push: str = ""
    user: str = ""
    prefix: str = ""
    patterns: tuple[str, ...] = ()
    states: Sent = Sent.ANY
    rate: int = 0


class Targets:
    """Add, list and remove targets."""

    def __init__(self, database: Database, ledger: Ledger, sealer: Sealer, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._sealer = sealer
        self._clock = clock

    def add(self, order: Order, secret: str, *, actor: str) -> Target:
        """Copy the registry to a target from now on, beginning with everything that there is.

        Raises:
            TargetInvalid, InvalidName, NameInvalid: something about the order is malformed.
            TargetExists: there is a target of that name.
        """
        order = _checked(order)
        sealed = self._sealer.seal(secret, _purpose(order.name))
        now = timestamp(self._clock.now())
        values = msgspec.structs.asdict(order) | {
            "patterns": "\n".join(order.patterns),
            "secret": sealed,
            "added": now,
            "added_by": actor,
            "standing": "new",
            "behind_since": now,
        }
        fact = TargetAdded(
            target=order.name, kind_of=order.kind, url=order.url, patterns=order.patterns, states=order.states
        )
        with self._database.write() as tx:
            if sql.target(tx, order.name) is not None:
                raise TargetExists(f"There is a target {order.name} already.", remedy="Remove it first.")
            sql.add_target(tx, values)
            rewind(tx, follower_name(order.name))
            self._ledger.append(tx, [fact], actor=actor)
        return self.get(order.name)

    def remove(self, name: str, *, actor: str) -> None:
        """Copy nothing to a target any more and forget its secret; what is there stays. Raises TargetUnknown."""
        with self._database.write() as tx:
            _existing(tx, name)
            waiting = sum(int(row.items) for row in sql.waiting(tx, name))
            sql.remove_target(tx, name)
            rewind(tx, follower_name(name))
            self._ledger.append(tx, [TargetRemoved(target=name, waiting=waiting)], actor=actor)

    def run(self, name: str, *, again: bool = False) -> None:
        """Try everything that waits at once; with `again`, offer the target everything that there is once more.

        Raises:
            TargetUnknown: there is no such target.
        """
        with self._database.write() as tx:
            _existing(tx, name)
            sql.change_target(tx, name, next_try="")
            sql.hurry(tx, name)
            if again:
                rewind(tx, follower_name(name))

    def get(self, name: str) -> Target:
        """A target; raises TargetUnknown."""
        with self._database.read() as tx:
            return _target(_existing(tx, name))

    def all(self) -> list[Target]:
        """The targets, by name."""
        with self._database.read() as tx:
            return [_target(row) for row in sql.target_rows(tx)]

    def secret(self, name: str) -> str:
        """The secret of a target. Raises TargetUnknown, and SealBroken when it cannot be opened."""
        with self._database.read() as tx:
            sealed = _existing(tx, name).secret
        return self._sealer.unseal(sealed, _purpose(name))


def follower_name(target: str) -> str:
    """The name of a target's cursor over the ledger."""
    return f"replication:{target}"


def checked_url(text: str) -> str:
    """A URL of http or https without user, query or fragment; raises TargetInvalid, which does not repeat secrets."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    good = parts.scheme in ("http", "https") and parts.hostname and not parts.query and not parts.fragment
    if not good or parts.username is not None or len(text) > _MOST_URL or port == 0:
        raise TargetInvalid(
            "That is not the address of a target.", remedy="Write it as https://HOST[:PORT], with no user or password."
        )
    return text.rstrip("/")


def _checked(order: Order) -> Order:
    checked_name(order.name, "target")
    if order.prefix:
        check_name(order.prefix)
    if _USER.fullmatch(order.user) is None:
        raise TargetInvalid("That is not a user name.", remedy="Leave out spaces and colons.")
    if not 0 <= order.rate <= _MOST_RATE:
        raise TargetInvalid(f"A rate of {order.rate} bytes a second cannot be kept.", remedy="Give 0 for no limit.")
    is_region = order.kind is TargetKind.LADING
    if is_region and order.prefix:
        raise TargetInvalid("A region has repositories of the same names.", remedy="Leave the prefix out.")
    return msgspec.structs.replace(
        order,
        url=checked_url(order.url),
        push=checked_url(order.push) if is_region else "",
        patterns=checked_patterns(order.patterns),
        # What was not approved leaves Lading only for another Lading, which keeps its state.
        states=order.states if is_region else Sent.APPROVED,
    )


def _existing(tx: Transaction, name: str) -> Any:
    row = sql.target(tx, name)
    if row is None:
        raise TargetUnknown(f"There is no target {name[:100]!r}.", remedy="See `lading registry replicate ls`.")
    return row


def _target(row: Any) -> Target:
    values = {field: getattr(row, field) for field in Target.__struct_fields__}
    values |= {
        "kind": TargetKind(row.kind),
        "states": Sent(row.states),
        "patterns": split_patterns(row.patterns),
    }
    return Target(**values)


def split_patterns(text: str) -> Sequence[str]:
    """Patterns as they are kept: one a line."""
    return tuple(filter(None, text.split("\n")))


def _purpose(name: str) -> str:
    return f"replication-target:{name}"
