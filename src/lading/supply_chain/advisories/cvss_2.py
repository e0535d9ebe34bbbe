"""CVSS 2.0: base score by the equations of "A Complete Guide to CVSS 2.0", section 3.2.1; levels as NVD names them."""

from __future__ import annotations

from typing import Final

from lading.kernel.severity import Severity

_WEIGHTS: Final = {
    "AV": {"L": 0.395, "A": 0.646, "N": 1.0},
    "AC": {"H": 0.35, "M": 0.61, "L": 0.71},
    "Au": {"M": 0.45, "S": 0.56, "N": 0.704},
    "C": {"N": 0.0, "P": 0.275, "C": 0.660},
    "I": {"N": 0.0, "P": 0.275, "C": 0.660},
    "A": {"N": 0.0, "P": 0.275, "C": 0.660},
}
# Temporal and environmental metrics may be there; they do not change the base score.
_OTHERS: Final = {
    "E": {"U", "POC", "F", "H", "ND"},
    "RL": {"OF", "TF", "W", "U", "ND"},
    "RC": {"UC", "UR", "C", "ND"},
    "CDP": {"N", "L", "LM", "MH", "H", "ND"},
    "TD": {"N", "L", "M", "H", "ND"},
    "CR": {"L", "M", "H", "ND"},
    "IR": {"L", "M", "H", "ND"},
    "AR": {"L", "M", "H", "ND"},
}


def base_score(metrics: dict[str, str]) -> float:
    """The base score, 0.0 to 10.0; raises ValueError for metrics that are missing or unknown."""
    if any(value not in _OTHERS.get(name, _WEIGHTS.get(name, ())) for name, value in metrics.items()):
        raise ValueError(metrics)
    if not metrics.keys() >= _WEIGHTS.keys():
        raise ValueError(metrics)
    weight = {name: values[metrics[name]] for name, values in _WEIGHTS.items()}
    impact = 10.41 * (1 - (1 - weight["C"]) * (1 - weight["I"]) * (1 - weight["A"]))
    exploitability = 20 * weight["AV"] * weight["AC"] * weight["Au"]
    if impact == 0:
        return 0.0
    # Half up on what the decimals say, not on what binary fractions make of them.
    return int((0.6 * impact + 0.4 * exploitability - 1.5) * 1.176 * 10 + 0.5 + 1e-9) / 10


def level(score: float) -> Severity:
    """Version 2 knows low, medium and high only."""
    return min(Severity.of_score(score), Severity.HIGH) if score else Severity.LOW
