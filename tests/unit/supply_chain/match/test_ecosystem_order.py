import pytest

from lading.supply_chain.match.order import EcosystemOrder


@pytest.mark.parametrize(
    ("ecosystem", "versions", "newest"),
    [
        ("pypi", ["1.9", "1.10", "1.10rc1"], "1.10"),
        ("PyPI", ["odd", "1.0"], "1.0"),
        ("npm", ["1.0.0", "1.0.1-rc.1"], "1.0.1-rc.1"),
        ("Debian:12", ["1.2-1", "1.2-1+deb12u1", "1.2-1~bpo1"], "1.2-1+deb12u1"),
        ("deb", ["2.0", "1:0.1"], "1:0.1"),
        ("maven", ["1.0", "1.0-sp", "1.0-rc1"], "1.0-sp"),
        ("golang", ["v1.9.0", "v1.10.0", "v1.10.0-rc.1"], "v1.10.0"),
        ("gem", ["1.0.pre", "0.9"], "1.0.pre"),
        ("nuget", ["1.0.0", "1.0.0.1"], "1.0.0.1"),
        ("composer", ["1.0", "1.0-p1"], "1.0-p1"),
        ("cargo", ["0.10.0", "0.9.0"], "0.10.0"),
        ("cpan", ["1", "2"], "1"),
    ],
)
def test_the_newest_version_of_an_ecosystem(ecosystem: str, versions: list[str], newest: str) -> None:
    assert EcosystemOrder().newest(ecosystem, versions) == newest
