"""Alpine's order against the comparer that apk describes, written down plainly, and against versions that it is tested with."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.supply_chain.match.versions import VersionInvalid, apk, key_for

KINDS = ["number", "letter", "suffix", "count", "hash", "revision", "end", "odd"]
SUFFIXES = ["alpha", "beta", "pre", "rc", "", "cvs", "svn", "git", "hg", "p"]
DIGITS = st.one_of(st.integers(0, 30).map(str), st.sampled_from(["0", "00", "01", "010", "20240101"]))
VERSION = st.builds(
    lambda numbers, letter, suffixes, commit, revision, rest: (
        ".".join(numbers) + letter + "".join(suffixes) + commit + revision + rest
    ),
    st.lists(DIGITS, min_size=1, max_size=3),
    st.sampled_from(["", "", "a", "b"]),
    st.lists(
        st.tuples(st.sampled_from(SUFFIXES).filter(bool), st.sampled_from(["", "1", "2", "10"])).map(
            lambda pair: f"_{pair[0]}{pair[1]}"
        ),
        max_size=2,
    ),
    st.sampled_from(["", "", "~ab", "~abc"]),
    st.sampled_from(["", "-r0", "-r1", "-r10"]),
    st.sampled_from(["", "", "", ".", "_foo", "-x", "A"]),
)


def next_part(text: str, before: str) -> tuple[str, Any, str]:
    """The kind and value of the next part after one of kind `before`, and the rest."""
    if not text:
        return "end", 0, ""
    rules = {
        "letter": (r"[a-z]", ("first", "number")),
        "number": (r"\.[0-9]+", ("first", "number")),
        "count": (r"[0-9]+", ("suffix",)),
        "suffix": (r"_[a-z]+", ("first", "number", "letter", "suffix", "count")),
        "hash": (r"~[0-9a-f]+", ("first", "number", "letter", "suffix", "count")),
        "revision": (r"-r[0-9]+", ("first", "number", "letter", "suffix", "count", "hash")),
    }
    for kind, (pattern, allowed) in rules.items():
        found = re.match(pattern, text)
        if found and before in allowed and (kind != "suffix" or found[0][1:] in SUFFIXES):
            return kind, found[0].lstrip("._~-r") if kind != "suffix" else found[0][1:], text[found.end() :]
    return "odd", 0, ""


def compare(left: str, right: str) -> int:
    """As apk compares: part by part, until two differ in value or in kind."""
    first = [re.match("[0-9]+", text) for text in (left, right)]
    numbers = [int(found[0]) for found in first if found]
    if numbers[0] != numbers[1]:
        return 1 if numbers[0] > numbers[1] else -1
    left, right = (text[found.end() :] for text, found in zip((left, right), first, strict=True) if found)
    kind = "first"
    while True:
        (mine, value, left), (other, theirs, right) = next_part(left, kind), next_part(right, kind)
        if mine != other:
            break
        if mine in ("end", "odd"):
            return 0
        kind = mine
        if kind == "suffix":
            value, theirs = SUFFIXES.index(value), SUFFIXES.index(theirs)
        elif kind in ("count", "revision") or (kind == "number" and "0" not in (value[0], theirs[0])):
            value, theirs = int(value), int(theirs)
        if value != theirs:
            return 1 if value > theirs else -1
    if mine == "suffix" and SUFFIXES.index(value) < 4:
        return -1
    if other == "suffix" and SUFFIXES.index(theirs) < 4:
        return 1
    return -1 if KINDS.index(mine) > KINDS.index(other) else 1


@given(VERSION, VERSION)
def test_keys_order_as_apk_describes(left: str, right: str) -> None:
    mine, other = apk.key(left), apk.key(right)

    assert (mine > other) - (mine < other) == compare(left, right)


@pytest.mark.parametrize(
    ("left", "relation", "right"),
    [line.split() for line in """
        2.34 > 0.1.0_alpha
        23_foo > 4_beta
        1.0 < 1.0bc
        0.1.0_alpha = 0.1.0_alpha
        0.1.0_alpha2 > 0.1.0_alpha
        1.0.4-r3 < 1.0.4-r4
        1.1 > 1.1_alpha1
        1.3_alpha < 1.3_alpha2
        2.3.0b-r1 < 2.3.0b-r2
        0.12 < 0.13_beta1
        3.1_p16 < 3.1_p17
        1.06-r6 < 006
        1.2.2-r1 > 1.2.2
        2.01.01_alpha10 > 0.94
        4.2.52_p2-r1 < 4.2.52_p4-r2
        0.9.8c-r1 < 0.9.8d
        1.02 < 1.03-r1
        1.2.12.04 < 1.2.12.05
        0.20070118 < 0.20070207_rc1
        2.5.1-r8 < 2.5.1a-r1
        1.3-r0 < 1.3.1-r0
        1.3_pre1-r1 < 1.3.2
        1.0_p10-r0 > 1.0_p9-r0
        0.1.0_alpha_pre2 < 0.1.0_alpha
        1.0.0_pre20191002222144-r0 < 1.0.0_pre20210530193627-r0
        6.0_pre1 < 6.0
        6.1_p1 > 6.1
        1.2.3~ab12-r0 > 1.2.3-r5
        """.strip().splitlines()],
)  # fmt: skip
def test_versions_order_as_apk_is_tested_to(left: str, relation: str, right: str) -> None:
    mine, other = apk.key(left), apk.key(right)

    assert {"<": mine < other, "=": mine == other, ">": mine > other}[relation]


@pytest.mark.parametrize("text", ["", "a", "v1", "1 0", "é", "1/2", "1" * 400])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(VersionInvalid):
        key_for("Alpine:v3.20")(text)
