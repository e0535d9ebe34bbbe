import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.kernel.reference import Reference

DIGEST = Digest.of(b"")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("debian", Reference("debian")),
        ("debian:12", Reference("debian", tag="12")),
        ("shop/web", Reference("shop/web")),
        ("localhost/web", Reference("web", "localhost")),
        ("127.0.0.1:5000/shop/web:v1", Reference("shop/web", "127.0.0.1:5000", "v1")),
        ("[::1]:5000/web", Reference("web", "[::1]:5000")),
        ("registry.example.org/a/b_c/d__e/f-g--h:T.a-g_1", Reference("a/b_c/d__e/f-g--h", "registry.example.org", "T.a-g_1")),
        ("REGISTRY/web", Reference("web", "REGISTRY")),
        (f"web@{DIGEST}", Reference("web", digest=DIGEST)),
        (f"host:1/web:tag@{DIGEST}", Reference("web", "host:1", "tag", DIGEST)),
    ],
)  # fmt: skip
def test_references_are_read_and_written_alike(text: str, expected: Reference) -> None:
    assert Reference.parse(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    "text",
    ["", "UPPER", "a//b", "/a", "a/", "a:", "a:-tag", "a@sha256:1", "a b", "a/../b", "a/./b", "-a", "a-", "a___b", "a..b",
     "a:" + "t" * 129, "x" * 256, "host:port/a", "a\n", "ho_st.x/a@", "[::1/a"],
)  # fmt: skip
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        Reference.parse(text)


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused_and_reads_back(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except InvalidInput:
        return

    assert Reference.parse(str(reference)) == reference


def test_pinning_drops_the_tag() -> None:
    assert str(Reference.parse("shop/web:v1").at(DIGEST)) == f"shop/web@{DIGEST}"
