"""What a rule of retention says, checked once."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from lading.kernel.errors import InvalidInput

_PATTERN: Final = re.compile(r"[A-Za-z0-9._/*?\[\]-]{1,255}")
_MOST_DAYS: Final = 36_500


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What repositories that match `pattern` keep; an image stays when any rule has any reason to keep it.

    In the patterns of repositories and tags `*` stands for any characters.

    Attributes:
        keep_tags: images with a tag that matches one of these.
        keep_last: this many images with a tag, youngest first.
        keep_days: images pushed within so many days.
        keep_pulled_days: images pulled within so many days.
        keep_revoked_days: revoked images are kept for so many days, for those who look into what happened.
    """

    pattern: str
    keep_tags: tuple[str, ...] = ()
    keep_last: int = 0
    keep_days: int = 0
    keep_pulled_days: int = 0
    keep_revoked_days: int = 365

    def matches(self, repository: str) -> bool:
        """Whether the rule is about a repository."""
        return fnmatchcase(repository, self.pattern)


def checked(rule: Rule) -> Rule:
    """The rule itself.

    Raises:
        InvalidInput: a pattern is malformed, a number is out of range, or nothing would be kept.
    """
    for pattern in (rule.pattern, *rule.keep_tags):
        if _PATTERN.fullmatch(pattern) is None:
            raise InvalidInput(f"{pattern[:80]!r} is not a pattern.", remedy="Write names with * for any characters.")
    for days in (rule.keep_last, rule.keep_days, rule.keep_pulled_days, rule.keep_revoked_days):
        if not 0 <= days <= _MOST_DAYS:
            raise InvalidInput(f"{days} is out of range.", remedy=f"Give a number from 0 to {_MOST_DAYS}.")
    if not (rule.keep_tags or rule.keep_last or rule.keep_days or rule.keep_pulled_days):
        raise InvalidInput(
            f"A rule for {rule.pattern} that keeps nothing would delete everything.",
            remedy="Say what stays: tags, a number of images, or days since push or pull.",
        )
    return rule
