"""The accounts of an image, from the passwd and the shadow file that a container sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from lading.supply_chain.inventory.catalogers.accounts import PASSWD, SHADOW
from lading.supply_chain.inventory.values import Account, FileEntry, PackageDatabase

_MOST: Final = 1_000


def accounts_of(files: Mapping[str, FileEntry], databases: Mapping[str, PackageDatabase]) -> tuple[Account, ...] | None:
    """The first thousand accounts, those of number zero first; none where there is no passwd file, and None where there
    is one that was not read (a link).

    The first line of a name counts, as for getpwnam(3). An account is open when passwd says so, or shadow does.
    """
    if PASSWD not in databases:
        return None if PASSWD in files else ()
    shadow = databases.get(SHADOW)
    opened = {one.name for one in shadow.accounts} if shadow else set()
    found: dict[str, Account] = {}
    for one in databases[PASSWD].accounts:
        found.setdefault(one.name, msgspec.structs.replace(one, open=one.open or one.name in opened))
    return tuple(sorted(found.values(), key=lambda one: (one.uid, one.name))[:_MOST])
