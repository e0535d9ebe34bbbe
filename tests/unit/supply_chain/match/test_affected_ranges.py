import pytest

from lading.supply_chain.advisories import Affected, Range
from lading.supply_chain.match.ranges import fixes_above, why_affected
from lading.supply_chain.match.versions import pep440


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


def test_fixes_are_those_above_the_version_lowest_first() -> None:
    assert fixes_above([TWO], "1.2", pep440.key) == ["1.5", "2.5"]
    assert fixes_above([TWO], "2.2", pep440.key) == ["2.5"]
