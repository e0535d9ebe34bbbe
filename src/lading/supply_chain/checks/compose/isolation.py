"""Rules about what separates a service from its host: namespaces, capabilities, profiles, users, mounts, devices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from lading.kernel.severity import Severity
from lading.supply_chain.checks.compose.file import ComposeFile, Service
from lading.supply_chain.checks.files.capabilities import is_dangerous, name_of
from lading.supply_chain.checks.files.file_rule import FileRule, Spot, declare
from lading.supply_chain.checks.files.host_paths import is_engine_socket, is_sensitive


def of_each(check: Callable[[Service], Iterable[Spot]]) -> Callable[[ComposeFile], Iterator[Spot]]:
    """A check of one service, asked of every service."""

    def checked(file: ComposeFile) -> Iterator[Spot]:
        for service in file.services:
            yield from check(service)

    return checked


def _privileged(service: Service) -> Iterator[Spot]:
    node = service.node["privileged"]
    if node.is_true:
        yield Spot(node.line, f"{service.name} is privileged")


def _namespace(key: str, what: str) -> Callable[[Service], Iterator[Spot]]:
    def check(service: Service) -> Iterator[Spot]:
        node = service.node[key]
        if node.text == "host":
            yield Spot(node.line, f"{service.name} shares {what} of the host")

    return check


def _capability_added(service: Service) -> Iterator[Spot]:
    for item in service.node["cap_add"]:
        if is_dangerous(item.text):
            yield Spot(item.line, f"{service.name} is given {name_of(item.text)[:40]}")


def _capabilities_kept(service: Service) -> Iterator[Spot]:
    dropped = {name_of(text) for text in service.node["cap_drop"].texts()}
    if service.whole and "ALL" not in dropped and not service.node["privileged"].is_true:
        yield Spot(service.node["cap_drop"].line, f"{service.name} keeps the engine's usual capabilities")


def _new_privileges(service: Service) -> Iterator[Spot]:
    said = [text for _, text in service.options() if text.startswith("no-new-privileges")]
    if service.whole and not any(text in ("no-new-privileges", "no-new-privileges:true") for text in said):
        yield Spot(
            service.node["security_opt"].line, f"{service.name} may gain privileges that it was not started with"
        )


def _profile(name: str, *values: str) -> Callable[[Service], Iterator[Spot]]:
    def check(service: Service) -> Iterator[Spot]:
        for line, text in service.options():
            if text in values:
                yield Spot(line, f"{service.name} runs without {name}")

    return check


def _writable_root(service: Service) -> Iterator[Spot]:
    node = service.node["read_only"]
    if service.whole and not node.is_true and "$" not in node.text:
        yield Spot(node.line, f"{service.name} can write to its root file system")


def _root(service: Service) -> Iterator[Spot]:
    node = service.node["user"]
    user = node.text.partition(":")[0]
    if user == "root" or (user and not user.strip("0")):
        yield Spot(node.line, f"{service.name} runs as root")


def _no_user(service: Service) -> Iterator[Spot]:
    if service.whole and not service.node["user"].there:
        yield Spot(service.line, f"{service.name} sets no user, so its image decides, and may say root")


def _socket(service: Service) -> Iterator[Spot]:
    for mount in service.mounts():
        if is_engine_socket(mount.source):
            said = "read-only, which does not keep it from being written to" if mount.read_only else "for writing"
            yield Spot(mount.line, f"{service.name} mounts {mount.source[:100]} ({said})")


def _host_path(read_only: bool) -> Callable[[Service], Iterator[Spot]]:
    def check(service: Service) -> Iterator[Spot]:
        for mount in service.mounts():
            sensitive = is_sensitive(mount.source, mount.read_only) and not is_engine_socket(mount.source)
            if sensitive and mount.read_only is read_only:
                yield Spot(mount.line, f"{service.name} mounts {mount.source[:100]} of the host")

    return check


def _propagation(service: Service) -> Iterator[Spot]:
    for mount in service.mounts():
        if mount.propagation in ("shared", "rshared"):
            yield Spot(mount.line, f"{service.name} hands its mounts below {mount.source[:100]} on to the host")


def _device(service: Service) -> Iterator[Spot]:
    for key in ("devices", "device_cgroup_rules"):
        for item in service.node[key]:
            said = item.text.partition(":")[0] or item["source"].text or "a device"
            yield Spot(item.line, f"{service.name} is given {said[:100]}")


_HOST: Final = "What separates the container from the host is gone in this place."
CHECKS: Final[tuple[FileRule[ComposeFile], ...]] = (
    declare(
        of_each(_privileged),
        "compose-privileged",
        Severity.HIGH,
        "A service is privileged",
        "It has every capability and device: whoever takes it over has the host.",
        "Remove privileged, and give the one capability or device that is needed.",
        "CIS Docker 5.5",
        "CWE-250",
    ),
    declare(
        of_each(_namespace("network_mode", "the network")),
        "compose-host-network",
        Severity.HIGH,
        "A service shares the network of the host",
        "It sees all traffic, and reaches what listens on the host only.",
        "Remove network_mode: host, and publish the ports that are needed.",
        "CIS Docker 5.10",
    ),
    declare(
        of_each(_namespace("pid", "the processes")),
        "compose-host-pid",
        Severity.HIGH,
        "A service shares the processes of the host",
        "It sees every process of the host with its variables, and can stop it.",
        "Remove pid: host.",
        "CIS Docker 5.16",
    ),
    declare(
        of_each(_namespace("ipc", "the memory between processes")),
        "compose-host-ipc",
        Severity.HIGH,
        "A service shares the memory between processes of the host",
        "It can read and change what processes of the host share.",
        "Remove ipc: host.",
        "CIS Docker 5.17",
    ),
    declare(
        of_each(_namespace("userns_mode", "the user numbers")),
        "compose-host-users",
        Severity.MEDIUM,
        "A service shares the user numbers of the host",
        "Root in the container is root of the host, also where the engine would keep them apart.",
        "Remove userns_mode: host.",
        "CIS Docker 5.31",
    ),
    declare(
        of_each(_namespace("uts", "the name")),
        "compose-host-uts",
        Severity.MEDIUM,
        "A service shares the name of the host",
        "It can change the name of the host.",
        "Remove uts: host.",
        "CIS Docker 5.21",
    ),
    declare(
        of_each(_namespace("cgroup", "the control groups")),
        "compose-host-cgroup",
        Severity.MEDIUM,
        "A service shares the control groups of the host",
        _HOST,
        "Remove cgroup: host.",
        "CIS Docker 5.25",
    ),
    declare(
        of_each(_capability_added),
        "compose-capability-added",
        Severity.HIGH,
        "A service is given a capability that leads out of its container",
        "With it, whoever takes the service over can take over the host or listen to others.",
        "Remove it from cap_add.",
        "CIS Docker 5.4",
    ),
    declare(
        of_each(_capabilities_kept),
        "compose-capabilities-not-dropped",
        Severity.LOW,
        "A service keeps capabilities that it does not need",
        "The engine gives fourteen of them by itself; most programs need none.",
        "Write cap_drop: [ALL], and add back what is needed.",
        "CIS Docker 5.4",
    ),
    declare(
        of_each(_new_privileges),
        "compose-new-privileges",
        Severity.LOW,
        "A service may gain privileges",
        "A setuid program in the image makes root of any user.",
        "Write security_opt: [no-new-privileges:true].",
        "CIS Docker 5.26",
    ),
    declare(
        of_each(_profile("seccomp", "seccomp:unconfined")),
        "compose-seccomp-off",
        Severity.HIGH,
        "A service may make every system call",
        "Calls that containers do not need are those that flaws of the kernel are reached through.",
        "Remove seccomp:unconfined.",
        "CIS Docker 5.22",
    ),
    declare(
        of_each(_profile("AppArmor", "apparmor:unconfined")),
        "compose-apparmor-off",
        Severity.MEDIUM,
        "A service runs without AppArmor",
        "The profile keeps a container from parts of /proc and /sys that change the host.",
        "Remove apparmor:unconfined.",
        "CIS Docker 5.2",
    ),
    declare(
        of_each(_profile("SELinux", "label:disable", "label:type:spc_t", "label:type:unconfined_t")),
        "compose-selinux-off",
        Severity.MEDIUM,
        "A service runs without SELinux",
        "Labels keep a container from the files of the host and of other containers.",
        "Remove label:disable.",
        "CIS Docker 5.3",
    ),
    declare(
        of_each(_writable_root),
        "compose-root-writable",
        Severity.LOW,
        "A service can write to its root file system",
        "Whoever takes it over can leave programs there and change those that are.",
        "Write read_only: true, with tmpfs or volumes where it has to write.",
        "CIS Docker 5.13",
    ),
    declare(
        of_each(_root),
        "compose-user-root",
        Severity.MEDIUM,
        "A service runs as root",
        "Whoever takes over the program is root in the container, one flaw of the kernel away from the host.",
        "Write user: with the number of another user.",
        "CIS Docker 4.1",
        "CWE-250",
    ),
    declare(
        of_each(_no_user),
        "compose-user-missing",
        Severity.LOW,
        "A service sets no user",
        "Which user it runs as is up to the image, and mostly that is root.",
        "Write user: with the number of a user that is not root.",
        "CIS Docker 4.1",
    ),
    declare(
        of_each(_socket),
        "compose-engine-socket",
        Severity.HIGH,
        "A service has the socket of the container engine",
        "Whoever can write to it can start a privileged container, and has the host.",
        "Remove the mount, or put a proxy before it that lets only the needed calls pass.",
        "CIS Docker 5.32",
        "CWE-250",
    ),
    declare(
        of_each(_host_path(read_only=False)),
        "compose-host-path-writable",
        Severity.HIGH,
        "A service can write to a system directory of the host",
        "What it changes there, the host runs or believes.",
        "Mount a volume instead; where it only reads, add :ro.",
        "CIS Docker 5.6",
    ),
    declare(
        of_each(_host_path(read_only=True)),
        "compose-host-path-readable",
        Severity.MEDIUM,
        "A service can read a system directory of the host",
        "Keys, passwords and the state of others lie there.",
        "Mount only the file that it needs.",
        "CIS Docker 5.6",
    ),
    declare(
        of_each(_propagation),
        "compose-mount-shared",
        Severity.MEDIUM,
        "Mounts of a service appear on the host",
        "What it mounts in the container, the host sees too.",
        "Use private, the default, or rslave.",
        "CIS Docker 5.20",
    ),
    declare(
        of_each(_device),
        "compose-device",
        Severity.MEDIUM,
        "A service is given a device of the host",
        "It talks to the hardware past the checks of the file system.",
        "Remove it where it is not needed; for graphics cards use deploy.resources.reservations.devices.",
        "CIS Docker 5.18",
    ),
)
