"""The rules about how an image is set up. Numbers of the CIS Docker Benchmark are those of version 1.6.0."""

from __future__ import annotations

from typing import Final

from lading.kernel.severity import Severity
from lading.supply_chain.checks.rule import Rule


def _rule(
    identity: str, severity: Severity, title: str, why: str, remedy: str, references: tuple[str, ...] = ()
) -> Rule:
    return Rule(
        id=f"image-{identity}",
        kind="misconfiguration",
        title=title,
        severity=severity,
        why=why,
        remedy=remedy,
        references=references,
    )


# How it runs

RUNS_AS_ROOT: Final = _rule(
    "runs-as-root",
    Severity.MEDIUM,
    "The image runs as root",
    "Whoever takes over the program is root in the container, one flaw of the kernel away from the host.",
    "Add a user, and end the Dockerfile with USER and its number.",
    ("CIS Docker 4.1", "CWE-250"),
)
USER_UNKNOWN: Final = _rule(
    "user-unknown",
    Severity.MEDIUM,
    "The image names a user whom it does not know",
    "An engine refuses to start it, or somebody mounts a passwd file in which that name is anybody.",
    "Create the user in the Dockerfile, or name it by its number.",
    ("CIS Docker 4.1",),
)
NO_HEALTH_CHECK: Final = _rule(
    "without-health-check",
    Severity.LOW,
    "The image has no health check",
    "Nobody notices a program that hangs: it is there, so it counts as running.",
    "Add HEALTHCHECK to the Dockerfile, or a health check where the image is deployed.",
    ("CIS Docker 4.6",),
)
REMOTE_PORT: Final = _rule(
    "exposes-remote-access",
    Severity.MEDIUM,
    "The image exposes a port by which machines are administered",
    "What answers there is made to hand the container, or its engine, to whoever holds one password or key.",
    "Remove that service and its EXPOSE; use the engine's own exec instead.",
    ("CIS Docker 5.7", "CIS Docker 5.9"),
)
DATABASE_PORT: Final = _rule(
    "exposes-database",
    Severity.LOW,
    "The image exposes the port of a database",
    "A port that is exposed is published by a single word, and databases are looked for on all addresses there are.",
    "Leave the port unpublished; reach the database through a network of the application.",
    ("CIS Docker 5.9",),
)
PRIVILEGED_PORT: Final = _rule(
    "exposes-privileged-port",
    Severity.LOW,
    "The image exposes a port below 1024",
    "A program often has to start as root, or to have a capability, to listen there.",
    "Let the program listen above 1023 and map the port where it is published.",
    ("CIS Docker 5.8",),
)

# What is in it

