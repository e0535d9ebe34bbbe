"""CVSS base scores from vectors: 3.0 and 3.1 by the equations of their specifications (section 7.1 and 7.4).

A 4.0 vector is scored as the 3.1 vector that says the same (requirements for an attack make it complex, an effect on
subsequent systems changes the scope). That is an estimate, mostly within a point of the real score, and
it keeps a grave flaw from being of unknown severity; see docs/decisions/0021.
"""

from __future__ import annotations

import math
from typing import Final

_AV: Final = {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2}
_AC: Final = {"L": 0.77, "H": 0.44}
_PR: Final = {"N": 0.85, "L": 0.62, "H": 0.27}
_PR_CHANGED: Final = {"N": 0.85, "L": 0.68, "H": 0.5}
_UI: Final = {"N": 0.85, "R": 0.62}
_IMPACT: Final = {"H": 0.56, "L": 0.22, "N": 0.0}
_MOST_LENGTH: Final = 500


def base_score(vector: str) -> float | None:
    """The base score between 0.0 and 10.0, or None for a vector that cannot be read."""
    if len(vector) > _MOST_LENGTH:
        return None
    version, _, rest = vector.strip().partition("/")
    metrics = dict(part.partition(":")[::2] for part in rest.split("/"))
    try:
        if version in ("CVSS:3.1", "CVSS:3.0"):
            return _score_3(metrics, exact_rounding=version == "CVSS:3.1")
        if version == "CVSS:4.0":
            return _score_3(_as_3(metrics), exact_rounding=True)
    except KeyError:
        return None
    return None


def _score_3(metrics: dict[str, str], *, exact_rounding: bool) -> float:
    if metrics["S"] not in ("U", "C"):
        raise KeyError(metrics["S"])
    changed = metrics["S"] == "C"
    left = 1.0
    for name in "CIA":
        left *= 1 - _IMPACT[metrics[name]]
    sub_score = 1 - left
    impact = 7.52 * (sub_score - 0.029) - 3.25 * (sub_score - 0.02) ** 15 if changed else 6.42 * sub_score
    privileges = (_PR_CHANGED if changed else _PR)[metrics["PR"]]
    exploitability = 8.22 * _AV[metrics["AV"]] * _AC[metrics["AC"]] * privileges * _UI[metrics["UI"]]
    if impact <= 0:
        return 0.0
    total = min((1.08 if changed else 1.0) * (impact + exploitability), 10.0)
    return _round_up(total) if exact_rounding else math.ceil(total * 10) / 10


def _round_up(value: float) -> float:
    """ "Roundup" of CVSS 3.1 appendix A: to one decimal upwards, blind to the error of floating point."""
    whole = round(value * 100_000)
    return whole / 100_000 if whole % 10_000 == 0 else (whole // 10_000 + 1) / 10


def _as_3(metrics: dict[str, str]) -> dict[str, str]:
    subsequent = any(metrics[name] not in ("N", "X") for name in ("SC", "SI", "SA"))
    own = {name[1]: metrics[name] for name in ("VC", "VI", "VA")}
    if set(own.values()) == {"N"} and subsequent:
        own = {name[1]: metrics[name] for name in ("SC", "SI", "SA")}
    return own | {
        "AV": metrics["AV"],
        "AC": "H" if metrics["AC"] == "H" or metrics["AT"] == "P" else "L",
        "PR": metrics["PR"],
        "UI": "N" if metrics["UI"] == "N" else "R",
        "S": "C" if subsequent else "U",
    }
