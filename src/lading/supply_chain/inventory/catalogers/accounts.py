"""Who an image knows: passwd(5), and of shadow(5) only which accounts ask for no password. Hashes are never kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lading.supply_chain.inventory.catalogers.cataloger import Places
from lading.supply_chain.inventory.limits import MIB
from lading.supply_chain.inventory.values import Account, PackageDatabase

PASSWD: Final = "etc/passwd"  # noqa: S105
SHADOW: Final = "etc/shadow"
_MOST_ACCOUNTS: Final = 10_000
_MOST_NAME: Final = 256


class AccountCataloger:
    """Reads `etc/passwd` and `etc/shadow`."""

    name = "accounts"
    revision = 1
    places = Places(names=frozenset({"passwd", "shadow"}), links=True)
    most = MIB

    def wants(self, path: str) -> bool:
        return path in (PASSWD, SHADOW)

    def read(self, path: str, content: bytes) -> PackageDatabase:
        lines = content.decode("utf-8", "backslashreplace").split("\n")[:_MOST_ACCOUNTS]
        found = _known(lines) if path == PASSWD else _open(lines)
        return PackageDatabase(path=path, cataloger=self.name, accounts=tuple(found))


def _known(lines: list[str]) -> Iterator[Account]:
    for line in lines:
        name, _, rest = line.partition(":")
        password, _, rest = rest.partition(":")
        number = rest.partition(":")[0]
        if 0 < len(name) <= _MOST_NAME and number.isascii() and number.isdigit() and len(number) < 11:
            yield Account(name=name, uid=int(number), open=not password)


def _open(lines: list[str]) -> Iterator[Account]:
    for line in lines:
        name, colon, rest = line.partition(":")
        if colon and 0 < len(name) <= _MOST_NAME and rest.startswith(":"):
            yield Account(name=name, open=True)