SETUID_UNOWNED: Final = _rule(
    "setuid-unowned",
    Severity.HIGH,
    "A program that no package brought runs with the rights of its owner",
    "Everybody in the container becomes its owner by way of it, and no distribution mends it.",
    "Take the setuid or setgid bit away with chmod, or remove the program.",
    ("CIS Docker 4.8", "CWE-250"),
)
SETUID_PACKAGED: Final = _rule(
    "setuid-packaged",
    Severity.LOW,
    "Programs of the distribution run with the rights of their owner",
    "A container seldom needs su, mount or passwd; each of them has had flaws that made root of anybody.",
    "Take their setuid and setgid bits away at the end of the build, or start from a base without them.",
    ("CIS Docker 4.8",),
)
WRITABLE: Final = _rule(
    "world-writable",
    Severity.LOW,
    "Everybody may write to it",
    "Any program in the container, whoever it runs as, may change what others read or run there.",
    "Give it to the user that needs it with chown, and take the rest away with chmod o-w.",
    ("CWE-732",),
)
DEVICE: Final = _rule(
    "device-node",
    Severity.HIGH,
    "There is a device node in a layer",
    "By it a container that may open devices reaches disks or memory of the host.",
    "Remove it; engines make the devices that a container needs.",
)
OPEN_ROOT: Final = _rule(
    "root-without-password",
    Severity.CRITICAL,
    "Root has an empty password",
    "Everybody in the container who can start su, login or an ssh server is root.",
    "Lock the password in the Dockerfile: passwd -l root.",
    ("CWE-258", "CWE-521"),
)
OPEN_ACCOUNT: Final = _rule(
    "account-without-password",
    Severity.MEDIUM,
    "An account has an empty password",
    "Everybody in the container who can start su, login or an ssh server is that user.",
    "Lock the password in the Dockerfile with passwd -l.",
    ("CWE-258", "CWE-521"),
)
SSH_SERVER: Final = _rule(
    "has-ssh-server",
    Severity.MEDIUM,
    "An ssh server is installed",
    "It is a second way in, with keys and passwords of its own that nobody here rotates or records.",
    "Remove it; use the engine's own exec instead.",
    ("CIS Docker 5.7",),
)
SUDO: Final = _rule(
    "has-sudo",
    Severity.LOW,
    "A program that makes root of users is installed",
    "An image that ends with USER has no use for it, an attacker has.",
    "Remove it; switch users in the Dockerfile with USER, and at the start with setpriv or gosu.",
    ("CIS Docker 4.3", "CWE-250"),
)
VERSIONS: Final = _rule(
    "has-version-control",
    Severity.MEDIUM,
    "The whole history of the source is in the image",
    "It holds every file that was ever committed, deleted secrets too; web servers have served it to anybody.",
    "Exclude it in .dockerignore.",
    ("CWE-527",),
)
CACHE: Final = _rule(
    "has-package-cache",
    Severity.LOW,
    "A package manager left its cache",
    "It is pulled and kept everywhere, and nothing reads it.",
    "Remove it in the same RUN that fills it, or let the build mount it as a cache.",
)

# How it was built

ADDS_URL: Final = _rule(
    "adds-url",
    Severity.MEDIUM,
    "A build step adds what an address serves, unchecked",
    "The next build may get other content, and nobody would notice.",
    "Give ADD a --checksum, or fetch it in RUN and compare its digest.",
    ("CIS Docker 4.9", "CWE-494"),
)
PIPES_TO_SHELL: Final = _rule(
    "pipes-download-to-shell",
    Severity.MEDIUM,
    "A build step runs what it downloads without looking",
    "Whoever answers at that address decides what is in the image.",
    "Download a fixed version, compare its digest, then run it.",
    ("CIS Docker 4.11", "CWE-494"),
)
UNVERIFIED: Final = _rule(
    "skips-verification",
    Severity.MEDIUM,
    "A build step turns off the verification of what it downloads",
    "Anybody on the way may put something else in its place.",
    "Leave the option out; install the certificate or key that is missing.",
    ("CIS Docker 4.11", "CWE-295"),
)
UPGRADES: Final = _rule(
    "upgrades-while-building",
    Severity.LOW,
    "A build step upgrades all packages",
    "Which versions come depends on the day, and the old ones stay below as layers that everybody pulls.",
    "Start from a newer base and build again when it has fixes.",
    ("CIS Docker 4.4",),
)
UPDATES_ALONE: Final = _rule(
    "updates-index-alone",
    Severity.LOW,
    "A build step updates the index of packages and installs nothing",
    "The step is cached: later steps install by an index of long ago, without the fixes since.",
    "Update and install in one RUN.",
    ("CIS Docker 4.7",),
)
LATEST_BASE: Final = _rule(
    "base-not-pinned",
    Severity.LOW,
    "The base is named by a tag that moves",
    "The next build may start from another image, and nobody can say which one this was.",
    "Name a version, best with its digest.",
)

RULES: Final[tuple[Rule, ...]] = (
    RUNS_AS_ROOT, USER_UNKNOWN, NO_HEALTH_CHECK, REMOTE_PORT, DATABASE_PORT, PRIVILEGED_PORT, SETUID_UNOWNED,
    SETUID_PACKAGED, WRITABLE, DEVICE, OPEN_ROOT, OPEN_ACCOUNT, SSH_SERVER, SUDO, VERSIONS, CACHE, ADDS_URL,
    PIPES_TO_SHELL, UNVERIFIED, UPGRADES, UPDATES_ALONE, LATEST_BASE,
)  # fmt: skip
