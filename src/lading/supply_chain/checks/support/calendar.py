"""Until when there are fixes: a table of ours, and what an organisation knows better.

The file of an organisation has the form of ours: `distributions` and `runtimes`, maps from name to release (quoted, for
3.10 is a number otherwise) to day. Days of paid extensions belong there. `as_of` is the day on which it was written.
"""

from __future__ import annotations

import datetime
import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

import msgspec
import yaml

from lading.kernel.errors import InvalidInput

_MOST: Final = 1 << 20
_NUMBERS: Final = re.compile(r"v?([0-9]{1,9}(?:\.[0-9]{1,9}){0,9})")
Ends = dict[str, dict[str, datetime.date]]


class Calendar(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The last days of fixes, by name (`ID` of os-release(5), or a product) and release."""

    as_of: datetime.date
    distributions: Ends = {}
    runtimes: Ends = {}

    def distribution(self, name: str, release: str) -> tuple[str, datetime.date] | None:
        """The release and its last day; None when nobody knows."""
        return _found(self.distributions.get(name, {}), release)

    def runtime(self, name: str, version: str) -> tuple[str, datetime.date] | None:
        """The same of a product."""
        return _found(self.runtimes.get(name, {}), version)

    def with_other(self, other: Calendar) -> Calendar:
        """This one, corrected by another."""
        return Calendar(
            as_of=max(self.as_of, other.as_of),
            distributions=_joined(self.distributions, other.distributions),
            runtimes=_joined(self.runtimes, other.runtimes),
        )


def read_calendar(path: Path | None = None) -> Calendar:
    """Our calendar, corrected by a file.

    Raises:
        InvalidInput: the file cannot be read, or has another form.
    """
    if path is None:
        return _ours()
    try:
        with path.open("rb") as handle:
            body = handle.read(_MOST + 1)
        if len(body) > _MOST:
            raise ValueError(f"it has more than {_MOST} bytes")
        return _ours().with_other(_parsed(body))
    except (OSError, ValueError, RecursionError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise InvalidInput(
            f"The calendar of support {path} cannot be read: {str(error)[:200]}.",
            remedy='Write YAML: as_of: 2026-11-26 and distributions: {debian: {"11": 2028-06-30}}.',
        ) from error


@cache
def _ours() -> Calendar:
    return _parsed((files(__package__) / "table.yaml").read_bytes())


def _parsed(body: bytes) -> Calendar:
    if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(body, Loader=yaml.SafeLoader)):
        raise ValueError("it has aliases")
    return msgspec.convert(yaml.safe_load(body), Calendar, strict=False)


def _found(ends: dict[str, datetime.date], version: str) -> tuple[str, datetime.date] | None:
    """The most exact release that a version belongs to."""
    numbers = _NUMBERS.match(version)
    parts = numbers[1].split(".") if numbers else []
    for count in range(min(len(parts), 4), 0, -1):
        release = ".".join(parts[:count])
        if release in ends:
            return release, ends[release]
    return None


def _joined(ours: Ends, theirs: Ends) -> Ends:
    return {name: ours.get(name, {}) | theirs.get(name, {}) for name in (*ours, *theirs)}
