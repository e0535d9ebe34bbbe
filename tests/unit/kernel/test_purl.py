import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.kernel.errors import InvalidInput
from lading.kernel.purl import PackageUrl


@pytest.mark.parametrize(
    "text",
    [
        "pkg:pypi/jinja2@3.1.6",
        "pkg:deb/debian/openssl@3.0.17-1~deb12u2?arch=amd64&distro=debian-12",
        "pkg:npm/%40angular/core@12.0.0",
        "pkg:golang/github.com/a/b@v1.0.0#sub/dir",
        "pkg:generic/na%2Fme@1%2B0",
    ],
)
def test_a_purl_reads_back_what_it_writes(text: str) -> None:
    once = PackageUrl.parse(text)

    assert PackageUrl.parse(str(once)) == once


def test_an_encoded_slash_stays_in_the_name() -> None:
    purl = PackageUrl.parse("pkg:generic/space/na%2Fme@1")

    assert (purl.namespace, purl.name) == ("space", "na/me")


def test_pypi_names_are_normalised() -> None:
    assert str(PackageUrl.parse("pkg:PyPI/Typing_Extensions@4.0")) == "pkg:pypi/typing-extensions@4.0"


@pytest.mark.parametrize("text", ["", "pkg:", "pkg:pypi", "pkg:pypi/", "http://x", "pkg:/x", "pkg:0x/y"])
def test_what_is_no_purl_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        PackageUrl.parse(text)


parts = st.text(min_size=1, max_size=20)


@given(name=parts, version=parts, qualifier=parts)
def test_any_decoded_parts_survive_a_round_trip(name: str, version: str, qualifier: str) -> None:
    purl = PackageUrl.of("generic", name, version=version, qualifiers={"k": qualifier})

    assert PackageUrl.parse(str(purl)) == purl


@given(st.text(max_size=100))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        PackageUrl.parse("pkg:" + text)
    except InvalidInput:
        return
