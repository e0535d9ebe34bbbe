"""The smallest change that would pass: proposed from the refused items, tried out on the input, and pruned.

A proposal is only believed after the same rules judged the changed input. Then each part is left out in turn, and stays
out when the rest passes without it: what remains is minimal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from lading.policy.decision import Decision, Violation
from lading.policy.pack import Pack
from lading.policy.paths import changed
from lading.policy.versions import VersionOrder

MOST_PRUNED: Final = 40
Finding = dict[str, Any]


class Upgrade(msgspec.Struct, frozen=True):
    """Raise a package to the oldest version that mends all that refuses. `owners` and `layers` brought it."""

    ecosystem: str
    package: str
    versions: tuple[str, ...]
    to: str
    mends: tuple[str, ...]
    owners: tuple[str, ...]
    layers: tuple[str, ...]


class Setting(msgspec.Struct, frozen=True):
    """Give places of the input other values; `text` says it to a person."""

    rule: str
    text: str
    values: dict[str, Any]


class Change(msgspec.Struct, frozen=True):
    """What to change. `passes` when the rules of then allow the changed input; `remaining` is what they still refuse.

    `words` are remedies that cannot be tried out.
    """

    upgrades: tuple[Upgrade, ...]
    settings: tuple[Setting, ...]
    words: tuple[str, ...]
    passes: bool
    remaining: tuple[Violation, ...]


Judge = Callable[[dict[str, Any]], tuple[Violation, ...]]


def smallest_change(
    decision: Decision, document: dict[str, Any], pack: Pack, order: VersionOrder, judge: Judge
) -> Change:
    """The smallest change for a refusal.

    Args:
        document: the input the decision was made from.
        pack: the rules it was made by.
        judge: what those rules refuse about another input.
    """
    upgrades, settings = _proposed(decision, pack, order)
    remaining = judge(_applied(document, upgrades, settings, order))
    if not remaining and len(upgrades) + len(settings) <= MOST_PRUNED:
        upgrades, settings = _pruned(document, upgrades, settings, order, judge)
    return Change(tuple(upgrades), tuple(settings), _words(remaining), not remaining, remaining)


def _proposed(decision: Decision, pack: Pack, order: VersionOrder) -> tuple[list[Upgrade], list[Setting]]:
    flawed: dict[tuple[str, str], list[Finding]] = {}
    settings: dict[str, Setting] = {}
    for violation in decision.violations:
        compiled = pack.rule(violation.rule)
        if compiled is None or violation.failed:
            continue
        remedy = compiled.rule.remedy
        item = violation.item()
        if remedy.kind == "set":
            settings.setdefault(violation.rule, Setting(violation.rule, violation.remedy, remedy.set))
        elif remedy.kind == "upgrade" and item.get("fixed"):
            flawed.setdefault((_text(item, "ecosystem"), _text(item, "package")), []).append(item)
    upgrades = [_upgrade(ecosystem, package, found, order) for (ecosystem, package), found in flawed.items()]
    return sorted(upgrades, key=lambda one: (one.ecosystem, one.package)), list(settings.values())


def _upgrade(ecosystem: str, package: str, found: list[Finding], order: VersionOrder) -> Upgrade:
    return Upgrade(
        ecosystem=ecosystem,
        package=package,
        versions=_distinct(found, "version"),
        to=order.newest(ecosystem, [_text(item, "fixed") for item in found]),
        mends=_distinct(found, "id"),
        owners=_distinct(found, "owner"),
        layers=_distinct(found, "layer"),
    )


def _applied(
    document: dict[str, Any], upgrades: Sequence[Upgrade], settings: Sequence[Setting], order: VersionOrder
) -> dict[str, Any]:
    values = {path: value for setting in settings for path, value in setting.values.items()}
    made = changed(document, values)
    by_package = {(upgrade.ecosystem, upgrade.package): upgrade for upgrade in upgrades}
    if by_package:
        made["findings"] = [item for item in made.get("findings", []) if not _mended(item, by_package, order)]
    return made


def _mended(item: Any, upgrades: dict[tuple[str, str], Upgrade], order: VersionOrder) -> bool:
    if not isinstance(item, dict) or not item.get("fixed"):
        return False
    upgrade = upgrades.get((_text(item, "ecosystem"), _text(item, "package")))
    # An upgrade to the very version that mends, or to one beyond it.
    return upgrade is not None and order.newest(upgrade.ecosystem, [upgrade.to, _text(item, "fixed")]) == upgrade.to


def _pruned(
    document: dict[str, Any], upgrades: list[Upgrade], settings: list[Setting], order: VersionOrder, judge: Judge
) -> tuple[list[Upgrade], list[Setting]]:
    for upgrade in list(upgrades):
        rest = [one for one in upgrades if one is not upgrade]
        if not judge(_applied(document, rest, settings, order)):
            upgrades = rest
    for setting in list(settings):
        others = [one for one in settings if one is not setting]
        if not judge(_applied(document, upgrades, others, order)):
            settings = others
    return upgrades, settings


def _words(remaining: Sequence[Violation]) -> tuple[str, ...]:
    said = (f"{violation.rule}: {violation.remedy}" for violation in remaining if violation.remedy)
    return tuple(dict.fromkeys(said))


def _distinct(found: list[Finding], key: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_text(item, key) for item in found if item.get(key)))


def _text(item: Finding, key: str) -> str:
    return str(item.get(key) or "")
