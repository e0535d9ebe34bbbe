"""CVSS vectors of versions 2.0, 3.0, 3.1 and 4.0 to scores and levels.

A vector is believed when every metric in it is known, has a known value and is given once, and no metric of the base
group is missing; anything else has no score, and whoever asks says so.
"""

from __future__ import annotations

from typing import Final

import msgspec

from lading.kernel.severity import Severity
from lading.supply_chain.advisories import cvss_2, cvss_3, cvss_4

_MOST_LENGTH: Final = 500


class Rating(msgspec.Struct, frozen=True):
    """What a vector comes to: a score between 0.0 and 10.0, its level, and the version of CVSS that says so."""

    score: float
    severity: Severity
    version: str


def rate(vector: str) -> Rating | None:
    """The rating of a vector; None for a text that is none, whatever it is."""
    text = vector.strip()
    if len(text) > _MOST_LENGTH:
        return None
    try:
        if text.startswith("CVSS:4.0/"):
            score = cvss_4.score(_metrics(text.removeprefix("CVSS:4.0/")))
            return Rating(score, Severity.of_score(score), "4.0")
        for version in ("3.1", "3.0"):
            if text.startswith(f"CVSS:{version}/"):
                score = cvss_3.base_score(_metrics(text[9:]), version)
                return Rating(score, Severity.of_score(score), version)
        score = cvss_2.base_score(_metrics(text.removeprefix("CVSS:2.0/").strip("()")))
    except ValueError:
        return None
    return Rating(score, cvss_2.level(score), "2.0")


def base_score(vector: str) -> float | None:
    """The score of `rate` alone."""
    rating = rate(vector)
    return None if rating is None else rating.score


def _metrics(text: str) -> dict[str, str]:
    """Metric -> value; raises ValueError when one is given twice or is no metric."""
    found: dict[str, str] = {}
    for part in text.removesuffix("/").split("/"):
        name, colon, value = part.partition(":")
        if not colon or not value or name in found:
            raise ValueError(part)
        found[name] = value
    return found
