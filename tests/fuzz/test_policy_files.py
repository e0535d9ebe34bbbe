"""Whatever stands in a rule file, loading it ends in a pack or in PolicyInvalid."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from lading.policy.errors import PolicyInvalid
from lading.policy.pack import parse_pack
from lading.policy.template import Template

_KEYS = st.sampled_from(
    [
        "id",
        "title",
        "stages",
        "severity",
        "owner",
        "message",
        "deny",
        "each",
        "when",
        "remedy",
        "examples",
        "x",
        "effect",
    ]
)
_SCALARS = st.sampled_from(
    [
        "a-b",
        "[deploy]",
        "high",
        "'{it.id}'",
        "findings",
        "'true'",
        "it.a == 1",
        "{kind: set}",
        "[]",
        "null",
        "~",
        "3",
        "*a",
        "&a 1",
        "!!set {}",
        "'{'",
        "2026-01-01",
    ]
)
_LINES = st.lists(st.tuples(_KEYS, _SCALARS).map(lambda pair: f"{pair[0]}: {pair[1]}"), max_size=14).map("\n".join)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        _LINES.map(str.encode),
        st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
    )
)
def test_any_bytes_are_a_pack_or_a_clear_error(text: bytes) -> None:
    with contextlib.suppress(PolicyInvalid):
        parse_pack({"fuzz.yaml": text})


@settings(max_examples=300, deadline=None)
@given(
    st.text(alphabet="{}itnpu.[]019a_-!: ", max_size=60), st.dictionaries(st.text(max_size=3), st.text(max_size=400))
)
def test_any_template_is_refused_or_fills_to_one_bounded_line(text: str, item: dict[str, str]) -> None:
    with contextlib.suppress(PolicyInvalid):
        filled = Template.parse(text, items=True).fill({"it": item, "input": {"a": item}})
        assert "\n" not in filled
        assert len(filled) < 60 * 2_500
