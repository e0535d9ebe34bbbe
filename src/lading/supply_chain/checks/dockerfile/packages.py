"""Rules about installing packages: what is left behind, what is more than needed, what is not the same tomorrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from lading.kernel.severity import Severity
from lading.supply_chain.checks.dockerfile.file import BuildFile, Step
from lading.supply_chain.checks.dockerfile.shell import Command
from lading.supply_chain.checks.files.file_rule import FileRule, Spot, declare

_APT: Final = frozenset({"apt-get", "apt", "aptitude"})
_MANAGERS: Final = _APT | {"apk", "yum", "dnf", "microdnf", "zypper"}
_UPGRADES: Final = {
    "apt-get": {"upgrade", "dist-upgrade"}, "apt": {"upgrade", "full-upgrade"}, "aptitude": {"upgrade", "full-upgrade"},
    "apk": {"upgrade"}, "yum": {"update", "upgrade"}, "dnf": {"update", "upgrade"}, "microdnf": {"update", "upgrade"},
    "zypper": {"update", "dist-upgrade", "up", "dup"},
}  # fmt: skip
_INSTALLS: Final = frozenset({"install", "add", "in", "build-dep", "upgrade", "dist-upgrade", "full-upgrade"})
_LISTS: Final = "/var/lib/apt/lists"


def _verb(command: Command, known: Sequence[str] | frozenset[str]) -> str:
    return next((word for word in command.called[1:] if word in known), "")


def _upgrade(file: BuildFile) -> Iterator[Spot]:
    for _, commands in file.commands():
        for command in commands:
            wanted = _UPGRADES.get(command.program, set())
            verb = next((word for word in command.called[1:] if not word.startswith("-")), "")
            named = [word for word in command.called[1:] if not word.startswith("-") and word != verb]
            # With names it is an update of these packages.
            if verb in wanted and not named:
                yield Spot(command.line, f"{command.program} {verb} raises everything to whatever is there today")


def _recommends(file: BuildFile) -> Iterator[Spot]:
    for _, commands in file.commands(only_final=True):
        configured = any("Install-Recommends" in word for one in commands for word in one.words)
        for command in commands:
            if command.program in ("apt-get", "apt") and "install" in command.called and not configured:
                said = " ".join(command.called)
                if not command.has("--no-install-recommends") and "Install-Recommends=" not in said:
                    yield Spot(command.line, f"{command.program} install brings recommended packages too")


def _lists(file: BuildFile) -> Iterator[Spot]:
    for step, commands in file.commands(only_final=True):
        updates = [one for one in commands if one.program in _APT and _verb(one, ("update",))]
        if updates and not _lists_gone(step, commands):
            yield Spot(updates[0].line, f"the lists that {updates[0].program} update fetches stay in the layer")


def _lists_gone(step: Step, commands: list[Command]) -> bool:
    mounted = any(flag == "mount" and "/var/lib/apt" in value for flag, value in step.flags)
    removed = any(
        one.program in ("rm", "find")
        and any(word.startswith(("/var/lib/apt", "/var/lib/apt/lists")) for word in one.called)
        for one in commands
    )
    return mounted or removed


def _update_alone(file: BuildFile) -> Iterator[Spot]:
    for _, commands in file.commands():
        updates = [
            one
            for one in commands
            if one.program in _APT | {"apk"} and _verb(one, ("update",)) and "add" not in one.called
        ]
        installs = [one for one in commands if one.program in _MANAGERS and _verb(one, _INSTALLS)]
        # A script of the source may install; what it does is not known.
        if updates and not installs:
            yield Spot(updates[0].line, f"{updates[0].program} update stands in a RUN that installs nothing")


CHECKS: Final[tuple[FileRule[BuildFile], ...]] = (
    declare(
        _upgrade,
        "dockerfile-packages-upgraded",
        Severity.LOW,
        "All packages are upgraded while building",
        "What comes out depends on the day; the base image stays as old as it was, and the layer holds both.",
        "Build on a newer base image, and install the packages that you need.",
    ),
    declare(
        _recommends,
        "dockerfile-recommended-packages",
        Severity.LOW,
        "Recommended packages are installed too",
        "Every package more is code that can be attacked and has to be patched.",
        "Add --no-install-recommends.",
        "CIS Docker 4.3",
    ),
    declare(
        _lists,
        "dockerfile-package-lists-left",
        Severity.LOW,
        "Lists of packages stay in the image",
        "They make the layer larger, and a later install works with lists that are old.",
        "End the same RUN with `rm -rf /var/lib/apt/lists/*`, or mount a cache there.",
        "CIS Docker 4.3",
    ),
    declare(
        _update_alone,
        "dockerfile-update-alone",
        Severity.MEDIUM,
        "Lists of packages are fetched in a layer of their own",
        "The layer is cached: later installs take old versions, with flaws that are fixed by now.",
        "Write update and install into one RUN.",
        "CIS Docker 4.7",
    ),
)
