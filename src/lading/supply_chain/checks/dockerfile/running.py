"""Rules about how the image runs: as whom, what is started, what is open, whether its health can be seen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lading.kernel.severity import Severity
from lading.supply_chain.checks.dockerfile.file import BuildFile, resolved
from lading.supply_chain.checks.files.file_rule import FileRule, Spot, declare

_ROOT: Final = "root"
_WITHOUT_ROOT: Final = re.compile(r"nonroot|unprivileged|rootless")
_SSH_PORTS: Final = re.compile(r"22(?:/tcp)?")
_SSH_SERVERS: Final = frozenset({"openssh-server", "dropbear", "openssh"})


def _root(file: BuildFile) -> Iterator[Spot]:
    step = file.last("USER")
    if step is None:
        return
    user = resolved(step.rest, _values(file)).partition(":")[0].strip("'\" ")
    if user == _ROOT or (user and not user.strip("0")):
        yield Spot(step.line, f"the last USER is {user}")


def _no_user(file: BuildFile) -> Iterator[Spot]:
    base = file.final[-1].image
    if file.last("USER") is None and _WITHOUT_ROOT.search(base) is None:
        unless = "" if base == "scratch" else ", unless the image that it builds on sets one"
        yield Spot(file.stages[-1].begin.line, f"no USER is set, so it runs as root{unless}")


def _no_health_check(file: BuildFile) -> Iterator[Spot]:
    step = file.last("HEALTHCHECK")
    if step is None:
        yield Spot(file.stages[-1].begin.line, "there is no HEALTHCHECK")
    elif step.rest.strip().upper() == "NONE":
        yield Spot(step.line, "HEALTHCHECK is turned off")


def _ssh(file: BuildFile) -> Iterator[Spot]:
    for _, step in file.steps("EXPOSE"):
        if any(_SSH_PORTS.fullmatch(word) for word in step.words):
            yield Spot(step.line, "port 22 is exposed")
    for _, commands in file.commands(only_final=True):
        for command in commands:
            servers = _SSH_SERVERS & {word.partition("=")[0] for word in command.called}
            if servers and {"install", "add"} & set(command.called):
                yield Spot(command.line, f"{min(servers)} is installed")


def _shell_form(file: BuildFile) -> Iterator[Spot]:
    step = file.last("ENTRYPOINT")
    if step is not None and step.rest and step.listed is None:
        yield Spot(step.line, "ENTRYPOINT is a text, not a list: a shell runs it, and signals do not reach the program")


def _several(file: BuildFile) -> Iterator[Spot]:
    for stage in file.stages:
        for keyword in ("CMD", "ENTRYPOINT", "HEALTHCHECK"):
            own = [step for step in stage.steps if step.keyword == keyword and not step.later]
            for step in own[:-1]:
                yield Spot(step.line, f"this {keyword} counts for nothing: another one follows in line {own[-1].line}")


def _relative(file: BuildFile) -> Iterator[Spot]:
    for _, step in file.steps("WORKDIR"):
        path = step.rest.strip("'\"")
        if path and not re.match(r"[/$\\]|[A-Za-z]:", path):
            yield Spot(step.line, f"WORKDIR {path[:100]} is relative to whatever the image before it had")


def _maintainer(file: BuildFile) -> Iterator[Spot]:
    for _, step in file.steps("MAINTAINER"):
        yield Spot(step.line, "MAINTAINER is deprecated")


def _values(file: BuildFile) -> dict[str, str]:
    """Values of ARG and ENV in the stages of the image, as far as they stand in the file."""
    found: dict[str, str] = {}
    for stage in reversed(file.final):
        for step in stage.steps:
            if step.keyword in ("ARG", "ENV"):
                found |= {key: value for key, _, value in (word.partition("=") for word in step.words)}
    return found


CHECKS: Final[tuple[FileRule[BuildFile], ...]] = (
    declare(
        _root,
        "dockerfile-user-root",
        Severity.HIGH,
        "The image is made to run as root",
        "Whoever takes over the program is root in the container, one flaw of the kernel away from the host.",
        "End the last stage with USER and the number of a user of its own.",
        "CIS Docker 4.1",
        "CWE-250",
    ),
    declare(
        _no_user,
        "dockerfile-user-missing",
        Severity.MEDIUM,
        "No user is set",
        "Without USER the program runs as the user of the base image, which mostly is root.",
        "End the last stage with USER and the number of a user of its own.",
        "CIS Docker 4.1",
        "CWE-250",
    ),
    declare(
        _no_health_check,
        "dockerfile-health-check-missing",
        Severity.LOW,
        "There is no health check",
        "Nobody notices a program that hangs: it is there, so it counts as running.",
        "Add HEALTHCHECK, or a health check where the image is deployed.",
        "CIS Docker 4.6",
    ),
    declare(
        _ssh,
        "dockerfile-ssh-server",
        Severity.MEDIUM,
        "The image offers ssh",
        "A second way in has keys, passwords and flaws of its own, and goes past what is logged and allowed.",
        "Leave the server out; `docker exec` and `kubectl exec` lead into a container where that is allowed.",
        "CIS Docker 5.7",
    ),
    declare(
        _shell_form,
        "dockerfile-entrypoint-shell-form",
        Severity.LOW,
        "The entrypoint runs in a shell",
        "The shell takes the signals, so the program is killed instead of stopped; arguments and CMD are lost.",
        'Write it as a list: ENTRYPOINT ["program", "argument"].',
    ),
    declare(
        _several,
        "dockerfile-instruction-overridden",
        Severity.LOW,
        "An instruction counts for nothing",
        "Of several CMD, ENTRYPOINT or HEALTHCHECK in a stage only the last one counts.",
        "Remove those before the last.",
    ),
    declare(
        _relative,
        "dockerfile-workdir-relative",
        Severity.LOW,
        "A working directory is relative",
        "Where it ends depends on the image that is built on, and changes with it.",
        "Write the whole path, beginning with /.",
    ),
    declare(
        _maintainer,
        "dockerfile-maintainer",
        Severity.LOW,
        "MAINTAINER is deprecated",
        "Builders warn of it, and tools that read labels do not see it.",
        "Write LABEL org.opencontainers.image.authors=… instead.",
    ),
)
