"""Another registry that is mirrored here: how it is reached, what of it may come, what it is called here.

Read-only: the pull endpoint loads this. `upstreams` changes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from lading.state import Transaction
from lading.supply_chain.registry.mirroring.rewriting import local_name, remote_name
from lading.supply_chain.registry.mirroring.selecting import selected
from lading.supply_chain.registry.mirroring.sql import reading as sql

# The one that LADING_UPSTREAM names: for builds, without a prefix, and no row in the table.
UNNAMED: Final = "default"


class Upstream(msgspec.Struct, frozen=True, kw_only=True):
    """An upstream, without its secret.

    `url` is where it answers, `prefix` what its repositories are put below here, `rewrites` rules for their names
    (`rewriting`), `allow` and `deny` patterns of images (`selecting`), `platforms` those whose images come along with
    an index (all when empty), `team` whose the repositories are and `visibility` who may pull from new ones. A tag is
    looked at again after `freshness` seconds. `mirror` are patterns of what is brought every `every` seconds without
    being asked for (0: once). `rate` is in bytes a second (0: no limit), `ca_file` a bundle on the host of the worker.
    """

    name: str
    url: str
    prefix: str
    rewrites: tuple[str, ...] = ()
    user: str = ""
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    team: str
    visibility: str = "internal"
    freshness: int = 300
    on_pull: bool = True
    mirror: tuple[str, ...] = ()
    every: int = 0
    rate: int = 0
    enabled: bool = True
    plain: bool = False
    ca_file: str = ""
    added: str = ""
    added_by: str = ""
    synced: str = ""
    sync_error: str = ""

    def remote(self, repository: str) -> str:
        """What a repository of ours is called there; empty when it is none of its."""
        return remote_name(self.rewrites, self.prefix, repository)

    def local(self, remote: str) -> str:
        """What a repository of it is called here; empty when no rule gives it a name."""
        return local_name(self.rewrites, self.prefix, remote)

    def lets_in(self, remote: str, tag: str) -> bool:
        """Whether a tag of a repository may be asked for; with an empty tag, a digest."""
        if selected(self.deny, remote, tag):
            return False
        return not self.allow or selected(self.allow, remote, tag)


def all_upstreams(tx: Transaction) -> list[Upstream]:
    """The upstreams that are kept, by name."""
    return [_upstream(row) for row in sql.upstream_rows(tx)]


def covering(upstreams: Sequence[Upstream], repository: str) -> Upstream | None:
    """The upstream that a repository of ours comes from: the one with the longest prefix that fits, when enabled."""
    found = [item for item in upstreams if repository.startswith(f"{item.prefix}/")]
    best = max(found, key=lambda item: len(item.prefix), default=None)
    return best if best is not None and best.enabled and best.remote(repository) else None


def upstream_of(tx: Transaction, name: str) -> Upstream | None:
    """One upstream."""
    row = sql.upstream_row(tx, name)
    return None if row is None else _upstream(row)


LISTS: Final = ("rewrites", "allow", "deny", "platforms", "mirror")


def _upstream(row: Any) -> Upstream:
    values = {field: getattr(row, field) for field in Upstream.__struct_fields__}
    return Upstream(**values | {field: tuple(filter(None, values[field].split("\n"))) for field in LISTS})
