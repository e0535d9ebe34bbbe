from lading.kernel.severity import Severity
from lading.supply_chain.advisories import Advisory, Affected, Range
from lading.supply_chain.inventory import Package
from lading.supply_chain.match.matcher import Knowledge, match


def advisory(identity: str, *events: tuple[str, str], aliases: tuple[str, ...] = (), name: str = "flask",
             ecosystem: str = "PyPI", **fields: object) -> Advisory:  # fmt: skip
    what = Affected(ecosystem, name, (Range("ECOSYSTEM", events or (("introduced", "0"),)),))
    return Advisory(id=identity, modified="2026-01-01T00:00:00Z", aliases=aliases, affected=(what,), **fields)  # type: ignore[arg-type]


def python(version: str, **fields: object) -> Package:
    return Package(
        purl=f"pkg:pypi/flask@{version}", ecosystem="PyPI", name="flask", version=version, path="p", **fields
    )  # type: ignore[arg-type]


BELOW_2 = (("introduced", "0"), ("fixed", "2.0"))
BELOW_3 = (("introduced", "0"), ("fixed", "3.0"))


def test_one_flaw_under_two_names_is_one_finding_with_the_cve_as_its_id() -> None:
    known = [
        advisory("PYSEC-1", *BELOW_2, aliases=("CVE-2026-1", "GHSA-1"), score=7.5),
        advisory("GHSA-1", *BELOW_3, aliases=("CVE-2026-1",), score=9.8),
    ]

    found = match(python("1.0"), known, Knowledge())

    assert [(one.id, one.advisories) for one in found] == [("CVE-2026-1", ("GHSA-1", "PYSEC-1"))]
    assert (found[0].fixed, found[0].score, found[0].severity) == ("3.0", 9.8, Severity.CRITICAL)
    assert found[0].aliases == ("GHSA-1", "PYSEC-1")


def test_names_are_joined_through_a_third_record() -> None:
    known = [advisory("A", aliases=("X",)), advisory("B", aliases=("Y",)), advisory("C", aliases=("X", "Y"))]

    assert len(match(python("1.0"), known, Knowledge())) == 1


def test_a_record_that_does_not_match_joins_nothing() -> None:
    known = [advisory("A", aliases=("X",)), advisory("B", aliases=("Y",)), advisory("C", *BELOW_2, aliases=("X", "Y"))]

    assert len(match(python("2.0"), known, Knowledge())) == 2


def test_deb_packages_match_by_source_and_source_version() -> None:
    package = Package(purl="pkg:deb/debian/libssl3@1.1+b1", ecosystem="Debian:12", name="libssl3", version="9:1.1+b1",
                      path="p", source="openssl", source_version="1.1")  # fmt: skip
    known = [
        advisory(
            "DEBIAN-CVE-2026-1",
            ("introduced", "0"),
            ("fixed", "1.2"),
            aliases=("CVE-2026-1",),
            name="openssl",
            ecosystem="Debian:12",
        )
    ]

    found = match(
        package,
        known,
        Knowledge(
            severities={"CVE-2026-1": (9.1, 5)}, exploited=frozenset({"CVE-2026-1"}), likelihoods={"CVE-2026-1": 0.7}
        ),
    )

    assert [(one.id, one.package, one.version, one.fixed) for one in found] == [
        ("CVE-2026-1", "libssl3", "9:1.1+b1", "1.2")
    ]
    assert (found[0].severity, found[0].kev, found[0].epss) == (Severity.CRITICAL, True, 0.7)
    other = [advisory("X", name="openssl", ecosystem="Debian:11")]
    assert match(package, other, Knowledge()) == []


def test_withdrawn_records_and_packages_of_the_distribution_do_not_match() -> None:
    assert match(python("1.0"), [advisory("A", withdrawn="2026-01-01T00:00:00Z")], Knowledge()) == []
    assert match(python("1.0", provided_by="python3-flask"), [advisory("A")], Knowledge()) == []


def test_a_version_that_cannot_be_compared_is_a_finding_that_says_so() -> None:
    found = match(python("mine"), [advisory("A", *BELOW_2)], Knowledge())

    assert [one.id for one in found] == ["A"]
    assert found[0].why == "A: taken as affected: 'mine' is not a Python version"


def test_the_lowest_fix_that_is_itself_not_affected_is_offered() -> None:
    known = [advisory("A", ("introduced", "0"), ("fixed", "1.5"), ("introduced", "1.5"), ("fixed", "1.8"))]

    assert match(python("1.0"), known, Knowledge())[0].fixed == "1.8"


def test_a_stated_severity_counts_where_there_is_no_score() -> None:
    found = match(python("1.0"), [advisory("A", severity=Severity.HIGH)], Knowledge())[0]

    assert (found.severity, found.score) == (Severity.HIGH, 0.0)
    assert found.document("shop")["severity"] == "high"
    assert found.document("shop")["owner"] == "shop"


def rpm(version: str) -> Package:
    return Package(purl=f"pkg:rpm/almalinux/nodejs@{version}", ecosystem="AlmaLinux:9", name="nodejs", version=version,
                   path="p", source="nodejs-src", source_version=version)  # fmt: skip


def almalinux(fixed: str) -> Advisory:
    events = (("introduced", "0"), ("fixed", fixed))
    return advisory("ALSA-2026:1", *events, aliases=("CVE-2026-1",), name="nodejs", ecosystem="AlmaLinux:9")


def test_alpine_packages_match_by_their_origin() -> None:
    package = Package(purl="pkg:apk/alpine/libcrypto3@3.3.1-r3", ecosystem="Alpine:v3.20", name="libcrypto3",
                      version="3.3.1-r3", path="p", source="openssl", source_version="3.3.1-r3")  # fmt: skip
    events = (("introduced", "0"), ("fixed", "3.3.2-r0"))
    known = [advisory("ALPINE-CVE-2026-1", *events, name="openssl", ecosystem="Alpine:v3.20")]

    assert [(one.package, one.fixed) for one in match(package, known, Knowledge())] == [("libcrypto3", "3.3.2-r0")]


def test_rpm_packages_match_by_their_own_name_and_epoch() -> None:
    assert match(rpm("1:16.20.2-8.el9_4"), [almalinux("1:16.20.2-9.el9_4")], Knowledge())
    assert not match(rpm("1:16.20.2-10.el9_4"), [almalinux("1:16.20.2-9.el9_4")], Knowledge())
    assert match(rpm("16.20.2-10.el9_4"), [almalinux("1:16.20.2-9.el9_4")], Knowledge())


def test_builds_for_a_module_are_not_compared_with_those_for_none() -> None:
    modular = almalinux("1:18.20.4-1.module_el9.4.0+106+8d8d3e3f")

    assert not match(rpm("1:16.20.2-8.el9_4"), [modular], Knowledge())
    assert not match(rpm("1:18.20.2-1.module_el9.4.0+96+1"), [almalinux("1:20.0.0-1.el9")], Knowledge())
    assert match(rpm("1:18.20.2-1.module_el9.4.0+96+1"), [modular], Knowledge())
