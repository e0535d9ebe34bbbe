"""One small module or folder for each ecosystem, all with the same two methods: what it wants, and what that says.

A new ecosystem is a module here and a line in `CATALOGERS`. Raising a cataloger's `revision` makes those layers be read
again that have a file it wants, and no others.
"""

from __future__ import annotations

from typing import Final

from lading.supply_chain.inventory.catalogers import (
    accounts,
    apk,
    conda,
    debian_copyright,
    dotnet,
    dpkg,
    foreign,
    golang,
    java,
    npm,
    php,
    python,
    release,
    rpm,
    ruby,
    rust,
    wellknown,
)
from lading.supply_chain.inventory.catalogers.cataloger import Cataloger, Places
from lading.supply_chain.inventory.catalogers.catalogers import Catalogers

CATALOGERS: Final = Catalogers(
    (
        dpkg.DpkgCataloger(),
        debian_copyright.CopyrightCataloger(),
        apk.ApkCataloger(),
        rpm.RpmCataloger(),
        python.PythonCataloger(),
        python.PythonArchiveCataloger(),
        python.PythonLockCataloger(),
        conda.CondaCataloger(),
        npm.NpmCataloger(),
        java.JavaCataloger(),
        ruby.RubyCataloger(),
        php.PhpCataloger(),
        dotnet.DotnetCataloger(),
        release.ReleaseCataloger(),
        golang.GoCataloger(),
        rust.RustCataloger(),
        dotnet.DotnetBundleCataloger(),
        wellknown.WellKnownCataloger(),
        foreign.ForeignCataloger(),
        accounts.AccountCataloger(),
    )
)
VERSION: Final = CATALOGERS.version


def cataloger_for(path: str) -> Cataloger | None:
    """The cataloger that wants the file at `path` for where it lies, or None."""
    return CATALOGERS.at(path)


__all__ = ["CATALOGERS", "VERSION", "Cataloger", "Catalogers", "Places", "cataloger_for"]
