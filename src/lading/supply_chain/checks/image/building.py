"""How the image was built, as far as its history and labels tell.

A step is named by its number and never quoted: its words may hold secrets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lading.supply_chain.checks.image.rules import (
    ADDS_URL,
    LATEST_BASE,
    PIPES_TO_SHELL,
    UNVERIFIED,
    UPDATES_ALONE,
    UPGRADES,
)
from lading.supply_chain.checks.target import Target
from lading.supply_chain.checks.weakness import Weakness

_MOST: Final = 16_384
# Every repetition is bounded: a history is whatever somebody wrote.
_HOST: Final = r"[a-z]{3,5}://(?:[^\s/@]{1,200}@)?([A-Za-z0-9.-]{1,200})"
_ADD: Final = re.compile(r"^(?:\S{0,40} \S{0,4} #\(nop\) {1,4})?ADD (?:--\S{1,100} ){0,5}" + _HOST)
_PIPE: Final = re.compile(
    r"\b(?:curl|wget)\b[^|;&\n]{0,500}\|\s{0,9}(?:sudo(?: -\S{1,20}){0,3} )?(?:\S{0,40}/)?"
    r"(?:env )?(?:ba|da|a|z|k)?sh\b|\b(?:ba|da|a|z|k)?sh -c [\"']?\$\((?:curl|wget)\b|\b(?:ba)?sh <\((?:curl|wget)\b"
)
_SKIPS: Final = re.compile(
    r"\bcurl\b[^|;&\n]{0,500} (?:-[a-zA-Z]{0,9}k[a-zA-Z]{0,9}|--insecure)\b|--no-check-certificate\b"
    r"|--allow-unauthenticated\b|--allow-untrusted\b|--trusted-host\b|--no-gpg-checks?\b|--nogpgcheck\b|--force-yes\b"
    r"|\bstrict-ssl[ =]false\b"
    r"|\bhttp\.sslVerify[ =]false\b|\bGIT_SSL_NO_VERIFY=|\bNODE_TLS_REJECT_UNAUTHORIZED=0\b"
)
_UPGRADE: Final = re.compile(
    r"\b(?:apt-get|apt|aptitude)(?: -\S{1,40}){0,9} (?:dist-upgrade|full-upgrade|upgrade)\b"
    r"|\bapk(?: -\S{1,40}){0,9} upgrade\b|\b(?:yum|dnf|microdnf)(?: -\S{1,40}){0,9} (?:upgrade|update)"
    r"(?: -\S{1,40}){0,9}\s{0,9}(?:$|[;&|\n])|\bzypper(?: -\S{1,40}){0,9} (?:up|update|dup|dist-upgrade|patch)\b"
)
_UPDATE: Final = re.compile(r"\b(?:apt-get|apt|apk)(?: -\S{1,40}){0,9} update\b")
_INSTALL: Final = re.compile(
    r"\b(?:apt-get|apt|apk)(?: -\S{1,40}){0,9} (?:install|add|build-dep|upgrade|dist-upgrade|full-upgrade|download)\b"
)
_BASE_LABELS: Final = ("lading.base", "org.opencontainers.image.base.name")
_BASE_DIGEST: Final = "org.opencontainers.image.base.digest"


def building_weaknesses(target: Target) -> Iterator[Weakness]:
    """What the steps of its build and the name of its base say."""
    for number, step in enumerate(target.history, 1):
        text = step.text[:_MOST]
        found = _ADD.match(text)
        if found and "--checksum=" not in text:
            yield ADDS_URL.found(
                f"step {number} adds something of {found.group(1)} without a checksum", layer=step.layer
            )
        if _PIPE.search(text):
            yield PIPES_TO_SHELL.found(f"step {number} hands a download to a shell", layer=step.layer)
        if _SKIPS.search(text):
            yield UNVERIFIED.found(f"step {number} downloads without verification", layer=step.layer)
        if _UPGRADE.search(text):
            yield UPGRADES.found(f"step {number} upgrades all packages", layer=step.layer)
        if _UPDATE.search(text) and not _INSTALL.search(text):
            yield UPDATES_ALONE.found(f"step {number} updates the index of packages only", layer=step.layer)
    yield from _base(target)


def _base(target: Target) -> Iterator[Weakness]:
    name = next((target.labels[label] for label in _BASE_LABELS if target.labels.get(label)), "")[:300]
    if not name or name == "scratch" or "@" in name or target.labels.get(_BASE_DIGEST):
        return
    tag = name.rpartition("/")[2].partition(":")[2]
    if tag in ("", "latest"):
        yield LATEST_BASE.found(f"the base is {name}, which may be another image tomorrow")
