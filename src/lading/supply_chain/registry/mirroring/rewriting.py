"""What a repository of an upstream is called here, and the other way round.

A rule is `REMOTE=LOCAL`, LOCAL below the prefix of the upstream. `*` stands for one part of a name, `**` for one or
more; a rule has one of them on both sides, or none. The first rule that fits counts, in both directions. Without rules
everything has its own name below the prefix.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from lading.kernel.reference import is_repository_name
from lading.supply_chain.registry.mirroring.errors import UpstreamInvalid

MOST_RULES: Final = 50
_EVERYTHING: Final = ("**=**",)
_WILD: Final = re.compile(r"\*\*?")
_STANDS_FOR: Final = {"*": "([^/]+)", "**": "(.+)"}


def checked_rules(rules: Sequence[str]) -> tuple[str, ...]:
    """Rules, each legal; raises UpstreamInvalid."""
    if len(rules) > MOST_RULES:
        raise UpstreamInvalid(f"{len(rules)} rules are too many.", remedy=f"Give at most {MOST_RULES}.")
    for rule in rules:
        sides = rule.split("=")
        wild = [_WILD.findall(side) for side in sides]
        legal = len(sides) == 2 and wild[0] == wild[1] and len(wild[0]) <= 1
        # With a name in the place of its star, each side has to be a name.
        if not legal or not all(is_repository_name(_WILD.sub("a", side)) for side in sides):
            raise UpstreamInvalid(
                f"{rule[:100]!r} is not a rule for names.",
                remedy="Write it as REMOTE=LOCAL with one * or ** on both sides, such as library/*=*.",
            )
    return tuple(dict.fromkeys(rules))


def local_name(rules: Sequence[str], prefix: str, remote: str) -> str:
    """What a repository of the upstream is called here; empty when no rule fits."""
    for rule in rules or _EVERYTHING:
        theirs, _, ours = rule.partition("=")
        if found := _filled(theirs, ours, remote):
            return f"{prefix}/{found}" if prefix else found
    return ""


def remote_name(rules: Sequence[str], prefix: str, local: str) -> str:
    """What a repository of ours is called at the upstream; empty when it is not below the prefix, or no rule fits."""
    if prefix and not local.startswith(f"{prefix}/"):
        return ""
    below = local[len(prefix) + 1 :] if prefix else local
    for rule in rules or _EVERYTHING:
        theirs, _, ours = rule.partition("=")
        if found := _filled(ours, theirs, below):
            return found
    return ""


def _filled(pattern: str, into: str, name: str) -> str:
    """`into` with what the star of `pattern` stands for in `name`; empty when the pattern does not fit."""
    star = _WILD.search(pattern)
    if star is None:
        return into if pattern == name else ""
    before, after = re.escape(pattern[: star.start()]), re.escape(pattern[star.end() :])
    found = re.fullmatch(before + _STANDS_FOR[star[0]] + after, name)
    return _WILD.sub(lambda _star: found[1], into) if found else ""
