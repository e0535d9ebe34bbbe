"""Rules about workloads beyond the Pod Security Standards: limits, probes, tokens, images, the node's paths."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from lading.kernel.severity import Severity
from lading.supply_chain.checks.files.file_rule import FileRule, Spot, declare
from lading.supply_chain.checks.files.host_paths import is_engine_socket, is_sensitive
from lading.supply_chain.checks.files.image_names import fixed_by, shown
from lading.supply_chain.checks.kubernetes.objects import Container, ManifestFile, Pod


def _running(file: ManifestFile) -> Iterator[Container]:
    """The containers that stay: of those that prepare a pod only the ones that go on beside it."""
    for container in file.containers:
        beside = container.role == "initContainers" and container.node["restartPolicy"].text == "Always"
        if container.role == "containers" or beside:
            yield container


def _unlimited(resource: str, what: str) -> Callable[[ManifestFile], Iterator[Spot]]:
    def check(file: ManifestFile) -> Iterator[Spot]:
        for container in _running(file):
            resources = container.node["resources"]
            if (
                not resources.at("limits", resource).text
                and not container.pod.spec.at("resources", "limits", resource).text
            ):
                yield Spot(resources["limits"].line, f"{container} may take {what} of its node")

    return check


def _requests(file: ManifestFile) -> Iterator[Spot]:
    for container in _running(file):
        resources = container.node["resources"]
        missing = [
            name
            for name in ("cpu", "memory")
            if not (resources.at("requests", name).text or resources.at("limits", name).text)
            and not container.pod.spec.at("resources", "requests", name).text
        ]
        if missing:
            yield Spot(resources["requests"].line, f"{container} requests no {' and no '.join(missing)}")


def _no_probe(probe: str, what: str) -> Callable[[ManifestFile], Iterator[Spot]]:
    def check(file: ManifestFile) -> Iterator[Spot]:
        for container in _running(file):
            if not container.pod.runs_once and not container.node[probe].there:
                yield Spot(container.node.line, f"{container} has no {what} probe")

    return check


def _writable_root(file: ManifestFile) -> Iterator[Spot]:
    for container in file.containers:
        node = container.security["readOnlyRootFilesystem"]
        if not node.is_true and not container.pod.on_windows:
            yield Spot(node.line, f"{container} can write to its root file system")


def _account(pod: Pod) -> str:
    return pod.spec["serviceAccountName"].text or pod.spec["serviceAccount"].text or "default"


def _has_token(pod: Pod, file: ManifestFile) -> bool:
    """Whether the token of its account is mounted because nobody said that it should not be."""
    said = pod.spec["automountServiceAccountToken"]
    return not said.there and (pod.owner.namespace, _account(pod)) not in file.around.without_token


def _token(file: ManifestFile) -> Iterator[Spot]:
    for pod in file.pods:
        if _has_token(pod, file):
            yield Spot(pod.spec.line, f"{pod.owner} gets a token for the API without asking for it")


def _default_account(file: ManifestFile) -> Iterator[Spot]:
    for pod in file.pods:
        if _account(pod) == "default" and (_has_token(pod, file) or pod.spec["automountServiceAccountToken"].is_true):
            yield Spot(pod.spec["serviceAccountName"].line, f"{pod.owner} acts as the default account of its namespace")


def _moving(file: ManifestFile) -> Iterator[Spot]:
    for container in file.containers:
        node = container.node["image"]
        if fixed_by(node.text) == "moving":
            yield Spot(node.line, f"{container}: {shown(node.text)} has no version")


def _without_digest(file: ManifestFile) -> Iterator[Spot]:
    for container in file.containers:
        node = container.node["image"]
        if fixed_by(node.text) == "tag":
            yield Spot(node.line, f"{container}: {shown(node.text)} is named by a tag only")


def _node_paths(pod: Pod) -> Iterator[tuple[int, str, bool]]:
    """Line and path of the mounted paths of the node, and whether every container mounts it for reading only."""
    for volume in pod.spec["volumes"]:
        path = volume.at("hostPath", "path")
        name = volume["name"].text
        mounts = [mount for one in pod.containers for mount in one.node["volumeMounts"] if mount["name"].text == name]
        if path.text:
            yield path.line, path.text, bool(mounts) and all(mount["readOnly"].is_true for mount in mounts)


def _socket(file: ManifestFile) -> Iterator[Spot]:
    for pod in file.pods:
        for line, path, _ in _node_paths(pod):
            if is_engine_socket(path):
                yield Spot(line, f"{pod.owner} mounts {path[:100]}")


def _sensitive(file: ManifestFile) -> Iterator[Spot]:
    for pod in file.pods:
        for line, path, read_only in _node_paths(pod):
            if is_sensitive(path, read_only) and not is_engine_socket(path):
                yield Spot(line, f"{pod.owner} can {'read' if read_only else 'write to'} {path[:100]} of its node")


_LIMITS: Final = "One container that runs wild takes what all others on the node need."
CHECKS: Final[tuple[FileRule[ManifestFile], ...]] = (
    declare(
        _unlimited("memory", "all memory"),
        "kubernetes-memory-unlimited",
        Severity.LOW,
        "A container has no limit of memory",
        _LIMITS,
        "Set resources.limits.memory.",
        "CWE-770",
    ),
    declare(
        _unlimited("cpu", "all processors"),
        "kubernetes-cpu-unlimited",
        Severity.LOW,
        "A container has no limit of processors",
        _LIMITS,
        "Set resources.limits.cpu.",
        "CWE-770",
    ),
    declare(
        _requests,
        "kubernetes-requests-missing",
        Severity.LOW,
        "A container does not say what it needs",
        "It is put where there is no room for it, and is among the first to be stopped when memory ends.",
        "Set resources.requests.cpu and memory.",
    ),
    declare(
        _no_probe("livenessProbe", "liveness"),
        "kubernetes-liveness-probe-missing",
        Severity.LOW,
        "A container has no liveness probe",
        "A program that hangs is not started again.",
        "Add livenessProbe.",
    ),
    declare(
        _no_probe("readinessProbe", "readiness"),
        "kubernetes-readiness-probe-missing",
        Severity.LOW,
        "A container has no readiness probe",
        "It gets requests before it can answer them.",
        "Add readinessProbe.",
    ),
    declare(
        _writable_root,
        "kubernetes-root-writable",
        Severity.LOW,
        "A container can write to its root file system",
        "Whoever takes it over can leave programs there and change those that are.",
        "Set readOnlyRootFilesystem: true, with emptyDir where it has to write.",
        "CIS Kubernetes 5.6.3",
    ),
    declare(
        _token,
        "kubernetes-token-mounted",
        Severity.LOW,
        "A pod gets a token for the API without asking for it",
        "Whoever takes the pod over speaks to the API in its name.",
        "Set automountServiceAccountToken: false, or true where the pod needs it.",
        "CIS Kubernetes 5.1.6",
    ),
    declare(
        _default_account,
        "kubernetes-default-account",
        Severity.LOW,
        "A pod acts as the default account of its namespace",
        "Rights that one pod is given through it, all pods there have.",
        "Give it a service account of its own, or no token.",
        "CIS Kubernetes 5.1.5",
    ),
    declare(
        _moving,
        "kubernetes-image-without-version",
        Severity.MEDIUM,
        "An image is taken without a version",
        "What runs depends on the day and on the node that pulled it.",
        "Name a version, better a digest.",
    ),
    declare(
        _without_digest,
        "kubernetes-image-without-digest",
        Severity.LOW,
        "An image is taken by its tag, not by its digest",
        "A tag can be moved to other content by whoever may push it.",
        "Add @sha256:… to the tag.",
    ),
    declare(
        _socket,
        "kubernetes-engine-socket",
        Severity.HIGH,
        "A pod has the socket of the container engine",
        "Whoever can write to it can start a privileged container, and has the node.",
        "Remove the mount.",
        "CIS Kubernetes 5.2.11",
        "CIS Docker 5.32",
        "CWE-250",
    ),
    declare(
        _sensitive,
        "kubernetes-host-path-sensitive",
        Severity.HIGH,
        "A pod mounts a system directory of its node",
        "Keys of the node and the state of all pods lie there; what is written there, the node runs or believes.",
        "Remove the mount, or mount the one file that is needed with readOnly: true.",
        "CIS Kubernetes 5.2.11",
    ),
)
