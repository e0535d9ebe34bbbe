import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.kernel.severity import Severity
from lading.supply_chain.advisories import cvss_4
from lading.supply_chain.advisories.cvss import base_score, rate
from lading.supply_chain.advisories.cvss_4_table import SCORES

BASE_4 = {
    "AV": "NALP", "AC": "LH", "AT": "NP", "PR": "NLH", "UI": "NPA", "VC": "HLN", "VI": "HLN", "VA": "HLN",
    "SC": "HLN", "SI": "HLN", "SA": "HLN",
}  # fmt: skip
OTHERS_4 = {
    "E": "XAPU", "CR": "XHML", "IR": "XHML", "AR": "XHML", "MAV": "XNALP", "MVC": "XHLN", "MSI": "XSHLN", "S": "XNP",
}  # fmt: skip
WORST_FIRST = {**BASE_4, "E": "APU", "CR": "HML", "IR": "HML", "AR": "HML"}


@pytest.mark.parametrize(
    ("vector", "score"),
    [
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0),
        ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
        ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H", 9.9),
        ("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", 7.8),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", 7.5),
        ("CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N", 1.6),
        ("CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:L/I:L/A:N", 4.8),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0),
        ("CVSS:3.0/AV:A/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:P/RL:O", 8.8),
        ("AV:N/AC:L/Au:N/C:N/I:N/A:C", 7.8),
        ("AV:N/AC:L/Au:N/C:C/I:C/A:C", 10.0),
        ("(AV:L/AC:H/Au:N/C:C/I:C/A:C)", 6.2),
        ("AV:N/AC:M/Au:N/C:N/I:P/A:N/E:H/RL:U/RC:C", 4.3),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", 10.0),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 9.3),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:H/SC:N/SI:N/SA:N", 8.7),
        ("CVSS:4.0/AV:L/AC:L/AT:N/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 8.5),
        ("CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 7.3),
        ("CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 7.7),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:P/VC:N/VI:N/VA:N/SC:L/SI:L/SA:N", 5.3),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N", 0.0),
        ("CVSS:4.0/AV:P/AC:H/AT:P/PR:L/UI:P/VC:L/VI:L/VA:L/SC:L/SI:L/SA:L/E:U", 0.1),
    ],
)
def test_scores_are_those_of_the_specifications(vector: str, score: float) -> None:
    assert base_score(vector) == score


def test_levels_are_those_of_each_version() -> None:
    for vector, version, level in (
        ("AV:N/AC:L/Au:N/C:C/I:C/A:C", "2.0", Severity.HIGH),
        ("CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "3.0", Severity.CRITICAL),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N", "4.0", Severity.NONE),
    ):
        rating = rate(vector)
        assert rating is not None
        assert (rating.version, rating.severity) == (version, level)


@pytest.mark.parametrize(
    "vector",
    [
        "",
        "CVSS:3.1",
        "CVSS:3.1/AV:X",
        "CVSS:9/AV:N",
        "CVSS:3.1/" + "A:B/" * 10_000,
        "CVSS:4.0/AV:N",
        "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/A:H",
        "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/Q:H",
        "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:S/SI:H/SA:H",
        "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H",
        "AV:N/AC:L/Au:N/C:C/I:C",
        "AV:N/AC:L/Au:N/C:C/I:C/A:H",
    ],
)
def test_what_is_no_vector_has_no_score(vector: str) -> None:
    assert base_score(vector) is None


@given(st.text(max_size=80))
def test_no_text_makes_it_fail(text: str) -> None:
    for start in ("", "CVSS:2.0/", "CVSS:3.1/", "CVSS:4.0/"):
        assert rate(start + text) is None or 0.0 <= rate(start + text).score <= 10.0  # type: ignore[union-attr]


@given(st.fixed_dictionaries({name: st.sampled_from(values) for name, values in BASE_4.items()},
                             optional={name: st.sampled_from(values) for name, values in OTHERS_4.items()}))  # fmt: skip
def test_every_legal_version_4_vector_has_a_score_whatever_its_order(metrics: dict[str, str]) -> None:
    parts = [f"{name}:{value}" for name, value in metrics.items()]
    score = base_score("CVSS:4.0/" + "/".join(parts))
    assert score is not None
    assert score == round(score, 1)
    assert score == base_score("CVSS:4.0/" + "/".join(reversed(parts)))


@given(st.fixed_dictionaries({name: st.sampled_from(values) for name, values in WORST_FIRST.items()}))
def test_a_version_4_vector_scores_no_more_than_its_macro_vector(metrics: dict[str, str]) -> None:
    worst = {name: values[0] for name, values in WORST_FIRST.items()}
    assert cvss_4.score(metrics) <= cvss_4.score(worst) == 10.0
    if all(metrics[name] == "N" for name in ("VC", "VI", "VA", "SC", "SI", "SA")):
        assert cvss_4.score(metrics) == 0.0


def test_the_table_has_every_macro_vector_and_falls_with_each_class() -> None:
    assert len(SCORES) == 270
    for macro, score in SCORES.items():
        for place in range(5):
            below = (*macro[:place], macro[place] + 1, *macro[place + 1 :])
            assert SCORES.get(below, 0.0) <= score  # type: ignore[call-overload]
