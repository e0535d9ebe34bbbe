"""Where what looks like a secret is most likely an example: documentation, and tests inside of installed packages."""

from __future__ import annotations

import re
from typing import Final

_DOCUMENTS: Final = re.compile(
    r"(?:^|/)usr/(?:local/)?share/(?:doc|man|info|help|locale|zoneinfo|i18n|perl)/|\.(?:md|markdown|rst|adoc|pod|[1-8](?:\.gz)?)$"
    r"|(?:^|/)(?:README|CHANGELOG|CHANGES|NEWS|HISTORY|COPYING|LICEN[CS]E)[^/]{0,20}$"
    r"|\.(?:dist-info/METADATA|egg-info/PKG-INFO)$",
    re.IGNORECASE,
)
_INSTALLED: Final = re.compile(
    r"(?:^|/)(?:site-packages|dist-packages|node_modules|vendor|gems|usr/(?:local/)?(?:lib|share)/[^/]+)/.*"
    r"(?:^|/)(?:tests?|testing|test[_-]?data|__tests__|specs?|fixtures?|examples?|samples?|docs?|demos?|mocks?)/"
)
# Made anew on every machine that installs the package; nobody trusts it.
_SNAKEOIL: Final = re.compile(r"snakeoil", re.IGNORECASE)


def examples_expected(path: str) -> bool:
    """Whether only rules that are sure speak of this file."""
    return bool(_DOCUMENTS.search(path) or _INSTALLED.search(path) or _SNAKEOIL.search(path))
