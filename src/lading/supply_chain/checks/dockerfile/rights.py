"""Rules about rights: of files in the image, of steps of the build, and of programs that are raised to root."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lading.kernel.severity import Severity
from lading.supply_chain.checks.dockerfile.file import BuildFile
from lading.supply_chain.checks.dockerfile.shell import Command
from lading.supply_chain.checks.files.file_rule import FileRule, Spot, declare

_OCTAL: Final = re.compile(r"[0-7]{3,4}")
_MODE: Final = re.compile(r"[ugoa]*[-+=][rwxXst]*(?:,[ugoa]*[-+=][rwxXst]*)*")
_BY_WORDS: Final = re.compile(r"(?:^|,)(?:[ug]*o[ugo]*|a|[ugo]*a[ugo]*)[+=][rxX]*w|(?:^|,)\+[rxX]*w[rxX]*$")
_RAISED: Final = re.compile(r"(?:^|,)(?:[ugo]*[ug][ugo]*|a)?[+=][rwxX]*s")


def _modes(command: Command) -> Iterator[str]:
    """Modes that a command gives to files."""
    called = command.called
    if command.program == "chmod":
        yield from (word for word in called[1:2] + [word for word in called[1:] if not word.startswith("-")][:1])
    for place, word in enumerate(called):
        if command.program in ("install", "mkdir") and word in ("-m", "--mode") and place + 1 < len(called):
            yield called[place + 1]
        elif command.program in ("install", "mkdir") and word.startswith(("--mode=", "-m")) and len(word) > 2:
            yield word.removeprefix("--mode=").removeprefix("-m")


def _given(file: BuildFile) -> Iterator[tuple[int, str]]:
    for _, commands in file.commands(only_final=True):
        for command in commands:
            yield from ((command.line, mode) for mode in dict.fromkeys(_modes(command)))
    for _, step in file.steps("COPY", "ADD"):
        if mode := step.flag("chmod"):
            yield step.line, mode


def _for_all(file: BuildFile) -> Iterator[Spot]:
    for line, mode in _given(file):
        if _OCTAL.fullmatch(mode):
            number = int(mode, 8)
            # With the sticky bit only the owner can replace a file, as in /tmp.
            wide = bool(number & 0o002) and not number & 0o1000
        else:
            wide = bool(_MODE.fullmatch(mode)) and _BY_WORDS.search(mode) is not None
        if wide:
            yield Spot(line, f"mode {mode} lets everybody write")


def _raised(file: BuildFile) -> Iterator[Spot]:
    for line, mode in _given(file):
        octal = _OCTAL.fullmatch(mode) and bool(int(mode, 8) & 0o6000)
        if octal or (_MODE.fullmatch(mode) and _RAISED.search(mode)):
            yield Spot(line, f"mode {mode} lets a program run with the rights of its owner or group")


def _sudo(file: BuildFile) -> Iterator[Spot]:
    for _, commands in file.commands():
        for command in commands:
            first = command.words[0].rpartition("/")[2] if command.words else ""
            if first == "sudo":
                yield Spot(command.line, "sudo is called")
            elif {"install", "add"} & set(command.called) and "sudo" in command.called[1:]:
                yield Spot(command.line, "sudo is installed")


def _insecure(file: BuildFile) -> Iterator[Spot]:
    for _, step in file.steps("RUN"):
        if step.flag("security") == "insecure":
            yield Spot(step.line, "this step asks for all rights on the machine that builds")


def _host_network(file: BuildFile) -> Iterator[Spot]:
    for _, step in file.steps("RUN"):
        if step.flag("network") == "host":
            yield Spot(step.line, "this step asks for the network of the machine that builds")


CHECKS: Final[tuple[FileRule[BuildFile], ...]] = (
    declare(
        _for_all,
        "dockerfile-world-writable",
        Severity.MEDIUM,
        "Everybody may write a file",
        "Whatever runs in the container can change what another user trusts.",
        "Give files to the user that needs them: COPY --chown, chmod 755 or 644.",
        "CWE-732",
    ),
    declare(
        _raised,
        "dockerfile-setuid",
        Severity.MEDIUM,
        "A program is given setuid or setgid",
        "A flaw in it makes root of any user.",
        "Leave the bit out; give the capability that is needed to the container instead.",
        "CIS Docker 4.8",
        "CWE-250",
    ),
    declare(
        _sudo,
        "dockerfile-sudo",
        Severity.MEDIUM,
        "sudo is used",
        "Steps run as root already unless USER says otherwise; what stays in the image makes root of its user.",
        "Run such steps before USER, and do not install sudo.",
        "CIS Docker 4.8",
    ),
    declare(
        _insecure,
        "dockerfile-build-insecure",
        Severity.HIGH,
        "A step of the build asks for all rights",
        "RUN --security=insecure is without confinement: the step can change the machine that builds.",
        "Leave --security=insecure out.",
        "CWE-250",
    ),
    declare(
        _host_network,
        "dockerfile-build-host-network",
        Severity.MEDIUM,
        "A step of the build asks for the host's network",
        "It reaches what listens on the machine that builds, and what only that machine may reach.",
        "Leave --network=host out.",
    ),
)
