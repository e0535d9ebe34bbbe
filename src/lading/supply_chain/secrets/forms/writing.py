"""How rules are written: tokens of a form of their own, and values that only what stands before them tells."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from lading.kernel.severity import Severity
from lading.supply_chain.secrets.form import Candidate, Form, Kind
from lading.supply_chain.secrets.plausibility import example, mixed, placeholder

# Not in the middle of a word; after `\n` and the like of a quoted text, a new word begins.
_BEGIN: Final = rb"(?:(?<![0-9A-Za-z_])|(?<=\\[nrt]))"
_END: Final = rb"(?![0-9A-Za-z_])"
_LAST_COUNT: Final = re.compile(rb"\{(\d+),\d+\}$")
ROTATE: Final = "Revoke it at {vendor}, issue a new one, and hand it over when the container starts, never in a layer."
# What stands between a name and its value, in settings and in code: at most a few blanks, quotes and an operator.
ASSIGNS: Final = rb"[\"']?\]?[ \t]{0,4}(?:=>|:=|[:=])[ \t]{0,4}[\"']?"


def kind(identity: str, title: str, severity: Severity, remedy: str) -> Kind:
    """A kind of secret, with the prefix that all ids have."""
    return Kind(id=f"secret-{identity}", title=title, severity=severity, remedy=remedy)


def token(
    identity: str,
    title: str,
    vendor: str,
    core: bytes,
    *,
    severity: Severity = Severity.HIGH,
    genuine: Callable[[Candidate], bool] | None = None,
    sure: bool = True,
    trigger: bytes = b"",
) -> Form:
    """A rule for tokens that are known by their form, which `core` says in full and with bounds.

    The prefilter strikes at the shortest that fits, or at `trigger`.
    """
    return Form(
        kind=kind(identity, title, severity, ROTATE.format(vendor=vendor)),
        trigger=trigger or _LAST_COUNT.sub(rb"{\1}", core),
        pattern=re.compile(_BEGIN + b"(?P<value>" + core + b")" + _END),
        genuine=genuine or (lambda candidate: not example(candidate.value)),
        sure=sure,
    )


def named(
    identity: str,
    title: str,
    vendor: str,
    names: bytes,
    core: bytes,
    *,
    severity: Severity = Severity.HIGH,
    least: float = 3.0,
) -> Form:
    """A rule for values of a common form (hexadecimal, base64) behind a name that says what they are."""
    before = rb"(?i:" + names + rb")[0-9A-Za-z_.-]{0,20}" + ASSIGNS
    return Form(
        kind=kind(identity, title, severity, ROTATE.format(vendor=vendor)),
        trigger=before + _LAST_COUNT.sub(rb"{\1}", core),
        pattern=re.compile(before + rb"(?P<value>" + core + rb")(?![0-9A-Za-z_/+-])"),
        genuine=lambda candidate: mixed(candidate.value, least) and not placeholder(candidate.value),
    )
