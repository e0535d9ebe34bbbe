"""The controls of the level `baseline`: known ways from a pod to its node."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from lading.kernel.severity import Severity
from lading.supply_chain.checks.files.capabilities import name_of
from lading.supply_chain.checks.files.file_rule import FileRule, Spot, declare
from lading.supply_chain.checks.files.node import Node
from lading.supply_chain.checks.kubernetes.objects import Container, ManifestFile, Pod

BASELINE: Final = "Pod Security Standards baseline"
_APPARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"
_CAPABILITIES: Final = frozenset({
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
    "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
})  # fmt: skip
_SELINUX_TYPES: Final = frozenset({"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"})
_SYSCTLS: Final = frozenset(
    {"kernel.shm_rmid_forced"}
    | {f"net.ipv4.{name}" for name in (
        "ip_local_port_range", "ip_unprivileged_port_start", "ip_local_reserved_ports", "ping_group_range",
        "tcp_syncookies", "tcp_keepalive_time", "tcp_keepalive_intvl", "tcp_keepalive_probes", "tcp_fin_timeout",
        "tcp_rmem", "tcp_wmem", "tcp_slow_start_after_idle", "tcp_notsent_lowat",
    )}
)  # fmt: skip
_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")


def places(pod: Pod) -> Iterator[tuple[Pod | Container, Node]]:
    """The security settings of a pod and of each of its containers."""
    yield pod, pod.security
    for container in pod.containers:
        yield container, container.security


def _said(whose: Pod | Container) -> str:
    return str(whose) if isinstance(whose, Container) else str(whose.owner)


def _of_pods(check: Callable[[Pod], Iterator[Spot]]) -> Callable[[ManifestFile], Iterator[Spot]]:
    return lambda file: (spot for pod in file.pods for spot in check(pod))


def _host_process(pod: Pod) -> Iterator[Spot]:
    for whose, security in places(pod):
        node = security.at("windowsOptions", "hostProcess")
        if node.is_true:
            yield Spot(node.line, f"{_said(whose)} runs as a process of the Windows host")


def _host_namespace(key: str, what: str) -> Callable[[Pod], Iterator[Spot]]:
    def check(pod: Pod) -> Iterator[Spot]:
        if pod.spec[key].is_true:
            yield Spot(pod.spec[key].line, f"{pod.owner} shares {what} of its node")

    return check


def _privileged(pod: Pod) -> Iterator[Spot]:
    for container in pod.containers:
        node = container.security["privileged"]
        if node.is_true:
            yield Spot(node.line, f"{container} is privileged")


def _capability_added(pod: Pod) -> Iterator[Spot]:
    for container in pod.containers:
        for item in container.security.at("capabilities", "add"):
            # Kubernetes compares as it is written, so a name with CAP_ is not on the list either.
            if item.text not in _CAPABILITIES:
                yield Spot(item.line, f"{container} is given {name_of(item.text)[:40]}")


def _host_path(pod: Pod) -> Iterator[Spot]:
    for volume in pod.spec["volumes"]:
        if "hostPath" in volume:
            node = volume["hostPath"]
            yield Spot(node.line, f"{pod.owner} mounts {node['path'].text[:100] or 'a path'} of its node")


def _host_port(pod: Pod) -> Iterator[Spot]:
    for container in pod.containers:
        for port in container.node["ports"]:
            node = port["hostPort"]
            if node.there and node.number != 0:
                yield Spot(node.line, f"{container} takes port {node.text[:20]} of its node")


def _probe_host(pod: Pod) -> Iterator[Spot]:
    for container in pod.containers:
        handlers = [container.node[probe] for probe in _PROBES]
        handlers += [container.node.at("lifecycle", hook) for hook in ("postStart", "preStop")]
        for handler in handlers:
            for kind in ("httpGet", "tcpSocket"):
                node = handler.at(kind, "host")
                if node.text:
                    yield Spot(node.line, f"{container} has the node ask {node.text[:100]}")


def _apparmor(pod: Pod) -> Iterator[Spot]:
    for key, node in pod.metadata["annotations"].entries():
        allowed = node.text in ("", "runtime/default") or node.text.startswith("localhost/")
        if key.startswith(_APPARMOR) and not allowed:
            yield Spot(node.line, f"{pod.owner} runs a container without AppArmor")
    for whose, security in places(pod):
        node = security.at("appArmorProfile", "type")
        if node.there and node.text not in ("RuntimeDefault", "Localhost"):
            yield Spot(node.line, f"{_said(whose)} runs without AppArmor")


def _selinux(pod: Pod) -> Iterator[Spot]:
    for whose, security in places(pod):
        options = security["seLinuxOptions"]
        if options["type"].text not in _SELINUX_TYPES:
            yield Spot(options["type"].line, f"{_said(whose)} has the SELinux type {options['type'].text[:60]}")
        for key in ("user", "role"):
            if options[key].text:
                yield Spot(options[key].line, f"{_said(whose)} sets the SELinux {key}")


def _proc_mount(pod: Pod) -> Iterator[Spot]:
    for container in pod.containers:
        node = container.security["procMount"]
        if node.there and node.text != "Default" and not pod.own_users:
            yield Spot(node.line, f"{container} sees all of /proc")


def _seccomp_off(pod: Pod) -> Iterator[Spot]:
    for whose, security in places(pod):
        node = security.at("seccompProfile", "type")
        if node.there and node.text not in ("RuntimeDefault", "Localhost"):
            yield Spot(node.line, f"{_said(whose)} may make every system call")


def _sysctl(pod: Pod) -> Iterator[Spot]:
    for item in pod.security["sysctls"]:
        if item["name"].text not in _SYSCTLS:
            yield Spot(item.line, f"{pod.owner} sets {item['name'].text[:100]}")


CHECKS: Final[tuple[FileRule[ManifestFile], ...]] = (
    declare(
        _of_pods(_host_process),
        "kubernetes-host-process",
        Severity.HIGH,
        "A container runs as a process of its Windows host",
        "It has the host's rights and files; nothing separates it.",
        "Remove windowsOptions.hostProcess.",
        BASELINE,
        "CIS Kubernetes 5.2.10",
    ),
    declare(
        _of_pods(_host_namespace("hostNetwork", "the network")),
        "kubernetes-host-network",
        Severity.HIGH,
        "A pod shares the network of its node",
        "It reaches what listens on the node only, past every NetworkPolicy, and can listen to others.",
        "Remove hostNetwork.",
        BASELINE,
        "CIS Kubernetes 5.2.5",
    ),
    declare(
        _of_pods(_host_namespace("hostPID", "the processes")),
        "kubernetes-host-pid",
        Severity.HIGH,
        "A pod shares the processes of its node",
        "It sees every process of the node with its variables, and can stop it.",
        "Remove hostPID.",
        BASELINE,
        "CIS Kubernetes 5.2.3",
    ),
    declare(
        _of_pods(_host_namespace("hostIPC", "the memory between processes")),
        "kubernetes-host-ipc",
        Severity.HIGH,
        "A pod shares the memory between processes of its node",
        "It can read and change what processes of the node share.",
        "Remove hostIPC.",
        BASELINE,
        "CIS Kubernetes 5.2.4",
    ),
    declare(
        _of_pods(_privileged),
        "kubernetes-privileged",
        Severity.HIGH,
        "A container is privileged",
        "It has every capability and device: whoever takes it over has the node, and all pods on it.",
        "Remove privileged, and give the one capability that is needed.",
        BASELINE,
        "CIS Kubernetes 5.2.2",
        "CWE-250",
    ),
    declare(
        _of_pods(_capability_added),
        "kubernetes-capability-added",
        Severity.HIGH,
        "A container is given a capability beyond the usual ones",
        "Many of them lead to the node, or to what others send.",
        "Remove it from capabilities.add.",
        BASELINE,
        "CIS Kubernetes 5.2.9",
    ),
    declare(
        _of_pods(_host_path),
        "kubernetes-host-path",
        Severity.MEDIUM,
        "A pod mounts a path of its node",
        "What lies there belongs to the node and to other pods, and stays when the pod is gone.",
        "Use a persistent volume, an emptyDir or a projected volume.",
        BASELINE,
        "CIS Kubernetes 5.2.11",
    ),
    declare(
        _of_pods(_host_port),
        "kubernetes-host-port",
        Severity.MEDIUM,
        "A container takes a port of its node",
        "It is reached past Services and NetworkPolicies, and fits only once on a node.",
        "Remove hostPort, and use a Service.",
        BASELINE,
        "CIS Kubernetes 5.2.12",
    ),
    declare(
        _of_pods(_probe_host),
        "kubernetes-probe-host",
        Severity.MEDIUM,
        "A probe or hook names a host",
        "The node asks whatever address the manifest says: others can be reached through it.",
        "Remove host; the pod's own address is the default.",
        BASELINE,
        "CWE-918",
    ),
    declare(
        _of_pods(_apparmor),
        "kubernetes-apparmor-off",
        Severity.MEDIUM,
        "A container runs without AppArmor",
        "The profile keeps a container from parts of /proc and /sys that change the node.",
        "Use RuntimeDefault, or a profile of your own.",
        BASELINE,
    ),
    declare(
        _of_pods(_selinux),
        "kubernetes-selinux-options",
        Severity.MEDIUM,
        "A container has SELinux options that widen its rights",
        "Labels keep a container from the files of its node and of other containers.",
        "Leave out user, role, and types that are not of containers.",
        BASELINE,
    ),
    declare(
        _of_pods(_proc_mount),
        "kubernetes-proc-mount",
        Severity.MEDIUM,
        "A container sees all of /proc",
        "Parts of /proc are hidden because they change or show the node.",
        "Remove procMount.",
        BASELINE,
    ),
    declare(
        _of_pods(_seccomp_off),
        "kubernetes-seccomp-off",
        Severity.HIGH,
        "A container may make every system call",
        "Calls that containers do not need are those that flaws of the kernel are reached through.",
        "Use the seccomp profile RuntimeDefault.",
        BASELINE,
        "CIS Kubernetes 5.6.2",
    ),
    declare(
        _of_pods(_sysctl),
        "kubernetes-sysctl",
        Severity.MEDIUM,
        "A pod sets a kernel parameter that reaches beyond it",
        "Parameters that are not of the pod alone change the node for all others.",
        "Remove it, or set it on the node.",
        BASELINE,
    ),
)
