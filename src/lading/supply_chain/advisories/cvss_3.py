"""CVSS 3.0 and 3.1: base score by the equations of their specifications (sections 7.1 and 7.4)."""

from __future__ import annotations

import math
from typing import Final

_AV: Final = {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2}
_AC: Final = {"L": 0.77, "H": 0.44}
_PR: Final = {"N": 0.85, "L": 0.62, "H": 0.27}
_PR_CHANGED: Final = {"N": 0.85, "L": 0.68, "H": 0.5}
_UI: Final = {"N": 0.85, "R": 0.62}
_IMPACT: Final = {"H": 0.56, "L": 0.22, "N": 0.0}
_BASE: Final = {
    "AV": set(_AV),
    "AC": set(_AC),
    "PR": set(_PR),
    "UI": set(_UI),
    "S": {"U", "C"},
    "C": set(_IMPACT),
    "I": set(_IMPACT),
    "A": set(_IMPACT),
}
# Temporal and environmental metrics may be there; they do not change the base score.
_OTHERS: Final = {
    "E": set("XHFPU"),
    "RL": set("XUWTO"),
    "RC": set("XCRU"),
    "CR": set("XHML"),
    "IR": set("XHML"),
    "AR": set("XHML"),
    **{f"M{name}": {*values, "X"} for name, values in _BASE.items()},
}


def base_score(metrics: dict[str, str], version: str) -> float:
    """The base score, 0.0 to 10.0, rounded as `version` (3.0 or 3.1) says; raises ValueError for bad metrics."""
    if any(value not in _OTHERS.get(name, _BASE.get(name, ())) for name, value in metrics.items()):
        raise ValueError(metrics)
    if not metrics.keys() >= _BASE.keys():
        raise ValueError(metrics)
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
    return _round_up(total) if version == "3.1" else math.ceil(total * 10) / 10


def _round_up(value: float) -> float:
    """ "Roundup" of CVSS 3.1 appendix A: to one decimal upwards, blind to the error of floating point."""
    whole = round(value * 100_000)
    return whole / 100_000 if whole % 10_000 == 0 else (whole // 10_000 + 1) / 10
