"""CVSS 4.0: the score of a vector by its MacroVector (specification, sections 8.2 and 8.3).

Six equivalence classes of metrics make a MacroVector, which has a score from a table (`cvss_4_table`). From it is taken
off, for each class, how far the vector lies below the worst vector of its class, in proportion to the step to the next
lower MacroVector. Threat and environmental metrics count where the vector has them.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Final

from lading.supply_chain.advisories.cvss_4_table import SCORES

# Values of each metric, worst first: a step to the right is one step of severity.
_ORDER: Final = {
    "AV": "NALP", "PR": "NLH", "UI": "NPA", "AC": "LH", "AT": "NP", "VC": "HLN", "VI": "HLN", "VA": "HLN",
    "SC": "SHLN", "SI": "SHLN", "SA": "SHLN", "CR": "HML", "IR": "HML", "AR": "HML", "E": "APU",
}  # fmt: skip
_BASE: Final = ("AV", "AC", "AT", "PR", "UI", "VC", "VI", "VA", "SC", "SI", "SA")
_THREAT: Final = {"E": "XAPU", "CR": "XHML", "IR": "XHML", "AR": "XHML"}
# Supplemental metrics say something beside the score.
_SUPPLEMENTAL: Final = {
    "S": ("X", "N", "P"),
    "AU": ("X", "N", "Y"),
    "R": ("X", "A", "U", "I"),
    "V": ("X", "D", "C"),
    "RE": ("X", "L", "M", "H"),
    "U": ("X", "Clear", "Green", "Amber", "Red"),
}
_CLASSES: Final = (("AV", "PR", "UI"), ("AC", "AT"), ("VC", "VI", "VA", "CR", "IR", "AR"), ("SC", "SI", "SA"))
# The worst vectors of each level of each class, values in the order of `_CLASSES` (specification, table 24 and after).
_WORST_1: Final = {0: ("NNN",), 1: ("ANN", "NLN", "NNP"), 2: ("PNN", "ALP")}
_WORST_2: Final = {0: ("LN",), 1: ("HN", "LP")}
_WORST_36: Final = {
    (0, 0): ("HHHHHH",),
    (0, 1): ("HHLMMH", "HHHMMM"),
    (1, 0): ("LHHHHH", "HLHHHH"),
    (1, 1): ("LHLHMH", "LHHHMM", "HLHMHM", "HLLMHH", "LLHHHM"),
    (2, 1): ("LLLHHH",),
}
_WORST_4: Final = {0: ("HSS",), 1: ("HHH",), 2: ("LLL",)}
# How many steps of severity each level of each class spans.
_DEPTH_1: Final = {0: 1, 1: 4, 2: 5}
_DEPTH_2: Final = {0: 1, 1: 2}
_DEPTH_36: Final = {(0, 0): 7, (0, 1): 6, (1, 0): 8, (1, 1): 8, (2, 1): 10}
_DEPTH_4: Final = {0: 6, 1: 5, 2: 4}
_Macro = tuple[int, int, int, int, int, int]


def score(metrics: dict[str, str]) -> float:
    """The score, 0.0 to 10.0; raises ValueError for metrics that are missing or unknown."""
    _check(metrics)
    given = _effective(metrics)
    if all(given[name] == "N" for name in ("VC", "VI", "VA", "SC", "SI", "SA")):
        return 0.0
    macro = _macro(given)
    top = SCORES[macro]
    eq1, eq2, eq3, eq4, eq5, eq6 = macro
    steps = [
        (_below([(eq1 + 1, eq2, eq3, eq4, eq5, eq6)]), _DEPTH_1[eq1]),
        (_below([(eq1, eq2 + 1, eq3, eq4, eq5, eq6)]), _DEPTH_2[eq2]),
        (_below(_next_36(macro)), _DEPTH_36[eq3, eq6]),
        (_below([(eq1, eq2, eq3, eq4 + 1, eq5, eq6)]), _DEPTH_4[eq4]),
    ]
    distances = _distances(given, macro)
    taken = [
        (top - below) * distance / depth
        for (below, depth), distance in zip(steps, distances, strict=True)
        if below is not None
    ]
    # The fifth class (exploit maturity) has one vector a level: it takes nothing off, but it counts in the mean.
    count = len(taken) + (_below([(eq1, eq2, eq3, eq4, eq5 + 1, eq6)]) is not None)
    mean = sum(taken) / count if count else 0.0
    return int(max(0.0, min(10.0, top - mean)) * 10 + 0.5 + 1e-9) / 10


def _check(metrics: dict[str, str]) -> None:
    if any(name not in metrics for name in _BASE):
        raise ValueError(metrics)
    for name, value in metrics.items():
        bare = name[1:] if len(name) == 3 and name.startswith("M") else name
        if bare not in _BASE:
            legal = _THREAT.get(name, "")
        elif name == bare:
            legal = _ORDER[bare].replace("S", "")
        else:
            # Safety is an effect on subsequent systems, and only an environment can say so.
            legal = "X" + (_ORDER[bare].replace("S", "") if bare == "SC" else _ORDER[bare])
        if not (len(value) == 1 and value in legal) and value not in _SUPPLEMENTAL.get(name, ()):
            raise ValueError(metrics)


def _effective(metrics: dict[str, str]) -> dict[str, str]:
    """Base metrics as the environment modifies them; what is not defined is taken as the worst."""
    given = {}
    for name in _BASE:
        modified = metrics.get(f"M{name}", "X")
        given[name] = metrics[name] if modified == "X" else modified
    for name, worst in (("E", "A"), ("CR", "H"), ("IR", "H"), ("AR", "H")):
        value = metrics.get(name, "X")
        given[name] = worst if value == "X" else value
    return given


def _macro(given: dict[str, str]) -> _Macro:
    open_ways = [given["AV"] == "N", given["PR"] == "N", given["UI"] == "N"]
    eq1 = 0 if all(open_ways) else 1 if any(open_ways) and given["AV"] != "P" else 2
    eq2 = 0 if given["AC"] == "L" and given["AT"] == "N" else 1
    high = [given[name] == "H" for name in ("VC", "VI", "VA")]
    eq3 = 0 if high[0] and high[1] else 1 if any(high) else 2
    subsequent = [given[name] for name in ("SC", "SI", "SA")]
    eq4 = 0 if "S" in subsequent[1:] else 1 if "H" in subsequent else 2
    eq5 = _ORDER["E"].index(given["E"])
    wanted = [given[name] == "H" for name in ("CR", "IR", "AR")]
    eq6 = 0 if any(both == (True, True) for both in zip(high, wanted, strict=True)) else 1
    return eq1, eq2, eq3, eq4, eq5, eq6


def _next_36(macro: _Macro) -> list[_Macro]:
    """What lies below in the third and sixth class, which depend on each other."""
    eq1, eq2, eq3, eq4, eq5, eq6 = macro
    nexts = {(0, 0): [(0, 1), (1, 0)], (0, 1): [(1, 1)], (1, 0): [(1, 1)], (1, 1): [(2, 1)], (2, 1): []}
    return [(eq1, eq2, third, eq4, eq5, sixth) for third, sixth in nexts[eq3, eq6]]


def _below(macros: Iterable[_Macro]) -> float | None:
    """The highest score of these MacroVectors; None when there are none."""
    return max((SCORES[macro] for macro in macros if macro in SCORES), default=None)


def _distances(given: dict[str, str], macro: _Macro) -> list[int]:
    """For each class, the steps from the first worst vector that is nowhere better than the given one."""
    eq1, eq2, eq3, eq4, _, eq6 = macro
    for worst in product(_WORST_1[eq1], _WORST_2[eq2], _WORST_36[eq3, eq6], _WORST_4[eq4]):
        steps = [
            [
                _ORDER[name].index(given[name]) - _ORDER[name].index(value)
                for name, value in zip(names, values, strict=True)
            ]
            for names, values in zip(_CLASSES, worst, strict=True)
        ]
        if all(step >= 0 for some in steps for step in some):
            return [sum(some) for some in steps]
    raise ValueError(given)
