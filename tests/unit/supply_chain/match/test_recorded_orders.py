"""Keys against what the ecosystems' own tools answered (scripts/record_version_orders.py), and answer here and now."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from univers.versions import NugetVersion

from lading.supply_chain.match.versions import VersionInvalid, key_for, nuget

PROGRAMS = Path(__file__).parents[4] / "scripts" / "version_orders"
RECORDED = json.loads(zstandard.decompress(Path(__file__).with_name("recorded_orders.json.zst").read_bytes()))
# Advisories write fewer than three numbers where npm and Cargo take none.
SHORT = re.compile(r"[v=\s]*[0-9]+(\.[0-9]+)?(-.*)?(\+.*)?")


def answer(ecosystem: str, left: str, right: str) -> str:
    key = key_for(ecosystem)
    try:
        one, other = key(left), key(right)
    except VersionInvalid:
        return "x"
    assert (one == other) == (not one < other and not one > other)
    return str((one > other) - (one < other))


def same(ecosystem: str, left: str, right: str, said: str) -> bool:
    if said == "x" and ecosystem in ("npm", "crates.io") and (SHORT.fullmatch(left) or SHORT.fullmatch(right)):
        return True
    return answer(ecosystem, left, right) == said


@pytest.mark.parametrize("ecosystem", sorted(RECORDED))
def test_keys_order_as_the_recorded_tool_does(ecosystem: str) -> None:
    pairs = RECORDED[ecosystem]
    wrong = [pair for pair in pairs if not same(ecosystem, *pair)]

    assert len(pairs) == 3_000
    assert sum(pair[2] != "x" for pair in pairs) > 2_000
    assert wrong == []


def readable(ecosystem: str) -> list[str]:
    return sorted({text for left, right, said in RECORDED[ecosystem] if said != "x" for text in (left, right)})


# Maven's own order is not transitive for all texts, so no order can be that agrees with it.
@pytest.mark.parametrize("ecosystem", sorted(set(RECORDED) - {"Maven"}))
@given(st.data())
def test_keys_are_a_total_order(ecosystem: str, data: st.DataObject) -> None:
    key = key_for(ecosystem)
    first, second, third = sorted(data.draw(st.tuples(*[st.sampled_from(readable(ecosystem))] * 3)), key=key)

    assert key(first) <= key(second) <= key(third) and key(first) <= key(third)
    assert (key(first) == key(third)) <= (key(first) == key(second))


NUMBER = st.integers(0, 120).map(str)
GEM = st.builds(
    lambda core, rest: ".".join([*core, *rest]),
    st.lists(NUMBER, min_size=1, max_size=4),
    st.lists(st.one_of(NUMBER, st.sampled_from(["pre", "rc", "a", "beta1", "0a0"])), max_size=4),
)
COMPOSER = st.builds(
    "{}{}{}{}".format,
    st.lists(NUMBER, min_size=1, max_size=4).map(".".join),
    st.sampled_from(["", "-alpha", ".b", "RC", "_p", "-patch", "-stable"]),
    st.sampled_from(["", "1", ".2", "-3.4"]),
    st.sampled_from(["", "-dev"]),
)
LIVE = [("RubyGems", "ruby", GEM), ("Packagist", "php", COMPOSER)]


@pytest.mark.parametrize(("ecosystem", "program", "texts"), LIVE, ids=[one[0] for one in LIVE])
def test_keys_order_as_the_tool_on_this_machine_does(
    ecosystem: str, program: str, texts: st.SearchStrategy[str]
) -> None:
    script = {"ruby": "compare_pairs.rb", "php": "compare_pairs.php"}[program]
    library = Path("/usr/share/php/Composer/Semver")
    if shutil.which(program) is None or (program == "php" and not library.is_dir()):
        pytest.skip(f"{program} with its version library is not installed")

    @settings(max_examples=3, deadline=None)
    @given(st.lists(st.tuples(texts, texts), min_size=60, max_size=200))
    def compare(pairs: list[tuple[str, str]]) -> None:
        lines = "".join(f"{left}\t{right}\n" for left, right in pairs)
        said = subprocess.run(
            [program, PROGRAMS / script], input=lines, capture_output=True, text=True, check=True
        ).stdout.split()
        assert [answer(ecosystem, *pair) for pair in pairs] == said

    compare()


NUGET = st.builds(
    "{}{}{}".format,
    st.lists(NUMBER, min_size=1, max_size=4).map(".".join),
    st.lists(st.one_of(NUMBER, st.sampled_from(["alpha", "Beta", "rc1", "x-y"])), max_size=3).map(
        lambda labels: "-" + ".".join(labels) if labels else ""
    ),
    st.sampled_from(["", "+build.7"]),
)


@given(NUGET, NUGET)
def test_nuget_keys_order_as_univers_does(left: str, right: str) -> None:
    one, other = NugetVersion(left), NugetVersion(right)

    assert answer("NuGet", left, right) == str((one > other) - (one < other))


def test_nuget_versions_as_its_documentation_orders_them() -> None:
    ordered = [
        "1.0.0-2",
        "1.0.0-10",
        "1.0.0-alpha",
        "1.0.0-Beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.0.0.1",
        "1.0.1-a",
        "1.01.0",
    ]

    shuffled = ordered[::-1]
    assert sorted(shuffled, key=nuget.key) == ordered
    assert nuget.key("1") == nuget.key("1.0.0.0") == nuget.key(" 1.00+x") and nuget.key("1-A") == nuget.key("1.0-a")


@pytest.mark.parametrize("text", ["1.2.3.4.5", "2147483648", "1.0-", "1.0-a..b", "-1", "v1"])
def test_what_nuget_refuses_is_refused(text: str) -> None:
    assert answer("NuGet", text, "1") == "x"


@pytest.mark.parametrize(
    "ordered",
    [
        ["0.0.0-20180904163835-0709b304e793", "0.0.0-20190904163835-0709b304e793", "0.1.0"],
        ["1.2.3-0.20200101000000-abcdefabcdef", "v1.2.3", "2.0.0+incompatible", "v2.0.1"],
        ["go1.21beta1", "go1.21rc2", "go1.21", "1.21.1", "go1.21.2", "1.22.0-0", "go1.22.0"],
    ],
)
def test_go_orders_that_matter(ordered: list[str]) -> None:
    shuffled = ordered[::-1]
    assert sorted(shuffled, key=key_for("Go")) == ordered


def test_builds_count_for_pub_and_for_no_one_else() -> None:
    assert answer("Pub", "1.0.0", "1.0.0+1") == "-1"
    assert answer("Pub", "1.0.0+2", "1.0.0+10") == "-1"
    assert [answer(one, "1.0.0", "1.0.0+1") for one in ("npm", "Go", "crates.io", "Hex", "NuGet")] == ["0"] * 5


def test_branches_of_composer_have_no_place_and_numbered_ones_are_above_their_releases() -> None:
    assert answer("Packagist", "dev-main", "1.0") == "x"
    assert answer("Packagist", "1.x-dev", "1.999.9") == "1"
    assert answer("Packagist", "1.x-dev", "2.0-alpha1") == "-1"


ALL = ["Debian:12", "PyPI", "npm", "Maven", "Go", "RubyGems", "NuGet", "Packagist", "crates.io", "Hex", "Pub"]


@pytest.mark.parametrize("ecosystem", ALL)
@given(st.one_of(st.text(max_size=40), st.text("0123456789.-+ab", max_size=400)))
def test_any_text_is_a_version_or_is_refused(ecosystem: str, text: str) -> None:
    assert answer(ecosystem, text, text) in ("0", "x")


@pytest.mark.parametrize("ecosystem", ALL)
@pytest.mark.parametrize(
    "text", ["1" * 299, "a1" * 149, "1." * 149 + "1", "1-" * 120 + "1", "a" * 299 + "!", "1a" * 120]
)
def test_long_texts_cost_little(ecosystem: str, text: str) -> None:
    assert answer(ecosystem, text, text + "0") in ("-1", "0", "1", "x")
