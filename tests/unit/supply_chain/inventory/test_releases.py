import pytest

from lading.supply_chain.inventory.releases import ecosystem


@pytest.mark.parametrize(
    ("kind", "identity", "number", "expected"),
    [
        ("deb", "debian", "12", "Debian:12"),
        ("deb", "debian", "", "Debian"),
        ("deb", "ubuntu", "22.04", "Ubuntu:22.04:LTS"),
        ("deb", "ubuntu", "23.10", "Ubuntu:23.10"),
        ("deb", "kali", "2024.1", "Kali:2024.1"),
        ("rpm", "almalinux", "9.4", "AlmaLinux:9"),
        ("rpm", "rocky", "9.4", "Rocky Linux:9"),
        ("rpm", "rhel", "9.4", "Red Hat:enterprise_linux:9"),
        ("rpm", "sles", "15.5", "SUSE:Linux Enterprise Server 15 SP5"),
        ("rpm", "sles", "16.0", "SUSE:Linux Enterprise Server 16.0"),
        ("rpm", "opensuse-leap", "15.6", "openSUSE:Leap 15.6"),
        ("rpm", "opensuse-tumbleweed", "20240607", "openSUSE:Tumbleweed"),
        ("rpm", "azurelinux", "3.0", "Azure Linux:3"),
        ("rpm", "photon", "5.0", "Photon OS:5.0"),
        ("rpm", "fedora", "40", "Fedora:40"),
        ("rpm", "", "", "RPM"),
        ("apk", "", "", "Alpine"),
    ],
)
def test_the_ecosystem_of_a_release(kind: str, identity: str, number: str, expected: str) -> None:
    release = {key: value for key, value in (("ID", identity), ("VERSION_ID", number)) if value}

    assert ecosystem(kind, release) == expected


def test_open_euler_tells_its_service_pack_in_words() -> None:
    release = {"ID": "openEuler", "VERSION_ID": "22.03", "VERSION": "22.03 (LTS-SP3)"}

    assert ecosystem("rpm", release) == "openEuler:22.03-LTS-SP3"
