"""Composer versions: normalised as composer/semver does, then ordered as PHP's version_compare orders what comes out.

Normalising gives four numbers (or a date), a stability (`alpha`, `beta`, `RC`, `patch`) with its number, and `-dev`.
`1.x-dev` is above every release of 1. A branch such as `dev-main` has no place among the numbers and is no version.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from lading.supply_chain.match.versions.invalid import VersionInvalid

ComposerKey = tuple[tuple[int, int], ...]
_STABILITY: Final = r"[._-]?(?:(stable|beta|b|RC|alpha|a|patch|pl|p)((?:[.-]?[0-9]+)*+)?)?([.-]?dev)?"
_CLASSIC: Final = re.compile(
    rf"v?([0-9]{{1,5}})(\.[0-9]+)?(\.[0-9]+)?(\.[0-9]+)?{_STABILITY}", re.IGNORECASE | re.ASCII
)
_DATED: Final = re.compile(
    rf"v?([0-9]{{4}}(?:[.:-]?[0-9]{{2}}){{1,6}}(?:[.:-]?[0-9]{{1,3}})?){_STABILITY}", re.IGNORECASE | re.ASCII
)
_BRANCH: Final = re.compile(
    r"v?([0-9]+)(\.(?:[0-9]+|[xX*]))?(\.(?:[0-9]+|[xX*]))?(\.(?:[0-9]+|[xX*]))?[.-]?dev", re.IGNORECASE | re.ASCII
)
_ALIAS: Final = re.compile(r"([^,\s]+) +as +([^,\s]+)")
_FLAG: Final = re.compile(r"@(?:stable|RC|beta|alpha|dev)$", re.IGNORECASE)
_BUILD: Final = re.compile(r"([^,\s+]+)\+\S+")
# PHP's forms in rising order: any other word, dev, alpha, beta, RC, the end or a number sign, a number, patch.
_OTHER, _DEV, _ALPHA, _BETA, _RC, _END, _NUMBER, _PATCH = range(8)
_FORMS: Final = {
    "alpha": _ALPHA, "a": _ALPHA, "beta": _BETA, "b": _BETA, "rc": _RC, "patch": _PATCH, "pl": _PATCH, "p": _PATCH,
}  # fmt: skip
_ANY: Final = 9_999_999
_MOST_NUMBER: Final = (1 << 63) - 1
_MOST: Final = 300


@lru_cache(maxsize=1 << 16)
def key(version: str) -> ComposerKey:
    """The sortable form; raises VersionInvalid."""
    text = version.strip() if len(version) <= _MOST else ""
    if (alias := _ALIAS.fullmatch(text)) is not None:
        text = alias[1]
    text = _FLAG.sub("", text)
    if (build := _BUILD.fullmatch(text)) is not None:
        text = build[1]
    if (classic := _CLASSIC.fullmatch(text)) is not None:
        numbers = [int((part or "0").lstrip(".")) for part in classic.groups()[:4]]
        return _key(numbers, classic[5], classic[6], classic[7])
    if (dated := _DATED.fullmatch(text)) is not None:
        numbers = [int(part) for part in re.split(r"[.:-]", dated[1])]
        return _key(numbers, dated[2], dated[3], dated[4])
    if (branch := _BRANCH.fullmatch(text)) is not None:
        parts = [(part or "x").lstrip(".") for part in branch.groups()]
        return _key([int(part) if part.isdigit() else _ANY for part in parts], None, None, "dev")
    raise VersionInvalid(f"{version[:100]!r} is not a version that Composer can compare")


def _key(numbers: list[int], stability: str | None, number: str | None, dev: str | None) -> ComposerKey:
    out = [(_NUMBER, min(part, _MOST_NUMBER)) for part in numbers]
    if stability == "stable":
        return (*out, (_END, 0))
    if stability:
        # Composer drops the word in lower case only; `STABLE` stays, and PHP puts a word that it does not know lowest.
        out.append((_FORMS.get(stability.lower(), _OTHER), 0))
        out += [(_NUMBER, min(int(part), _MOST_NUMBER)) for part in re.findall(r"[0-9]+", number or "")]
    if dev:
        out.append((_DEV, 0))
    return (*out, (_END, 0))
