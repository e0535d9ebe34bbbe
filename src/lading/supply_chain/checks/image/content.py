"""What lies in the image: programs with the rights of others, what everybody may change, open accounts, leftovers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lading.kernel.severity import Severity
from lading.supply_chain.checks.image.rules import (
    CACHE,
    DEVICE,
    OPEN_ACCOUNT,
    OPEN_ROOT,
    SETUID_PACKAGED,
    SETUID_UNOWNED,
    SSH_SERVER,
    SUDO,
    VERSIONS,
    WRITABLE,
)
from lading.supply_chain.checks.target import Target
from lading.supply_chain.checks.weakness import Weakness
from lading.supply_chain.inventory.values import DIRECTORY, MarkedFile

_SETID: Final = ("setuid", "setgid")
_SERVERS: Final = ("sshd", "dropbear")
# Whoever can write there decides what others run.
_SYSTEM: Final = ("bin/", "boot/", "etc/", "lib/", "lib32/", "lib64/", "root/", "sbin/", "usr/")
_LEAST_CACHE: Final = 1_000_000
_MOST_NAMED: Final = 10


def content_weaknesses(target: Target) -> Iterator[Weakness]:
    """What the marked files, the accounts and the hostile entries of an inventory say."""
    marked = target.inventory.marked
    yield from _packaged([one for one in marked if one.mark in _SETID and one.owner])
    for one in marked:
        if one.mark in _SETID and not one.owner:
            yield _unowned(one)
        elif one.mark == "writable":
            yield _writable(one)
        elif one.mark == "tool":
            rule = SSH_SERVER if one.path.rpartition("/")[2] in _SERVERS else SUDO
            yield rule.found(f"{one.path} is installed", file=one.path, layer=one.layer)
        elif one.mark == "versions":
            yield VERSIONS.found(f"{one.path} is there" if one.path else _others(one), file=one.path, layer=one.layer)
        elif one.mark == "cache" and one.size >= _LEAST_CACHE:
            size = f"{one.size / 1e6:.0f} MB in {one.count} files"
            yield CACHE.found(f"{one.path} has {size}", file=one.path, layer=one.layer)
    yield from _accounts(target)
    for gap in target.inventory.gaps:
        if gap.kind == "device-node":
            yield DEVICE.found(f"{gap.path} is a device: {gap.detail}", file=gap.path)


def _packaged(some: list[MarkedFile]) -> Iterator[Weakness]:
    if some:
        names = sorted(one.path.rpartition("/")[2] for one in some)
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        yield SETUID_PACKAGED.found(f"{len(names)} programs do so: {', '.join(names[:_MOST_NAMED])}{more}")


def _unowned(one: MarkedFile) -> Weakness:
    if not one.path:
        return SETUID_UNOWNED.found(_others(one))
    whose = f"user {one.uid}" if one.mark == "setuid" else f"group {one.gid}"
    becomes_root = one.mark == "setuid" and one.uid == 0
    return SETUID_UNOWNED.found(
        f"{one.path} runs as {whose} ({one.mode & 0o7777:04o}), and no package brought it",
        file=one.path,
        layer=one.layer,
        severity=Severity.HIGH if becomes_root else Severity.MEDIUM,
    )


def _writable(one: MarkedFile) -> Weakness:
    if not one.path:
        return WRITABLE.found(_others(one))
    within = f", with {one.count - 1} more in it" if one.count > 1 else ""
    what = "directory" if one.kind == DIRECTORY else "file"
    decides = not one.owner and f"{one.path}/".startswith(_SYSTEM)
    return WRITABLE.found(
        f"the {what} {one.path} may be written by everybody ({one.mode & 0o7777:04o}){within}",
        file=one.path,
        layer=one.layer,
        severity=Severity.MEDIUM if decides else Severity.LOW,
    )


def _others(one: MarkedFile) -> str:
    return f"{one.count} more places are not listed"


def _accounts(target: Target) -> Iterator[Weakness]:
    for one in target.inventory.accounts or ():
        if one.open:
            rule = OPEN_ROOT if one.uid == 0 else OPEN_ACCOUNT
            yield rule.found(f"the account {one.name} has an empty password", file="etc/shadow")
