import pytest

from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput


def test_a_digest_reads_back_what_it_writes() -> None:
    digest = Digest.of(b"content")

    assert Digest.parse(str(digest)) == digest


def test_sha512_is_accepted() -> None:
    assert Digest.parse("sha512:" + "a" * 128).algorithm == "sha512"


@pytest.mark.parametrize(
    "text",
    ["", "sha256", "sha256:", "sha256:" + "a" * 63, "sha256:" + "A" * 64, "md5:" + "a" * 32, "sha256:" + "g" * 64,
     "sha256:" + "a" * 64 + "\n", "sha512:" + "a" * 64],
)  # fmt: skip
def test_anything_else_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Digest.parse(text)

    assert "sha256:" in caught.value.remedy
