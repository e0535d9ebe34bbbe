"""Licences of Debian packages: from copyright files that machines can read and from prose, by the package's name."""

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.supply_chain.inventory.catalogers import CATALOGERS
from lading.supply_chain.inventory.catalogers.debian_copyright import CopyrightCataloger
from lading.supply_chain.inventory.layers import read_layer
from lading.supply_chain.inventory.merge import merge
from lading.supply_chain.inventory.values import ImageInventory
from tar_layers import STATUS, stanza

MACHINE = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: a

Files: *
Copyright: 2001 Somebody
License: GPL-2+ or Artistic

Files: lib/x.c
 lib/y.c
Copyright: 2002 Somebody
License: Expat

Files: debian/*
Copyright: 2003 A packager
License: GPL-3+

License: GPL-2+
 On Debian systems see /usr/share/common-licenses/GPL-2.

License: Artistic
 See /usr/share/common-licenses/Artistic.

License: GPL-3+
 See /usr/share/common-licenses/GPL-3.
"""
HEADER = "Format: http://dep.debian.net/deps/dep5\nLicense: Zlib\n\nFiles: debian/*\nLicense: GPL-3+\n"
PACKAGING = "Format: http://dep.debian.net/deps/dep5\n\nFiles: debian/*\nLicense: GPL-3+\n"
QUOTED = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
License: Permission is hereby granted, free of charge, to any person obtaining a copy
 of this software and associated documentation files
"""
GNU = """This program is free software; you can redistribute it and/or modify it under the terms of the GNU General Public
License as published by the Free Software Foundation; either version 2 of the License, or (at your option) any later
version. On Debian systems, the complete text is in `/usr/share/common-licenses/GPL-2'.
"""
ONLY = "It is licensed under the GNU LGPL 2.1, see /usr/share/common-licenses/LGPL-2.1."
BSD = """ * Redistribution and use in source and
 * binary forms, with or without modification, are permitted
 * 3. Neither the name of the University nor the names of its contributors may be used to endorse
"""


def read(text: str) -> tuple[str, ...]:
    return CopyrightCataloger().read("usr/share/doc/a/copyright", text.encode()).licences


@pytest.mark.parametrize(
    ("text", "licences"),
    [
        (MACHINE, ("GPL-2+ or Artistic", "Expat")),
        (HEADER, ("Zlib",)),
        (PACKAGING, ("GPL-3+",)),
        (QUOTED, ("Expat",)),
        (MACHINE.replace("\n", "\r\n"), ("GPL-2+ or Artistic", "Expat")),
        (GNU, ("GPL-2+",)),
        (ONLY, ("LGPL-2.1",)),
        (BSD, ("BSD-3-clause",)),
        (GNU + BSD, ("GPL-2+", "BSD-3-clause")),
        ("under the GNU General Public License version 3", ("GPL-3",)),
        ("It is in the public domain.", ("public-domain",)),
        ("The author says that you may do nothing.", ()),
        ("", ()),
    ],
)
def test_what_a_copyright_file_says(text: str, licences: tuple[str, ...]) -> None:
    assert read(text) == licences


@given(st.one_of(st.binary(max_size=300), st.lists(st.sampled_from(MACHINE.splitlines(keepends=True))).map(lambda some: "".join(some).encode())))  # fmt: skip
def test_any_file_is_read(content: bytes) -> None:
    found = CopyrightCataloger().read("usr/share/doc/a/copyright", content)

    assert (found.packages, found.gaps) == ((), ())
    assert all(found.licences)


def test_a_file_of_very_many_paragraphs_is_bounded() -> None:
    many = "Format: x\n\n" + "".join(f"Files: f{n}\nLicense: L-{n}\n\n" for n in range(30_000))

    assert len(read(many)) == 50


def layer(files: dict[str, str], links: dict[str, str] | None = None) -> io.BytesIO:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, text in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
        for path, target in (links or {}).items():
            info = tarfile.TarInfo(path)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    out.seek(0)
    return out


def image(*layers: io.BytesIO) -> ImageInventory:
    return merge("sha256:" + "0" * 64, [read_layer(f"sha256:{n:064}", one) for n, one in enumerate(layers)])


OS = {"etc/os-release": "ID=debian\nVERSION_ID=12\n"}


def test_packages_get_the_licences_of_their_file_through_links_and_layers() -> None:
    status = stanza("a", "1") + stanza("a-doc", "1") + stanza("b", "1") + stanza("c", "1")
    base = layer(
        OS | {STATUS: status, "usr/share/doc/a/copyright": MACHINE},
        {"usr/share/doc/a-doc": "a", "usr/share/doc/b/copyright": "../a/copyright"},
    )
    upper = layer({STATUS: status + stanza("d", "1"), "usr/share/doc/d/copyright": ONLY})

    found = image(base, upper)

    both = ("GPL-2+ or Artistic", "Expat")
    assert {p.name: p.licenses for p in found.packages} == {
        "a": both,
        "a-doc": both,
        "b": both,
        "c": (),
        "d": ("LGPL-2.1",),
    }
    assert found.gaps == ()


def test_a_copyright_file_that_cannot_be_read_is_no_gap() -> None:
    large = "x" * (CopyrightCataloger.most + 1)
    found = image(
        layer(OS | {STATUS: stanza("a", "1") + stanza("b", "1"), "usr/share/doc/a/copyright": large},
              {"usr/share/doc/b/copyright": "/nowhere/at/all"})
    )  # fmt: skip

    assert ([p.licenses for p in found.packages], found.gaps) == ([(), ()], ())


def test_links_that_loop_end() -> None:
    found = image(layer(OS | {STATUS: stanza("a", "1")}, {"usr/share/doc/a": "b", "usr/share/doc/b": "a"}))

    assert [p.licenses for p in found.packages] == [()]


def test_only_files_at_their_place_are_wanted() -> None:
    wanted = ("usr/share/doc/a/copyright", "usr/share/doc/a/b/copyright", "srv/usr/share/doc/a/copyright", "copyright")

    assert [CATALOGERS.at(path) is not None for path in wanted] == [True, False, False, False]
