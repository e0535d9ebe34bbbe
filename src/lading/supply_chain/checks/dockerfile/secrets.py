"""Rules about secrets that a build leaves in the image or its history. Values are never shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lading.kernel.severity import Severity
from lading.supply_chain.checks.dockerfile.file import BuildFile, Step
from lading.supply_chain.checks.files.file_rule import FileRule, Spot, declare
from lading.supply_chain.checks.files.secret_names import is_literal, is_secret_name

_KEPT: Final = re.compile(
    r"(?:^|/)(?:\.ssh|\.aws|\.docker|\.kube|\.gnupg|\.azure)(?:/|$)|(?:^|/)(?:\.netrc|\.npmrc|\.pypirc|\.git-credentials)$"
    r"|(?:^|/)\.config/gcloud"
)
_FILES: Final = re.compile(
    r"(?:^|/)(?:id_(?:rsa|dsa|ecdsa|ed25519)|\.env|\.netrc|\.npmrc|\.pypirc|\.git-credentials|\.dockercfg|credentials)$"
    r"|(?:^|/)(?:\.ssh|\.aws|\.gnupg|\.kube)(?:/|$)|\.(?:p12|pfx|jks|keystore|kdbx)$|(?:^|/)[\w.-]*(?:key|private)\.pem$"
)
_WHOLE: Final = frozenset({".", "./", "*", "./*"})
_VARIABLE: Final = re.compile(r"\$\{?(\w+)")


def _pairs(step: Step) -> list[tuple[str, str]]:
    words = step.words
    if step.keyword == "ENV" and words and "=" not in words[0]:
        # The old form: one name, and the rest of the line is its value.
        return [(words[0], " ".join(words[1:]))]
    return [(key, value) for key, _, value in (word.partition("=") for word in words)]


def _environment(file: BuildFile) -> Iterator[Spot]:
    for _, step in file.steps("ENV"):
        for name, value in _pairs(step):
            if is_secret_name(name) and (is_literal(value) or _from_secret(value)):
                yield Spot(step.line, f"ENV {name[:80]} has a value, which everybody who has the image can read")


def _from_secret(value: str) -> bool:
    """Whether a value is made of a build argument that is a secret."""
    return any(is_secret_name(name) for name in _VARIABLE.findall(value))


def _arguments(file: BuildFile) -> Iterator[Spot]:
    arguments = [*file.before, *(step for _, step in file.steps("ARG"))]
    for step in arguments:
        for name, value in _pairs(step):
            if step.keyword == "ARG" and is_secret_name(name):
                said = "has a default, which" if is_literal(value) else "is a build argument, whose value"
                yield Spot(step.line, f"ARG {name[:80]} {said} the history of the image may show")


def _mounted(file: BuildFile) -> Iterator[Spot]:
    for _, step in file.steps("RUN"):
        for flag, value in step.flags:
            fields = dict(part.partition("=")[::2] for part in value.split(","))
            target = fields.get("target") or fields.get("dst") or fields.get("destination") or ""
            if flag == "mount" and fields.get("type") == "cache" and _KEPT.search(target):
                yield Spot(step.line, f"{target[:100]} is kept in a cache that every later build can read")


def _copied(file: BuildFile) -> Iterator[Spot]:
    for _, step in file.steps("COPY", "ADD"):
        if step.flag("from"):
            continue
        for source in step.words[:-1]:
            if _FILES.search(source):
                yield Spot(step.line, f"{source[:100]} is copied into the image")


def _password_set(file: BuildFile) -> Iterator[Spot]:
    for _, commands in file.commands():
        for command in commands:
            options = command.program in ("useradd", "usermod") and command.has("-p", "--password")
            if command.program == "chpasswd" or options:
                yield Spot(command.line, f"{command.program} sets a password that stands in the history of the image")


def _whole_directory(file: BuildFile) -> Iterator[Spot]:
    for _, step in file.steps("COPY", "ADD"):
        if file.has_ignore_file is False and not step.flag("from") and _WHOLE & set(step.words[:-1]):
            yield Spot(step.line, "the whole directory is copied, and no .dockerignore says what stays out")


CHECKS: Final[tuple[FileRule[BuildFile], ...]] = (
    declare(
        _environment,
        "dockerfile-secret-in-environment",
        Severity.HIGH,
        "A secret is set as a variable of the image",
        "Whoever can pull the image reads it; so does everything that the program starts.",
        "Hand it over where the container runs, better as a file than as a variable.",
        "CIS Docker 4.10",
        "CWE-798",
    ),
    declare(
        _arguments,
        "dockerfile-secret-in-argument",
        Severity.MEDIUM,
        "A secret is a build argument",
        "Values of build arguments stand in the history and the provenance of the image.",
        "Mount it for the step that needs it: RUN --mount=type=secret,id=NAME.",
        "CIS Docker 4.10",
        "CWE-538",
    ),
    declare(
        _mounted,
        "dockerfile-secret-in-cache",
        Severity.HIGH,
        "A place of secrets is mounted as a cache",
        "A cache outlives the build, and other builds on the machine can read it.",
        "Mount the file as a secret instead: RUN --mount=type=secret,id=NAME,target=PATH.",
        "CIS Docker 4.10",
    ),
    declare(
        _copied,
        "dockerfile-secret-file-copied",
        Severity.HIGH,
        "A file of secrets is copied into the image",
        "It stays in its layer, also when a later step removes it.",
        "Mount it for the step that needs it: RUN --mount=type=secret,id=NAME.",
        "CIS Docker 4.10",
        "CWE-538",
    ),
    declare(
        _password_set,
        "dockerfile-password-set",
        Severity.HIGH,
        "A password is set while building",
        "It is the same in every container, and the history of the image shows the command.",
        "Leave the account without a password; nobody has to log in to a container.",
        "CIS Docker 4.10",
        "CWE-798",
    ),
    declare(
        _whole_directory,
        "dockerfile-context-unfiltered",
        Severity.MEDIUM,
        "Everything in the directory is copied into the image",
        "Whatever lies there comes along: .git, keys, files of the editor.",
        "Write a .dockerignore, or COPY what is needed by name.",
        "CIS Docker 4.10",
    ),
)
