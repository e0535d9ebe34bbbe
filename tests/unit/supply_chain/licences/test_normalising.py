"""Declared texts as SPDX expressions, held against the library that knows SPDX's grammar."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from license_expression import get_spdx_licensing

from lading.supply_chain.licences import licence_of
from lading.supply_chain.licences.ids import _index, _read, find, later, table
from lading.supply_chain.licences.names import squeezed

# Ecosystem, declared texts, expression, whether it is known, category.
DECLARED = [
    ("PyPI", ["MIT"], "MIT", True, "permissive"),
    ("PyPI", ["MIT License"], "MIT", True, "permissive"),
    ("PyPI", ["Apache Software License"], "LicenseRef-Apache", True, "permissive"),
    ("PyPI", ["BSD License"], "LicenseRef-BSD", True, "permissive"),
    ("PyPI", ["GNU Lesser General Public License v2 or later (LGPLv2+)"], "LGPL-2.0-or-later", True, "weak-copyleft"),
    ("PyPI", ["GNU Affero General Public License v3"], "AGPL-3.0-only", True, "network-copyleft"),
    ("PyPI", ["Mozilla Public License 2.0 (MPL 2.0)"], "MPL-2.0", True, "weak-copyleft"),
    ("PyPI", ["Apache 2.0"], "Apache-2.0", True, "permissive"),
    ("PyPI", ["MIT License", "Apache Software License"], "MIT AND LicenseRef-Apache", True, "permissive"),
    ("PyPI", ["see the file LICENSE"], "LicenseRef-see-the-file-LICENSE", False, "unknown"),
    ("PyPI", ["UNKNOWN"], "", False, "unknown"),
    ("npm", ["(MIT OR GPL-2.0+)"], "GPL-2.0-or-later OR MIT", True, "permissive"),
    ("npm", ["MIT", "GPL-3.0"], "GPL-3.0-only OR MIT", True, "permissive"),
    ("npm", ["UNLICENSED"], "LicenseRef-proprietary", True, "proprietary"),
    ("npm", ["SEE LICENSE IN eula.txt"], "LicenseRef-SEE-LICENSE-IN-eula.txt", False, "unknown"),
    ("Packagist", ["LGPL-2.1-or-later", "GPL-3.0-or-later"], "GPL-3.0-or-later OR LGPL-2.1-or-later", True, "weak-copyleft"),
    ("Maven", ["The Apache Software License, Version 2.0"], "Apache-2.0", True, "permissive"),
    ("Maven", ["http://www.apache.org/licenses/LICENSE-2.0.txt"], "Apache-2.0", True, "permissive"),
    ("Maven", ["EPL 2.0", "GPL2 w/ CPE"], "EPL-2.0 OR LicenseRef-GPL2-w-CPE", False, "weak-copyleft"),
    ("crates.io", ["MIT/Apache-2.0"], "Apache-2.0 OR MIT", True, "permissive"),
    ("RPM", ["GPLv2+"], "GPL-2.0-or-later", True, "strong-copyleft"),
    ("RPM", ["GPL+ or Artistic"], "Artistic-1.0 OR GPL-1.0-or-later", True, "weak-copyleft"),
    ("RPM", ["ASL 2.0 and (BSD or MIT)"], "Apache-2.0 AND (MIT OR LicenseRef-BSD)", True, "permissive"),
    ("RPM", ["LGPLv2+ and Public Domain"], "LGPL-2.0-or-later AND LicenseRef-public-domain", True, "weak-copyleft"),
    ("RPM", ["GPLv3+ and GPLv3+ with exceptions"], "GPL-3.0-or-later", True, "strong-copyleft"),
    ("Alpine:v3.20", ["BSD-2-Clause AND BSD-3-Clause"], "BSD-2-Clause AND BSD-3-Clause", True, "permissive"),
    ("Alpine:v3.20", ["custom"], "", False, "unknown"),
    ("Debian:12", ["GPL-2+ with OpenSSL exception"], "GPL-2.0-or-later", True, "strong-copyleft"),
    ("Debian:12", ["GPL-3+ with Autoconf exception"], "GPL-3.0-or-later WITH Autoconf-exception-3.0", True, "weak-copyleft"),
    ("Debian:12", ["LGPLv3+_or_GPLv2+"], "GPL-2.0-or-later OR LGPL-3.0-or-later", True, "weak-copyleft"),
    ("Debian:12", ["Expat", "GPL-1+ or Artistic"], "(Artistic-1.0 OR GPL-1.0-or-later) AND MIT", True, "weak-copyleft"),
    ("Debian:12", ["BSD-3-clause-Cambridge"], "LicenseRef-BSD", True, "permissive"),
    ("Debian:12", ["MIT-US-export"], "LicenseRef-MIT-US-export", False, "unknown"),
    ("RubyGems", ["Ruby", "BSD-2-Clause"], "BSD-2-Clause AND Ruby", True, "weak-copyleft"),
    ("", ["GPL-2.0-with-classpath-exception"], "GPL-2.0-only WITH Classpath-exception-2.0", True, "weak-copyleft"),
    ("", ["Apache-1.1+"], "Apache-1.1+", True, "permissive"),
    ("", ["CDDL + GPLv2 with classpath exception"], "CDDL-1.0 AND GPL-2.0-only WITH Classpath-exception-2.0", True, "weak-copyleft"),
    ("", ["MIT AND Foo-1"], "MIT AND LicenseRef-Foo-1", False, "unknown"),
    ("", ["MIT OR Foo-1"], "MIT OR LicenseRef-Foo-1", False, "permissive"),
    ("", ["This is as-is, without any express or implied warranty of any kind at all"],
     "LicenseRef-This-is-as-is-without-any-express-or-implied-warranty-of-any", False, "unknown"),
]  # fmt: skip

WORDS = st.sampled_from(
    [
        "MIT",
        "GPL-2.0+",
        "gplv3+",
        "BSD",
        "and",
        "AND",
        "or",
        "OR",
        "with",
        "WITH",
        "(",
        ")",
        "/",
        ",",
        "exception",
        "Classpath-exception-2.0",
        "LicenseRef-x",
        "LicenseRef-",
        "Apache 2.0",
        "or later",
        "license",
        "+",
        "é",
        "_",
    ]
)


@pytest.mark.parametrize(("ecosystem", "texts", "expression", "known", "category"), DECLARED)
def test_declared_texts(ecosystem: str, texts: list[str], expression: str, known: bool, category: str) -> None:
    found = licence_of(texts, ecosystem)

    assert (found.expression, found.known, str(found.category)) == (expression, known, category)
    assert found.declared == "; ".join(texts)


@given(
    st.one_of(
        st.text(max_size=120), st.lists(WORDS, max_size=14).map(" ".join), st.lists(WORDS, max_size=9).map("".join)
    )
)
@example("(" * 5_000)
@example("MIT AND " * 3_000)
@example("\0LicenseRef-\ud800")
def test_any_text_gives_a_valid_expression_that_stays_what_it_is(text: str) -> None:
    found = licence_of([text])

    assert licence_of([found.expression]).expression == found.expression
    if found.expression:
        parsed = get_spdx_licensing().parse(found.expression, validate=False, strict=True)
        assert all(
            find(str(one.key)) or str(one.key) in valid_exceptions() or re.fullmatch(r"(DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+|[A-Za-z0-9.-]+\+", str(one.key))
            for one in parsed.symbols
        )  # fmt: skip


def valid_exceptions() -> set[str]:
    return {one.id for one in _index().values() if one.is_exception}


def test_what_is_in_the_table_is_of_spdx_and_called_by_one_name_only() -> None:
    index = _index()
    names: dict[str, str] = {}
    for one in _read():
        assert one.id.startswith("LicenseRef-") or index[one.id.lower()].id == one.id
        # SPDX lists it as a licence of its own, whatever its name says.
        if one.id.lower() in index and one.id != "MPL-2.0-no-copyleft-exception":
            assert one.is_exception == index[one.id.lower()].is_exception
        for name in {squeezed(name) for name in one.names}:
            assert names.setdefault(name, one.id) == one.id or one.is_exception, name
    assert len(table()) > 150


@pytest.mark.parametrize(
    ("identity", "versions"),
    [
        ("GPL-2.0-or-later", {"GPL-2.0-only", "GPL-3.0-only"}),
        ("LGPL-2.1-or-later", {"LGPL-2.1-only", "LGPL-3.0-only"}),
        ("Apache-1.1+", {"Apache-1.1", "Apache-2.0"}),
        ("MIT", set()),
    ],
)
def test_or_later_lets_one_choose(identity: str, versions: set[str]) -> None:
    assert set(later(identity)) == versions
