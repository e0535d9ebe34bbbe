"""Rows of the licences of packages: kept with what a layer brings, so once for all images that have the layer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from lading.state import Transaction
from lading.supply_chain.match.sql import chunks, licences

_MOST_TEXTS: Final = 50
_MOST_WORDS: Final = 20
_MOST_SHOWN: Final = 300
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")
_OPERATORS: Final = frozenset({"and", "or", "with"})

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
    """By what a licence is asked for: all of it, and each id in an expression."""
    words = {word.lower() for word in _WORD.findall(text)[:_MOST_WORDS]} - _OPERATORS
    whole = text.strip().lower()[:200]
    # The words of a sentence are no ids.
    return ({whole} | (words if any(f" {one} " in f" {whole} " for one in _OPERATORS) else set())) - {""}
