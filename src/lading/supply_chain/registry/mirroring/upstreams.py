"""Which registries are mirrored, to be changed: add, change, remove. Secrets are kept sealed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from lading.facts import Ledger
from lading.facts.kinds.mirroring import UpstreamAdded, UpstreamChanged, UpstreamRemoved
from lading.identity.principal import checked_name
from lading.kernel.clock import Clock, timestamp
from lading.state import Database, Transaction
from lading.state.sealing import Sealer
from lading.supply_chain.registry.access import Visibility
from lading.supply_chain.registry.mirroring.errors import UpstreamExists, UpstreamInvalid, UpstreamUnknown
from lading.supply_chain.registry.mirroring.rewriting import checked_rules
from lading.supply_chain.registry.mirroring.selecting import checked_selection
from lading.supply_chain.registry.mirroring.sql import reading, writing
from lading.supply_chain.registry.mirroring.upstream import LISTS, UNNAMED, Upstream, all_upstreams, upstream_of
from lading.supply_chain.registry.reading import check_name
from lading.supply_chain.registry.replication.errors import TargetInvalid
from lading.supply_chain.registry.replication.targets import checked_url
from lading.supply_chain.registry.sql import reading as registry_sql
from lading.supply_chain.registry.sql import writing as registry_writing

_USER: Final = re.compile(r"[^\s:\x00-\x1f]{0,200}")
_PLATFORM: Final = re.compile(r"[a-z0-9]{1,32}/[a-z0-9]{1,32}")
_MOST_SECONDS: Final = 366 * 86_400
_MOST_RATE: Final = 1 << 40
# What may be changed later; the rest says which upstream it is.
CHANGEABLE: Final = frozenset(
    {
        "url", "rewrites", "user", "allow", "deny", "platforms", "team", "visibility", "freshness", "on_pull", "mirror",
        "every", "rate", "enabled", "plain", "ca_file",
    }
)  # fmt: skip


class Upstreams:
    """The upstreams that are kept."""

    def __init__(self, database: Database, ledger: Ledger, sealer: Sealer, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._sealer = sealer
        self._clock = clock

    def add(self, upstream: Upstream, secret: str = "", *, actor: str) -> Upstream:
        """Mirror another registry from now on. The namespace of its prefix becomes its team's.

        Raises:
            UpstreamInvalid, InvalidName, NameInvalid: something about it is malformed, or the namespace is another's.
            UpstreamExists: there is one of that name or prefix.
        """
        now = timestamp(self._clock.now())
        upstream = checked(msgspec.structs.replace(upstream, added=now, added_by=actor, synced="", sync_error=""))
        values = _values(upstream) | {"secret": self._sealed(upstream.name, secret)}
        fact = UpstreamAdded(upstream=upstream.name, url=upstream.url, prefix=upstream.prefix, team=upstream.team)
        with self._database.write() as tx:
            for other in all_upstreams(tx):
                if upstream.name == other.name or upstream.prefix == other.prefix:
                    raise UpstreamExists(
                        f"{other.name} is mirrored below {other.prefix}/ already.",
                        remedy="Change it, or remove it first.",
                    )
            self._claim(tx, upstream, now)
            writing.add_upstream(tx, values)
            self._ledger.append(tx, [fact], actor=actor)
        return upstream

    def change(self, name: str, changes: Mapping[str, Any], secret: str | None = None, *, actor: str) -> Upstream:
        """Mirror a registry otherwise from now on. Its secret goes with its address, unless a new one is given.

        Raises:
            UpstreamUnknown, UpstreamInvalid: there is none of that name, or it cannot be like that.
        """
        if unknown := sorted(set(changes) - CHANGEABLE):
            raise UpstreamInvalid(
                f"{unknown[0]} of an upstream cannot be changed.", remedy="Remove it and add it anew."
            )
        with self._database.write() as tx:
            before = upstream_of(tx, name)
            if before is None:
                raise _unknown(name)
            after = checked(msgspec.structs.replace(before, **changes))
            changed = tuple(sorted(key for key in changes if getattr(after, key) != getattr(before, key)))
            if secret is None and after.url != before.url:
                secret = ""
            if secret is not None:
                changed = (*changed, "secret")
            if not changed:
                return before
            self._claim(tx, after, timestamp(self._clock.now()))
            values = {key: value for key, value in _values(after).items() if key in CHANGEABLE}
            if secret is not None:
                values["secret"] = self._sealed(name, secret)
            writing.change_upstream(tx, name, values)
            # It may answer now: nobody waits for the end of a rest.
            writing.lock_health(tx, name, timestamp(self._clock.now()))
            writing.change_health(tx, name, next_try="")
            writing.forget_answers(tx, name)
            self._ledger.append(tx, [UpstreamChanged(upstream=name, changed=changed)], actor=actor)
        return after

    def remove(self, name: str, *, actor: str) -> None:
        """Mirror a registry no longer and forget its secret; what came stays. Raises UpstreamUnknown."""
        with self._database.write() as tx:
            if upstream_of(tx, name) is None:
                raise _unknown(name)
            writing.remove_upstream(tx, name)
            self._ledger.append(tx, [UpstreamRemoved(upstream=name)], actor=actor)

    def get(self, name: str) -> Upstream:
        """One upstream; raises UpstreamUnknown."""
        with self._database.read() as tx:
            found = upstream_of(tx, name)
        if found is None:
            raise _unknown(name)
        return found

    def all(self) -> list[Upstream]:
        """The upstreams, by name."""
        with self._database.read() as tx:
            return all_upstreams(tx)

    def secret(self, name: str) -> str:
        """The secret of an upstream, empty when it has none. Raises UpstreamUnknown, and SealBroken."""
        with self._database.read() as tx:
            row = reading.upstream_row(tx, name)
        if row is None:
            raise _unknown(name)
        return self._sealer.unseal(row.secret, _purpose(name)) if row.secret else ""

    def hurry(self, name: str) -> None:
        """Let its plan be due, and all that refers to its images; end its rest. Raises UpstreamUnknown."""
        with self._database.write() as tx:
            if not writing.change_upstream(tx, name, {"synced": ""}):
                raise _unknown(name)
            writing.lock_health(tx, name, timestamp(self._clock.now()))
            writing.change_health(tx, name, next_try="")
            writing.forget_answers(tx, name)
            writing.change_tags(tx, name, whole="")

    def _claim(self, tx: Transaction, upstream: Upstream, now: str) -> None:
        """Make the namespace of the prefix its team's; raises UpstreamInvalid when it is another's."""
        namespace = upstream.prefix.partition("/")[0]
        registry_writing.claim_namespace(tx, namespace, upstream.team, now)
        owner = registry_sql.namespace_owner(tx, namespace)
        if owner != upstream.team:
            raise UpstreamInvalid(
                f"{namespace}/ belongs to team {owner}.", remedy=f"Give another prefix, or let team {owner} own it."
            )

    def _sealed(self, name: str, secret: str) -> str:
        return self._sealer.seal(secret, _purpose(name)) if secret else ""


def checked(upstream: Upstream) -> Upstream:
    """An upstream that can be; raises UpstreamInvalid, InvalidName and NameInvalid."""
    checked_name(upstream.name, "upstream")
    if upstream.name == UNNAMED:
        raise UpstreamInvalid(f"{UNNAMED} is the upstream that LADING_UPSTREAM names.", remedy="Give another name.")
    check_name(upstream.prefix)
    checked_name(upstream.team, "team")
    try:
        url = checked_url(upstream.url)
    except TargetInvalid as error:
        raise UpstreamInvalid("That is not the address of a registry.", remedy=error.remedy) from error
    if url.startswith("http://") and not upstream.plain:
        raise UpstreamInvalid(f"{url} has no TLS.", remedy="Give an https:// address, or say that plain HTTP is meant.")
    if _USER.fullmatch(upstream.user) is None:
        raise UpstreamInvalid("That is not a user name.", remedy="Leave out spaces and colons.")
    if upstream.visibility not in set(Visibility):
        raise UpstreamInvalid(f"{upstream.visibility!r} is no visibility.", remedy=f"One of {', '.join(Visibility)}.")
    for platform in upstream.platforms:
        if _PLATFORM.fullmatch(platform) is None:
            raise UpstreamInvalid(f"{platform[:80]!r} is not a platform.", remedy="Write it as linux/amd64.")
    if upstream.ca_file and not Path(upstream.ca_file).is_absolute():
        raise UpstreamInvalid("The CA file has no absolute path.", remedy="It is read on the host of the worker.")
    if not 0 <= upstream.rate <= _MOST_RATE:
        raise UpstreamInvalid(f"A rate of {upstream.rate} bytes a second cannot be kept.", remedy="0 is no limit.")
    for seconds in (upstream.freshness, upstream.every):
        if not 0 <= seconds <= _MOST_SECONDS:
            raise UpstreamInvalid(f"{seconds} seconds are no time to wait.", remedy="Give at most a year.")
    return msgspec.structs.replace(
        upstream,
        url=url,
        rewrites=checked_rules(upstream.rewrites),
        allow=checked_selection(upstream.allow),
        deny=checked_selection(upstream.deny),
        mirror=checked_selection(upstream.mirror),
        platforms=tuple(dict.fromkeys(upstream.platforms)),
    )


def _values(upstream: Upstream) -> dict[str, Any]:
    values = msgspec.structs.asdict(upstream)
    return values | {field: "\n".join(values[field]) for field in LISTS}


def _unknown(name: str) -> UpstreamUnknown:
    return UpstreamUnknown(f"There is no upstream {name[:100]!r}.", remedy="See `lading registry mirror ls`.")


def _purpose(name: str) -> str:
    return f"mirror-upstream:{name}"
