"""Whatever a feed holds, it is read or refused; whatever a version is, it is compared or refused."""

import contextlib
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from lading.supply_chain.advisories.cvss import base_score
from lading.supply_chain.advisories.epss import parse_epss
from lading.supply_chain.advisories.errors import AdvisoryInvalid
from lading.supply_chain.advisories.kev import parse_kev
from lading.supply_chain.advisories.osv import parse_record
from lading.supply_chain.advisories.reading import raw_records
from lading.supply_chain.inventory import Package
from lading.supply_chain.match.matcher import Knowledge, match
from lading.supply_chain.match.versions import VersionInvalid, key_for

LEAF = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=10), st.sampled_from(["0", "1.0", "2", "PyPI", "x"])
)
JSON = st.recursive(
    LEAF,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=8,
)
EVENT = st.dictionaries(
    st.sampled_from(["introduced", "fixed", "last_affected", "limit"]),
    st.sampled_from(["0", "1", "1.5", "odd", ""]),
    max_size=2,
)
AFFECTED = st.fixed_dictionaries({
    "package": st.just({"ecosystem": "PyPI", "name": "x"}),
    "ranges": st.lists(st.fixed_dictionaries({"type": st.just("ECOSYSTEM"), "events": st.lists(EVENT, max_size=4)}), max_size=2),
    "versions": st.lists(st.sampled_from(["1", "odd"]), max_size=2),
})  # fmt: skip


@given(
    st.dictionaries(
        st.sampled_from(["aliases", "affected", "severity", "withdrawn", "database_specific", "summary"]), JSON
    )
)
def test_any_record_is_read_or_refused(fields: dict[str, object]) -> None:
    with contextlib.suppress(AdvisoryInvalid):
        parse_record(json.dumps({"id": "A-1", "modified": "2026-01-01T00:00:00Z"} | fields).encode())


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=200).map(lambda tail: b"PK\x03\x04" + tail)))
def test_any_feed_is_read_or_refused(content: bytes) -> None:
    for read in (lambda: list(raw_records(content)), lambda: parse_kev(content), lambda: parse_record(content),
                 lambda: parse_epss(content.decode("latin-1").splitlines())):  # fmt: skip
        with contextlib.suppress(AdvisoryInvalid):
            read()


@given(st.text(max_size=60))
def test_any_vector_has_a_score_in_bounds_or_none(text: str) -> None:
    for vector in (text, f"CVSS:3.1/{text}", f"CVSS:4.0/{text}"):
        score = base_score(vector)
        assert score is None or 0.0 <= score <= 10.0


@given(st.sampled_from(["Debian:12", "PyPI", "npm"]), st.text(max_size=30))
def test_any_text_is_a_version_or_refused(ecosystem: str, text: str) -> None:
    with contextlib.suppress(VersionInvalid):
        key = key_for(ecosystem)(text)
        assert key == key_for(ecosystem)(text)


@settings(deadline=None)
@given(st.lists(AFFECTED, max_size=3), st.sampled_from(["0", "1", "1.5", "3", "odd"]))
def test_any_ranges_can_be_matched_and_a_fix_is_never_affected(affected: list[object], version: str) -> None:
    raw = json.dumps({"id": "A-1", "modified": "2026-01-01T00:00:00Z", "affected": affected}).encode()
    package = Package(purl=f"pkg:pypi/x@{version}", ecosystem="PyPI", name="x", version=version, path="p")

    for found in match(package, [parse_record(raw)], Knowledge()):
        if found.fixed:
            fixed = Package(purl="p", ecosystem="PyPI", name="x", version=found.fixed, path="p")
            assert match(fixed, [parse_record(raw)], Knowledge()) == []
