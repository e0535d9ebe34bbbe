"""Rows of whose images run and what that makes of flaws. Every function works in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from lading.kernel.severity import Severity
from lading.state import Transaction
from lading.supply_chain.match.finding import Finding
from lading.supply_chain.match.sql import (
    chunks,
    flaws,
    groups,
    homes,
    image_groups,
    images,
    members,
    names,
    reaches,
    since,
    spells,
    standing,
)
from lading.supply_chain.match.standing.bearing import ALL, Bearings, Flawed, Stands

_decode = msgspec.msgpack.Decoder(Finding).decode
_ROWS_AT_ONCE: Final = 1_000

# Team -> whether an image of it runs.
Teams = dict[str, bool]


def layers_of(tx: Transaction, some: Sequence[str]) -> set[str]:
    """The layers of the groups that these images have."""
    query = (
        sa.select(groups.c.layer)
        .distinct()
        .join(image_groups, image_groups.c.group_id == groups.c.id)
        .join(images, images.c.id == image_groups.c.image_id)
    )
    return {layer for chunk in chunks(some) for layer in tx.execute(query.where(images.c.image.in_(chunk))).scalars()}


def settle_image(tx: Transaction, image: str, teams: Teams, owners: Mapping[str, str]) -> set[int]:
    """Take over whose an image is and whether it runs; the groups for which that changed something."""
    identity = tx.execute(sa.select(images.c.id).where(images.c.image == image)).scalar()
    if identity is None:
        return set()
    rows = tx.execute(sa.select(homes.c.team, homes.c.running).where(homes.c.image_id == identity))
    before = {row.team: bool(row.running) for row in rows}
    if before != teams:
        tx.execute(sa.delete(homes).where(homes.c.image_id == identity))
        if teams:
            values = [{"image_id": identity, "team": team, "running": runs} for team, runs in teams.items()]
            tx.execute(sa.insert(homes), values)
    mine = sa.select(groups.c.id, groups.c.layer).join(image_groups, image_groups.c.group_id == groups.c.id)
    of_groups = tx.execute(mine.where(image_groups.c.image_id == identity)).all()
    known = _reached(tx, [row.id for row in of_groups])
    changed = set()
    for row in of_groups:
        owner = owners.get(row.layer, "")
        for team in {*before, *teams}:
            kept = known.get((row.id, team))
            if _settle(tx, row.id, team, kept, owner, runs=teams.get(team), ran=before.get(team)):
                changed.add(row.id)
    return changed


def settle_group(tx: Transaction, group: int) -> bool:
    """Work out whose images have a group, from all of them; whether that changed something."""
    before = {team: row for (_, team), row in _reached(tx, [group]).items()}
    after = _teams_of(tx, group)
    for team in before.keys() - after.keys():
        tx.execute(sa.delete(reaches).where(reaches.c.group_id == group, reaches.c.team == team))
    # A team that has it anew comes with its image, which knows the owner.
    for team in after.keys() & before.keys():
        if bool(before[team].running) != after[team]:
            _update(tx, group, team, before[team].owner, after[team])
    return {team: bool(row.running) for team, row in before.items()} != {
        team: runs for team, runs in after.items() if team in before
    }


def _settle(
    tx: Transaction, group: int, team: str, kept: sa.Row[Any] | None, owner: str, *, runs: bool | None, ran: bool | None
) -> bool:
    """One group and one team, of which an image changed from `ran` to `runs` (None: not the team's); whether anything
    is different."""
    # Another image of the team may still run, or have the group at all; only then all of them are looked at.
    if kept is not None and ((runs is None and ran is not None) or (ran and not runs)):
        found = _teams_of(tx, group, team)
        if team not in found:
            tx.execute(sa.delete(reaches).where(reaches.c.group_id == group, reaches.c.team == team))
            return True
        runs = found[team]
    elif runs is None:
        return False
    elif kept is not None:
        runs = runs or bool(kept.running)
    if kept is None:
        tx.execute(sa.insert(reaches).values(group_id=group, team=team, owner=owner, running=runs))
    elif (kept.owner, bool(kept.running)) != (owner, runs):
        _update(tx, group, team, owner, bool(runs))
    else:
        return False
    return True


def _update(tx: Transaction, group: int, team: str, owner: str, running: bool) -> None:
    here = (reaches.c.group_id == group) & (reaches.c.team == team)
    tx.execute(sa.update(reaches).where(here).values(owner=owner, running=running))


def _reached(tx: Transaction, some: Sequence[int]) -> dict[tuple[int, str], sa.Row[Any]]:
    return {
        (row.group_id, row.team): row
        for chunk in chunks(some)
        for row in tx.execute(sa.select(reaches).where(reaches.c.group_id.in_(chunk)))
    }


def _teams_of(tx: Transaction, group: int, team: str = "") -> Teams:
    runs = sa.func.max(sa.case((homes.c.running, 1), else_=0))
    query = sa.select(homes.c.team, runs).join(image_groups, image_groups.c.image_id == homes.c.image_id)
    query = query.where(image_groups.c.group_id == group).group_by(homes.c.team)
    if team:
        query = query.where(homes.c.team == team)
    return {name: bool(found) for name, found in tx.execute(query)}


def flawed(tx: Transaction, some: Sequence[str]) -> dict[str, dict[int, Flawed]]:
    """Flaw (by its id) -> package -> what is kept of it there."""
    query = (
        sa.select(flaws.c.id, flaws.c.package, flaws.c.body, since.c.at)
        .select_from(names)
        .join(flaws, (flaws.c.package == names.c.package) & (flaws.c.id == names.c.id))
        .join(since, (since.c.package == flaws.c.package) & (since.c.id == flaws.c.id), isouter=True)
        .where(names.c.id == names.c.name)
    )
    found: dict[str, dict[int, Flawed]] = {}
    for chunk in chunks(some):
        for row in tx.execute(query.where(names.c.name.in_(chunk))):
            found.setdefault(row.id, {})[row.package] = Flawed(_decode(bytes(row.body)), row.at or "")
    return found


def settle_flaws(tx: Transaction, some: Sequence[str], now: str) -> None:
    """Work out anew how these flaws stand, and note for whom they begin or end."""
    known = flawed(tx, some)
    by_package: dict[int, list[str]] = {}
    for flaw, packages in known.items():
        for number in packages:
            by_package.setdefault(number, []).append(flaw)
    bearings = Bearings()
    query = sa.select(members.c.package, reaches.c.team, reaches.c.owner, reaches.c.running).distinct()
    query = query.join(reaches, reaches.c.group_id == members.c.group_id)
    for chunk in chunks(sorted(by_package)):
        for row in tx.execute(query.where(members.c.package.in_(chunk))):
            for flaw in by_package[row.package]:
                flawed_here = known[flaw][row.package]
                bearings.add(flaw, row.package, flawed_here, row.team, row.owner, bool(row.running))
    rows = list(bearings.rows())
    for chunk in chunks(some):
        tx.execute(sa.delete(standing).where(standing.c.flaw.in_(chunk)))
    for part in chunks([_row(*one) for one in rows], _ROWS_AT_ONCE):
        tx.execute(sa.insert(standing), list(part))
    _note_spells(tx, some, rows, now)


def _row(team: str, owner: str, one: Stands) -> dict[str, object]:
    return {
        "flaw": one.flaw, "team": team, "owner": owner, "urgency": one.urgency, "running": one.running,
        "exploited": one.exploited, "fixable": one.fixable, "severity": int(one.severity), "epss": one.epss,
        "seen": one.seen, "ecosystems": "|" + "|".join(one.ecosystems) + "|",
    }  # fmt: skip


def _note_spells(tx: Transaction, some: Sequence[str], rows: Iterable[tuple[str, str, Stands]], now: str) -> None:
    """Begin and end what stands for a team: in what it keeps, and in what it runs."""
    stand: dict[tuple[str, str, bool], Severity] = {}
    for team, owner, one in rows:
        if owner != ALL:
            continue
        for running in (False, True) if one.running else (False,):
            stand[one.flaw, team, running] = one.severity
    query = sa.select(spells.c.flaw, spells.c.team, spells.c.running).where(spells.c.ended == "")
    stood = {
        (row.flaw, row.team, bool(row.running))
        for chunk in chunks(some)
        for row in tx.execute(query.where(spells.c.flaw.in_(chunk)))
    }
    ended = [{"f": flaw, "t": team, "r": running} for flaw, team, running in sorted(stood - stand.keys())]
    if ended:
        here = (spells.c.flaw == sa.bindparam("f")) & (spells.c.team == sa.bindparam("t")) & (spells.c.ended == "")
        here &= spells.c.running == sa.bindparam("r")
        tx.execute(sa.update(spells).where(here).values(ended=now), ended)
    begun = [
        {"flaw": key[0], "team": key[1], "running": key[2], "began": now, "ended": "", "severity": int(stand[key])}
        for key in sorted(stand.keys() - stood)
    ]
    if begun:
        # One that ended and begins again in the same moment never ended.
        again = (spells.c.flaw == sa.bindparam("f")) & (spells.c.team == sa.bindparam("t"))
        again &= (spells.c.running == sa.bindparam("r")) & (spells.c.began == now)
        keys = [{"f": one["flaw"], "t": one["team"], "r": one["running"]} for one in begun]
        tx.execute(sa.delete(spells).where(again), keys)
        tx.execute(sa.insert(spells), begun)
