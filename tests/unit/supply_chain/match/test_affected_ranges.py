from pathlib import Path

import pytest
import zstandard

from lading.supply_chain.advisories import Affected, Range
from lading.supply_chain.advisories.osv import parse_record
from lading.supply_chain.match.ranges import fixes_above, why_affected
from lading.supply_chain.match.versions import VersionInvalid, key_for, pep440


def affected(*events: tuple[str, str], versions: tuple[str, ...] = ()) -> Affected:
    return Affected("PyPI", "x", (Range("ECOSYSTEM", events),) if events else (), versions)


TWO = affected(("introduced", "1.0"), ("fixed", "1.5"), ("introduced", "2.0"), ("fixed", "2.5"))


@pytest.mark.parametrize(
    ("what", "version", "why"),
    [
        (affected(("introduced", "0"), ("fixed", "2")), "1", "< 2"),
        (affected(("introduced", "0"), ("fixed", "2")), "2", ""),
        (affected(("introduced", "0"), ("fixed", "2")), "2rc1", "< 2"),
        (affected(("introduced", "0")), "99", "every version"),
        (affected(("introduced", "0"), ("last_affected", "2")), "2.0", "<= 2"),
        (affected(("introduced", "0"), ("last_affected", "2")), "2.0.1", ""),
        (affected(("fixed", "2"), ("introduced", "1")), "1.5", ">= 1, < 2"),
        (TWO, "0.9", ""),
        (TWO, "1.4", ">= 1.0, < 1.5"),
        (TWO, "1.7", ""),
        (TWO, "2.0", ">= 2.0, < 2.5"),
        (TWO, "3", ""),
        (affected(("introduced", "1"), ("fixed", "2"), ("introduced", "2"), ("fixed", "3")), "2", ">= 2, < 3"),
        (affected(("introduced", "2"), ("fixed", "2")), "2", ""),
        (affected(("introduced", "2"), ("fixed", "2")), "3", ""),
        (affected(versions=("1.0", "1.1")), "1.1", "1.1 is listed"),
        (affected(versions=("1.0",)), "1.0.0", "1.0.0 is listed"),
        (affected(versions=("not-a-version",)), "1.0", ""),
        (affected(), "1.0", ""),
    ],
)
def test_why_a_version_is_affected(what: Affected, version: str, why: str) -> None:
    assert why_affected(what, version, pep440.key) == why


@pytest.mark.parametrize(("version", "why"), [("1.5", ">= 1.0"), ("2.0", ""), ("3.5", ""), ("0.9", "")])
def test_a_range_says_nothing_beyond_its_limits(version: str, why: str) -> None:
    limited = affected(("introduced", "1.0"), ("limit", "2.0"))

    assert why_affected(limited, version, pep440.key) == why


def test_the_highest_limit_counts_and_a_star_is_none() -> None:
    assert why_affected(affected(("introduced", "0"), ("limit", "1"), ("limit", "3")), "2", pep440.key)
    assert why_affected(affected(("introduced", "0"), ("limit", "1"), ("limit", "*")), "99", pep440.key)


ECOSYSTEMS = {
    "Maven": ["1.0-rc1", "1.0", "1.0.1", "1.1.Final"],
    "Go": ["1.0.0-rc.1", "v1.0.0", "1.0.1", "v1.1.0+incompatible"],
    "RubyGems": ["1.0.rc1", "1.0", "1.0.1", "1.1"],
    "NuGet": ["1.0-rc1", "1.0.0.0", "1.0.0.1", "1.1"],
    "Packagist": ["1.0-rc1", "v1.0", "1.0.1", "1.1"],
    "crates.io": ["1.0.0-rc.1", "1.0.0", "1.0.1", "1.1.0"],
    "npm": ["1.0.0-rc.1", "v1.0.0", "1.0.1", "1.1.0"],
}


@pytest.mark.parametrize("ecosystem", sorted(ECOSYSTEMS))
def test_every_kind_of_range_works_in_every_ecosystem(ecosystem: str) -> None:
    key, (early, first, second, third) = key_for(ecosystem), ECOSYSTEMS[ecosystem]

    def inside(*events: tuple[str, str], versions: tuple[str, ...] = ()) -> list[bool]:
        what = affected(*events, versions=versions)
        return [bool(why_affected(what, version, key)) for version in ECOSYSTEMS[ecosystem]]

    assert inside(("introduced", "0"), ("fixed", second)) == [True, True, False, False]
    assert inside(("introduced", first), ("last_affected", second)) == [False, True, True, False]
    assert inside(("introduced", first), ("limit", third)) == [False, True, True, False]
    assert inside(versions=(early, third)) == [True, False, False, True]


@pytest.mark.parametrize("feed", ["misc-osv", "go", "crates"])
def test_what_real_records_list_lies_in_their_ranges(feed: str, advisories_directory: Path) -> None:
    content = (advisories_directory / f"{feed}.jsonl.zst").read_bytes()
    unread, outside, listed = [], [], 0
    for line in zstandard.ZstdDecompressor().stream_reader(content).read().splitlines():
        for one in parse_record(line).affected:
            key = key_for(one.ecosystem)
            for text in {text for span in one.ranges for _, text in span.events if text != "0"}:
                try:
                    key(text)
                except VersionInvalid:
                    unread.append(f"{one.ecosystem} {text}")
            if one.ranges:
                bare = Affected(one.ecosystem, one.name, one.ranges)
                listed += len(one.versions)
                outside += [version for version in one.versions if not why_affected(bare, version, key)]

    assert outside == []
    assert listed > (500 if feed == "misc-osv" else -1)
    # A Debian-like revision in a record of Packagist: Composer itself refuses it, so it is taken as affected.
    assert sorted(unread) == (["Packagist 1.3.0r1", "Packagist 1.3.0r4"] if feed == "misc-osv" else [])


def test_fixes_are_those_above_the_version_lowest_first() -> None:
    assert fixes_above([TWO], "1.2", pep440.key) == ["1.5", "2.5"]
    assert fixes_above([TWO], "2.2", pep440.key) == ["2.5"]
