"""Rows of the licences of packages: kept with what a layer brings, so once for all images that have the layer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from lading.state import Transaction
from lading.supply_chain.licences import licence_of
from lading.supply_chain.match.sql import chunks, licences

_MOST_TEXTS: Final = 50
_MOST_WORDS: Final = 40
_MOST_KEY: Final = 200
_WORD: Final = re.compile(r"[a-z0-9][a-z0-9.+-]*")
_OWN: Final = "licenseref-"
_OPERATORS: Final = frozenset({"and", "or", "with"})
_MOST_SHOWN: Final = 300

# Licence as it is asked for, group and package.
_Key = tuple[str, int, int]


class LicenceStore:
    """Every method works in the caller's transaction."""

    def place(self, tx: Transaction, rows: Sequence[tuple[int, int, Sequence[str]]]) -> None:
        """Say which licences packages have: `(group, package, texts)` for all packages of these groups."""
        wanted: dict[_Key, str] = {}
        for group, number, texts in rows:
            for text in texts[:_MOST_TEXTS]:
                # No database keeps a NUL in a text.
                said = text.replace("\0", "")
                for key in keys(said):
                    wanted.setdefault((key, group, number), said[:_MOST_SHOWN])
        before = self._kept(tx, sorted({group for group, _, _ in rows}))
        gone = [key for key, text in before.items() if wanted.get(key) != text]
        new = [(key, text) for key, text in wanted.items() if before.get(key) != text]
        if gone:
            here = (licences.c.licence == sa.bindparam("l")) & (licences.c.group_id == sa.bindparam("g"))
            here &= licences.c.package == sa.bindparam("p")
            tx.execute(sa.delete(licences).where(here), [dict(zip("lgp", key, strict=True)) for key in gone])
        if new:
            tx.execute(sa.insert(licences), [
                {"licence": key[0], "group_id": key[1], "package": key[2], "text": text} for key, text in new
            ])  # fmt: skip

    def _kept(self, tx: Transaction, groups: Sequence[int]) -> dict[_Key, str]:
        return {
            (row.licence, row.group_id, row.package): row.text
            for chunk in chunks(groups)
            for row in tx.execute(sa.select(licences).where(licences.c.group_id.in_(chunk)))
        }


def keys(text: str) -> set[str]:
    """By what a licence is asked for: the text, the expression that it comes to, and each id in that."""
    expression = licence_of([text]).expression.lower()
    words = {word.removeprefix(_OWN) for word in _WORD.findall(expression)[:_MOST_WORDS]} - _OPERATORS
    return {text.strip().lower()[:_MOST_KEY], expression[:_MOST_KEY], *words} - {""}


def asked(text: str) -> str:
    """The key that a question names: of a licence in any of its names that of its id, of all else the text."""
    licence = licence_of([text])
    return (licence.expression if licence.known else text.strip()).lower()[:_MOST_KEY]
