"""apt's sources are read in both styles, and only Debian's own suites of one release are taken."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lading.supply_chain.build.apt_sources import AptSource, paragraph_fields, sources_for


def etc(tmp_path: Path, **files: str) -> Path:
    (tmp_path / "sources.list.d").mkdir()
    for name, text in files.items():
        where = tmp_path if name == "sources" else tmp_path / "sources.list.d"
        (where / ("sources.list" if name == "sources" else name.replace("__", "."))).write_text(text)
    return tmp_path


def test_deb822_stanzas_give_one_source_for_each_suite(tmp_path: Path) -> None:
    text = """Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian.gpg

Enabled: no
Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""
    assert sources_for("bookworm", etc(tmp_path, debian__sources=text)) == (
        AptSource("http://mirror.example/debian", "bookworm", "main", "/usr/share/keyrings/debian.gpg"),
        AptSource("http://mirror.example/debian", "bookworm-updates", "main", "/usr/share/keyrings/debian.gpg"),
    )


def test_one_line_sources_with_options_are_read(tmp_path: Path) -> None:
    text = """# comment
deb [arch=amd64 signed-by=/k.gpg] http://a.example/debian bookworm main  # trailing
deb http://a.example/debian-security bookworm-security/ main non-free
deb-src http://a.example/debian bookworm main
deb http://other.example/repo bookworm-cloud main
deb http://a.example/debian bookworm contrib
"""
    assert [(source.suite, source.signed_by) for source in sources_for("bookworm", etc(tmp_path, sources=text))] == [
        ("bookworm", "/k.gpg"),
        ("bookworm-security", ""),
    ]


def test_a_release_that_apt_does_not_know_has_no_sources(tmp_path: Path) -> None:
    assert sources_for("trixie", etc(tmp_path, sources="deb http://a.example/debian bookworm main\n")) == ()


def test_a_machine_without_apt_has_no_sources(tmp_path: Path) -> None:
    assert sources_for("bookworm", tmp_path / "nothing") == ()


def test_a_stanza_is_read_back_as_it_was(tmp_path: Path) -> None:
    source = AptSource("http://a.example/debian", "bookworm", "main", "/k.gpg")
    assert sources_for("bookworm", etc(tmp_path, x__sources=source.stanza())) == (source,)


@given(st.text(max_size=400))
def test_any_paragraph_gives_fields_and_no_error(text: str) -> None:
    fields = paragraph_fields(text)
    assert all(name == name.lower() for name in fields)
