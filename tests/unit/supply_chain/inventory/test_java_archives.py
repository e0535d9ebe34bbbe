"""Jars, honest and hostile, written with the standard library's zipfile: an independent hand."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest

from lading.supply_chain.inventory.archives import Archive, ArchiveBudget, ArchiveDamaged
from lading.supply_chain.inventory.catalogers.java import JavaCataloger
from lading.supply_chain.inventory.values import PackageDatabase

SPRING = "Implementation-Title: {0}\nImplementation-Version: {1}\n"


def jar(*members: tuple[str, bytes | str], method: int = zipfile.ZIP_DEFLATED, before: bytes = b"") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return before + out.getvalue()


def pom(group: str, artifact: str, version: str) -> tuple[str, str]:
    text = f"#Generated\nversion={version}\ngroupId={group}\nartifactId={artifact}\n"
    return f"META-INF/maven/{group}/{artifact}/pom.properties", text


def manifest(text: str) -> tuple[str, str]:
    return "META-INF/MANIFEST.MF", f"Manifest-Version: 1.0\n{text}\n"


def read(content: bytes, path: str = "app/app.jar") -> PackageDatabase:
    return JavaCataloger().read(path, content)


def names(content: bytes, path: str = "app/app.jar") -> list[str]:
    return [f"{one.name} {one.version}{' ?' if one.doubt else ''}" for one in read(content, path).packages]


def gaps(content: bytes) -> list[str]:
    return [gap.detail for gap in read(content).gaps]


def test_a_shaded_jar_is_every_artifact_in_it() -> None:
    assert names(jar(pom("g", "a", "1"), pom("h", "b", "2"))) == ["g:a 1", "h:b 2"]


def test_a_jar_after_a_program_is_read() -> None:
    assert names(jar(pom("g", "a", "1"), before=b"#!/bin/sh\nexec java -jar $0\n")) == ["g:a 1"]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_libraries_of_spring_boot_are_found_by_manifest_and_name(method: int) -> None:
    beans = jar(manifest(SPRING.format("spring-beans", "5.3.17") + "Automatic-Module-Name: spring.beans\n"))
    boot = jar(("BOOT-INF/lib/spring-beans-5.3.17.jar", beans), ("BOOT-INF/classes/A.class", b"1"), method=method)
    found = read(boot)

    assert [one.purl for one in found.packages] == ["pkg:maven/org.springframework/spring-beans@5.3.17"]
    assert found.packages[0].path == "app/app.jar!/BOOT-INF/lib/spring-beans-5.3.17.jar"


@pytest.mark.parametrize(
    ("file", "headers", "found"),
    [
        ("commons-x-1.2.jar", "Implementation-Vendor-Id: org.apache.commons\n", ["org.apache.commons:commons-x 1.2"]),
        ("core-2.0.jar", "Bundle-SymbolicName: com.made.core;singleton:=true\nBundle-Version: 2.0\n", ["core 2.0 ?"]),
        ("log4j-1.2-api-2.17.1.jar", "Implementation-Version: 2.17.1\nImplementation-Vendor-Id: org.apache.logging.log4j\n",
         ["org.apache.logging.log4j:log4j-1.2-api 2.17.1"]),
        ("velocity-1.5.jar", "Implementation-Vendor-Id: org.apache\n", ["velocity 1.5 ?"]),
        ("made-core-1.0.jar", "Bundle-SymbolicName: org.made.other\n", ["made-core 1.0 ?"]),
        ("made-1.0.RELEASE.jar", "", ["made 1.0.RELEASE ?"]),
        ("tool.jar", "Implementation-Title: tool\nImplementation-Version: 3.1\n", ["tool 3.1 ?"]),
        ("app.jar", "Implementation-Title: A Great Tool\nImplementation-Version: 3.1\n", []),
        ("app.jar", "", []),
    ],
)  # fmt: skip
def test_groups_are_taken_only_from_where_they_are_sure(file: str, headers: str, found: list[str]) -> None:
    assert names(jar(manifest(headers)), f"lib/{file}") == found


def test_lines_of_a_manifest_go_on() -> None:
    content = jar(
        ("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\nImplementation-Vendor-Id: org.made.so\r\n meone\r\n")
    )

    assert names(content, "x-1.jar") == ["org.made.someone:x 1"]


def test_a_pom_says_what_its_parent_has_and_the_licences() -> None:
    text = (
        "<project xmlns='http://maven.apache.org/POM/4.0.0'><parent><groupId>g</groupId><artifactId>p</artifactId>"
        "<version>7</version></parent><artifactId>a</artifactId><licenses><license><name>MIT</name></license>"
        "</licenses><dependencies><dependency><groupId>no</groupId><artifactId>no</artifactId></dependency>"
        "</dependencies></project>"
    )
    found = read(jar(("META-INF/maven/g/a/pom.xml", text))).packages

    assert [(one.name, one.version, one.licenses) for one in found] == [("g:a", "7", ("MIT",))]


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE p [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><project><groupId>&b;</groupId></project>',
        "<project>" * 10_000,
        "<project><groupId>" + "a" * 900_000,
        "not xml",
        "",
        "<project><groupId>${g}</groupId><artifactId>a</artifactId><version>${v}</version></project>",
    ],
)
def test_a_hostile_pom_says_nothing(text: str) -> None:
    assert names(jar(("META-INF/maven/g/a/pom.xml", text))) == []


def test_pom_properties_of_an_unpacked_archive_count() -> None:
    content = b"groupId=g\nartifactId=a\nversion=1\n"

    assert names(content, "app/META-INF/maven/g/a/pom.properties") == ["g:a 1"]


@pytest.mark.parametrize("content", [b"PK\x03\x04", b"not a zip", b"\0" * 1000, jar(pom("g", "a", "1"))[:-30]])
def test_what_is_no_archive_is_a_gap(content: bytes) -> None:
    assert [gap.kind for gap in read(content).gaps] == ["package-archive-unreadable"]


def test_an_empty_file_says_nothing() -> None:
    assert read(b"") == PackageDatabase(path="app/app.jar", cataloger="java")


def test_archives_nest_to_a_bound() -> None:
    content = jar(pom("g", "a", "1"))
    for _ in range(10):
        content = jar(("lib/x.jar", content))

    assert gaps(content) == ["lib/x.jar lies in more than 4 archives"]


def test_members_that_inflate_without_end_are_left() -> None:
    bomb = jar(("lib/bomb.jar", bytes(200 << 20)), pom("g", "a", "1"))
    found = read(bomb)

    assert [one.name for one in found.packages] == ["g:a"]
    assert "inflates to more than 134217728 bytes" in found.gaps[0].detail


def test_many_bombs_share_one_budget() -> None:
    """The same content under many names: the directory points to it again and again."""
    content = jar(("lib/bomb.jar", bytes(100 << 20)))
    at, end = content.find(b"PK\x01\x02"), content.find(b"PK\x05\x06")
    entry = content[at:end]
    tail = bytearray(content[end:])
    tail[8:20] = struct.pack("<HHLL", 20, 20, 20 * len(entry), at)
    content = content[:at] + 20 * entry + bytes(tail)

    assert any("inflates to more than" in gap for gap in gaps(content))


def test_names_that_climb_are_told() -> None:
    assert gaps(jar(("../../etc/x.jar", jar(pom("g", "a", "1"))))) == ["path-traversal: '../../etc/x.jar'"]


def test_sizes_that_lie_change_nothing() -> None:
    content = bytearray(jar(pom("g", "a", "1")))
    at = content.rfind(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<L", 5)

    assert names(bytes(content)) == ["g:a 1"]


def test_stored_sizes_beyond_the_archive_are_a_gap() -> None:
    content = bytearray(jar(pom("g", "a", "1")))
    at = content.rfind(b"PK\x01\x02")
    content[at + 20 : at + 24] = struct.pack("<L", 1 << 30)

    assert "is damaged" in gaps(bytes(content))[0]


def test_encrypted_members_are_a_gap() -> None:
    content = bytearray(jar(pom("g", "a", "1")))
    at = content.rfind(b"PK\x01\x02")
    content[at + 8] |= 1

    assert "is encrypted" in gaps(bytes(content))[0]


def test_archives_in_zip64_form_are_read() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        name, text = pom("g", "a", "1")
        with archive.open(name, "w", force_zip64=True) as member:
            member.write(text.encode())
        for number in range(70_000):
            archive.writestr(f"c/{number}", b"")

    assert names(out.getvalue()) == ["g:a 1"]


def test_an_archive_of_more_names_than_the_budget_is_a_gap() -> None:
    archive = Archive(memoryview(jar(*((str(n), b"") for n in range(20)))), ArchiveBudget(names=10))

    with pytest.raises(ArchiveDamaged, match="too many members"):
        list(archive.entries())
