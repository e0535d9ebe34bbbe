"""Rules about what is fetched while building, and whether anybody checks what came."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lading.kernel.severity import Severity
from lading.supply_chain.checks.dockerfile.file import BuildFile, Step
from lading.supply_chain.checks.dockerfile.shell import SHELLS, Command
from lading.supply_chain.checks.files.file_rule import FileRule, Spot, declare

_FETCHERS: Final = frozenset({"curl", "wget", "fetch", "aria2c", "http", "https"})
_INTERPRETERS: Final = SHELLS | {"python", "python3", "perl", "ruby", "node", "php", "source", ".", "eval"}
_UNVERIFIED: Final[dict[str, tuple[str, ...]]] = {
    "curl": ("-k", "--insecure", "--proxy-insecure"),
    "wget": ("--no-check-certificate",),
    "apt-get": ("--allow-unauthenticated", "--force-yes", "--allow-insecure-repositories"),
    "apt": ("--allow-unauthenticated", "--force-yes", "--allow-insecure-repositories"),
    "aptitude": ("--allow-untrusted",),
    "apk": ("--allow-untrusted",),
    "yum": ("--nogpgcheck",),
    "dnf": ("--nogpgcheck", "--no-gpgchecks"),
    "microdnf": ("--nogpgcheck",),
    "zypper": ("--no-gpg-checks", "--allow-unsigned-rpm"),
    "rpm": ("--nosignature", "--nodigest"),
    "pip": ("--trusted-host",), "pip3": ("--trusted-host",),
    "gem": (), "npm": ("--no-strict-ssl",), "yarn": (), "git": (),
}  # fmt: skip
# Words that turn checking off, whatever program reads them.
_OFF: Final = re.compile(
    r"sslverify=(?:false|0|no)$|\bAllowInsecureRepositories=(?:true|1)|AllowUnauthenticated=(?:true|1|yes)"
    r"|Verify-Peer=(?:false|0)|strict-ssl=false|\[[^\]]*trusted=yes[^\]]*\]",
    re.IGNORECASE,
)
_VARIABLES_OFF: Final = {
    "NODE_TLS_REJECT_UNAUTHORIZED": ("0",), "PYTHONHTTPSVERIFY": ("0",), "GIT_SSL_NO_VERIFY": ("1", "true"),
    "NPM_CONFIG_STRICT_SSL": ("false",), "npm_config_strict_ssl": ("false",), "GOINSECURE": (), "GONOSUMDB": ("*",),
    "GOFLAGS": ("-insecure",), "GONOSUMCHECK": ("1",), "HELM_INSECURE": ("true",),
}  # fmt: skip
_REMOTE: Final = re.compile(r"(?:https?|ftp)://", re.IGNORECASE)
_GIT: Final = re.compile(r"(?:git@|git://|ssh://)|\.git(?:#|$)", re.IGNORECASE)
_COMMIT: Final = re.compile(r"#[0-9a-f]{40}(?:[0-9a-f]{24})?(?::|$)")
_PACKED: Final = re.compile(r"\.(?:tar|tgz|tbz2?|txz|tzst|tar\.(?:gz|bz2|xz|zst|lz4?|Z))$", re.IGNORECASE)


def _sources(step: Step) -> list[str]:
    return [word for word in step.words[:-1] if not word.startswith("<<")]


def _add_remote(file: BuildFile) -> Iterator[Spot]:
    for _, step in file.steps("ADD"):
        if step.flag("checksum"):
            continue
        for source in _sources(step):
            if (_REMOTE.match(source) or _GIT.search(source)) and _COMMIT.search(source) is None:
                yield Spot(step.line, f"ADD fetches {_without_credentials(source)} and nothing says what has to come")


def _add_local(file: BuildFile) -> Iterator[Spot]:
    for _, step in file.steps("ADD"):
        sources = _sources(step)
        if sources and not any(
            _REMOTE.match(one) or _GIT.search(one) or _PACKED.search(one) or "$" in one for one in sources
        ):
            yield Spot(step.line, "ADD does here what COPY does, and more where a file happens to be an archive")


def _piped(file: BuildFile) -> Iterator[Spot]:
    for _, commands in file.commands():
        fetched = ""
        for command in commands:
            inner = next((one.program for one in command.inner if one.program in _FETCHERS), "")
            if command.program in _INTERPRETERS and (inner or (command.piped and fetched)):
                yield Spot(command.line, f"what {inner or fetched} fetches is run by {command.program} at once")
            if command.program in _FETCHERS:
                fetched = command.program
            elif not command.piped:
                fetched = ""


def _unverified(file: BuildFile) -> Iterator[Spot]:
    for _, commands in file.commands():
        for command in commands:
            if (what := _turned_off(command)) is not None:
                yield Spot(command.line, f"{what} turns off the check of where it comes from")
    for _, step in file.steps("ENV", "ARG"):
        for word in step.words:
            if _variable_off(word):
                yield Spot(step.line, f"{word.partition('=')[0]} turns off the check of where downloads come from")


def _turned_off(command: Command) -> str | None:
    name = "pip" if command.called[:3][1:] == ["-m", "pip"] else command.program
    options = _UNVERIFIED.get(name, ())
    for option in options:
        if command.has(option):
            return f"{name} {option}"
    for word in (*command.words, *command.assigned):
        if _OFF.search(word):
            what = "trusted=yes" if "trusted=yes" in word.lower() else word.partition("=")[0][:60]
            return f"{command.program} with {what}"
    if "strict-ssl" in command.called and "false" in command.called:
        return f"{command.program} strict-ssl false"
    if "http.sslVerify" in command.called and "false" in command.called:
        return "git http.sslVerify false"
    exported = command.called[1:] if command.program == "export" else []
    return next((word.partition("=")[0] for word in (*command.assigned, *exported) if _variable_off(word)), None)


def _variable_off(word: str) -> bool:
    name, is_set, value = word.partition("=")
    return bool(is_set) and name in _VARIABLES_OFF and value.strip("'\"").lower() in _VARIABLES_OFF[name]


def _plain_http(file: BuildFile) -> Iterator[Spot]:
    for _, commands in file.commands():
        for command in commands:
            address = next((word for word in command.called[1:] if word.lower().startswith("http://")), "")
            if command.program in _FETCHERS and address and not re.match(r"http://(?:localhost|127\.)", address):
                yield Spot(command.line, f"{command.program} fetches {_without_credentials(address)} without TLS")


def _without_credentials(address: str) -> str:
    """An address for a message: without what stands before @ and behind ?."""
    return re.sub(r"//[^/@]*@", "//", address).partition("?")[0][:150]


CHECKS: Final[tuple[FileRule[BuildFile], ...]] = (
    declare(
        _add_remote,
        "dockerfile-add-remote",
        Severity.MEDIUM,
        "ADD fetches from an address",
        "Whatever the address serves that day becomes part of the image.",
        "Give --checksum=sha256:… (or #COMMIT for git), or fetch it in a RUN that checks a digest.",
        "CIS Docker 4.9",
        "CWE-494",
    ),
    declare(
        _add_local,
        "dockerfile-add-instead-of-copy",
        Severity.LOW,
        "ADD stands where COPY would do",
        "ADD unpacks archives and fetches addresses: a file that changes its form changes the image.",
        "Write COPY.",
        "CIS Docker 4.9",
    ),
    declare(
        _piped,
        "dockerfile-download-run",
        Severity.HIGH,
        "Something is fetched and run at once",
        "Nobody has seen what runs: it may be other code for this build than for everybody else.",
        "Fetch it into a file, check its digest or signature, and run it then.",
        "CIS Docker 4.11",
        "CWE-494",
    ),
    declare(
        _unverified,
        "dockerfile-download-unverified",
        Severity.HIGH,
        "The check of what is fetched is turned off",
        "Anybody on the way can put other content into the image.",
        "Leave the option out, and add the certificate or key that is missing.",
        "CIS Docker 4.11",
        "CWE-295",
    ),
    declare(
        _plain_http,
        "dockerfile-download-without-tls",
        Severity.MEDIUM,
        "Something is fetched without TLS",
        "Anybody on the way can put other content into the image.",
        "Fetch it from an https address, or check its digest.",
        "CIS Docker 4.11",
        "CWE-319",
    ),
)
