"""All forms of secrets, one module for each field.

`REVISION` is raised with every change of what is found: layers that have text in them are then searched again.
"""

from __future__ import annotations

from typing import Final

from lading.supply_chain.secrets.form import Form, Kind
from lading.supply_chain.secrets.forms import addresses, assigned, clouds, files, forges, keys, services

REVISION: Final = 1
FORMS: Final[tuple[Form, ...]] = (
    *clouds.FORMS,
    *forges.FORMS,
    *services.FORMS,
    *keys.FORMS,
    *files.FORMS,
    *addresses.FORMS,
    *assigned.FORMS,
)
KINDS: Final[tuple[Kind, ...]] = tuple(form.kind for form in FORMS)
# What counts even in files of packages that are not a distribution's.
SURE: Final = frozenset(form.kind.id for form in FORMS if form.sure)

__all__ = ["FORMS", "KINDS", "REVISION", "SURE"]
