"""The controls that the level `restricted` has beyond `baseline`: what a pod does not need, it must not have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from lading.kernel.severity import Severity
from lading.supply_chain.checks.files.file_rule import FileRule, Spot, declare
from lading.supply_chain.checks.kubernetes.objects import Container, ManifestFile
from lading.supply_chain.checks.kubernetes.pod_security.baseline import places

RESTRICTED: Final = "Pod Security Standards restricted"
_VOLUMES: Final = frozenset(
    {"name", "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected",
     "secret", "hostPath"}
)  # fmt: skip
_USUAL: Final = frozenset({
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "SETFCAP", "SETGID", "SETPCAP",
    "SETUID", "SYS_CHROOT",
})  # fmt: skip


def _of_containers(
    check: Callable[[Container], Iterator[Spot]], *, windows: bool = True
) -> Callable[[ManifestFile], Iterator[Spot]]:
    """A check of every container; those on Windows only where the control has a meaning there."""
    return lambda file: (spot for one in file.containers if windows or not one.pod.on_windows for spot in check(one))


def _volume(file: ManifestFile) -> Iterator[Spot]:
    for pod in file.pods:
        for volume in pod.spec["volumes"]:
            for kind, node in volume.entries():
                # A path of the node is a rule of its own.
                if kind not in _VOLUMES and node.there:
                    yield Spot(node.line, f"{pod.owner} has a volume of the kind {kind[:60]}")


def _escalation(container: Container) -> Iterator[Spot]:
    node = container.security["allowPrivilegeEscalation"]
    if not node.is_false:
        yield Spot(node.line, f"{container} may gain privileges that it was not started with")


def _non_root(container: Container) -> Iterator[Spot]:
    node = container.effective("runAsNonRoot")
    if not node.is_true and not container.pod.own_users:
        said = "may run as root" if not node.is_false else "says that it may run as root"
        yield Spot(node.line, f"{container} {said}")


def _root_user(file: ManifestFile) -> Iterator[Spot]:
    for pod in file.pods:
        for whose, security in places(pod):
            node = security["runAsUser"]
            if node.there and node.number == 0 and not pod.own_users:
                yield Spot(node.line, f"{whose if isinstance(whose, Container) else pod.owner} runs as user 0")


def _seccomp(container: Container) -> Iterator[Spot]:
    node = container.effective("seccompProfile", "type")
    if not node.there:
        yield Spot(container.security.line, f"{container} has no seccomp profile")


def _not_dropped(container: Container) -> Iterator[Spot]:
    capabilities = container.security["capabilities"]
    if "ALL" not in capabilities["drop"].texts():
        yield Spot(capabilities["drop"].line, f"{container} keeps the usual capabilities")


def _added(container: Container) -> Iterator[Spot]:
    for item in container.security.at("capabilities", "add"):
        if item.text in _USUAL:
            yield Spot(item.line, f"{container} adds {item.text[:40]}")


def _proc_mount(container: Container) -> Iterator[Spot]:
    node = container.security["procMount"]
    if node.there and node.text != "Default" and container.pod.own_users:
        yield Spot(node.line, f"{container} sees all of /proc")


CHECKS: Final[tuple[FileRule[ManifestFile], ...]] = (
    declare(
        _volume,
        "kubernetes-volume-type",
        Severity.LOW,
        "A pod has a volume of a kind that reaches past the cluster",
        "Such volumes carry addresses and rights of their own; persistent volumes keep them with the operators.",
        "Use a persistent volume claim.",
        RESTRICTED,
    ),
    declare(
        _of_containers(_escalation, windows=False),
        "kubernetes-privilege-escalation",
        Severity.MEDIUM,
        "A container may gain privileges",
        "A setuid program in the image makes root of any user.",
        "Set allowPrivilegeEscalation: false.",
        RESTRICTED,
        "CIS Kubernetes 5.2.6",
    ),
    declare(
        _of_containers(_non_root),
        "kubernetes-run-as-non-root",
        Severity.MEDIUM,
        "A container may run as root",
        "Whether it does is up to the image, and mostly that is root.",
        "Set runAsNonRoot: true, and runAsUser where the image names no number.",
        RESTRICTED,
        "CIS Kubernetes 5.2.7",
        "CWE-250",
    ),
    declare(
        _root_user,
        "kubernetes-user-root",
        Severity.HIGH,
        "A container runs as root",
        "Whoever takes over the program is root in the container, one flaw of the kernel away from the node.",
        "Set runAsUser to another number than 0.",
        RESTRICTED,
        "CIS Kubernetes 5.2.7",
        "CWE-250",
    ),
    declare(
        _of_containers(_seccomp, windows=False),
        "kubernetes-seccomp-unset",
        Severity.LOW,
        "A container has no seccomp profile",
        "Unless the node is set up otherwise, it may make every system call.",
        "Set seccompProfile.type: RuntimeDefault for the pod.",
        RESTRICTED,
        "CIS Kubernetes 5.6.2",
    ),
    declare(
        _of_containers(_not_dropped, windows=False),
        "kubernetes-capabilities-not-dropped",
        Severity.LOW,
        "A container keeps capabilities that it does not need",
        "The runtime gives fourteen of them by itself, raw packets among them; most programs need none.",
        "Set capabilities.drop: [ALL], and add NET_BIND_SERVICE where it is needed.",
        RESTRICTED,
        "CIS Kubernetes 5.2.8",
        "CIS Kubernetes 5.2.9",
    ),
    declare(
        _of_containers(_added, windows=False),
        "kubernetes-capability-kept",
        Severity.LOW,
        "A container adds a capability that most programs do not need",
        "Each one is a right of root that a flaw in the program gives away.",
        "Remove it from capabilities.add; only NET_BIND_SERVICE may stay.",
        RESTRICTED,
        "CIS Kubernetes 5.2.9",
    ),
    declare(
        _of_containers(_proc_mount),
        "kubernetes-proc-mount-own-users",
        Severity.LOW,
        "A container with user numbers of its own sees all of /proc",
        "Parts of /proc are hidden because they change or show the node; user numbers of its own make that milder.",
        "Remove procMount.",
        RESTRICTED,
    ),
)
