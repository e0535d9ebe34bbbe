"""Kubernetes objects as their rules see them: what they are, the pods that they make, and the containers of those.

Source: the Kubernetes API reference ("Workload Resources", "Pod", "Container"). A kind that is not known but has a pod
template where workloads have theirs is taken as a workload.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal

from lading.supply_chain.checks.files.node import Node

Role = Literal["containers", "initContainers", "ephemeralContainers"]
_ROLES: Final[tuple[Role, ...]] = ("containers", "initContainers", "ephemeralContainers")
_POD_PATHS: Final[dict[str, tuple[str, ...]]] = {
    "Pod": (),
    "PodTemplate": ("template",),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
_USUAL_PATH: Final = ("spec", "template")
_RBAC: Final = "rbac.authorization.k8s.io"
_GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "Service": ("",), "Secret": ("",), "ConfigMap": ("",), "Namespace": ("",), "ServiceAccount": ("",), "Pod": ("",),
    "Role": (_RBAC,), "ClusterRole": (_RBAC,), "RoleBinding": (_RBAC,), "ClusterRoleBinding": (_RBAC,),
    "Ingress": ("networking.k8s.io", "extensions"),
}  # fmt: skip


@dataclass(frozen=True)
class Object:
    """One object. `line` is where it begins."""

    kind: str
    group: str
    name: str
    namespace: str
    line: int
    node: Node

    def __str__(self) -> str:
        return f"{self.kind} {self.name[:100]}" if self.name else self.kind

    def is_a(self, *kinds: str) -> bool:
        """Whether it is one of Kubernetes' own kinds, not of the same name in another group."""
        return self.kind in kinds and self.group in _GROUPS.get(self.kind, (self.group,))

    @cached_property
    def pod(self) -> Pod | None:
        """The pod that it is or makes."""
        template = self.node.at(*_POD_PATHS.get(self.kind, _USUAL_PATH))
        spec = template["spec"]
        if self.kind == "Pod" and not self.is_a("Pod"):
            return None
        if spec["containers"].items is None and self.kind not in _POD_PATHS:
            return None
        return Pod(self, template["metadata"], spec) if spec.map is not None else None


@dataclass(frozen=True)
class Pod:
    """A pod, or what pods are made from."""

    owner: Object
    metadata: Node
    spec: Node

    @property
    def security(self) -> Node:
        """What holds for all of its containers."""
        return self.spec["securityContext"]

    @property
    def on_windows(self) -> bool:
        """Whether it says that it runs on Windows, where some rules have no meaning."""
        return self.spec.at("os", "name").text == "windows"

    @property
    def own_users(self) -> bool:
        """Whether it has user numbers of its own, so that its root is nobody on the host."""
        return self.spec["hostUsers"].is_false

    @property
    def runs_once(self) -> bool:
        """Whether it ends by itself, so that nothing probes it."""
        return self.owner.kind in ("Job", "CronJob") or self.spec["restartPolicy"].text in ("Never", "OnFailure")

    @cached_property
    def containers(self) -> tuple[Container, ...]:
        """All containers: those that run, those that run before, and those that were added to look into it."""
        return tuple(
            Container(self, role, node["name"].text, node) for role in _ROLES for node in self.spec[role] if node.there
        )


@dataclass(frozen=True)
class Container:
    """A container of a pod."""

    pod: Pod
    role: Role
    name: str
    node: Node

    def __str__(self) -> str:
        return f"{self.pod.owner}, container {self.name[:100]}"

    @property
    def security(self) -> Node:
        """What holds for it alone."""
        return self.node["securityContext"]

    def effective(self, *keys: str) -> Node:
        """A security setting: its own, or that of its pod; where neither says anything, its own place."""
        own = self.security.at(*keys)
        of_pod = self.pod.security.at(*keys)
        return of_pod if not own.there and of_pod.there else own


@dataclass(frozen=True)
class Around:
    """What all files that are checked together say.

    `protected` are the namespaces with a NetworkPolicy (`*` for all). `without_token` are the service accounts, as
    namespace and name, whose token is not mounted by itself. `first` is where the first workload of a namespace stands,
    as file and line, if several objects are checked together.
    """

    protected: frozenset[str] = frozenset()
    without_token: frozenset[tuple[str, str]] = frozenset()
    first: dict[str, tuple[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class ManifestFile:
    """The objects of one file and what stands around it."""

    path: str
    objects: tuple[Object, ...]
    around: Around = field(default_factory=Around)

    def of(self, *kinds: str) -> Iterator[Object]:
        """The objects of these kinds."""
        return (one for one in self.objects if one.is_a(*kinds))

    @property
    def pods(self) -> Iterator[Pod]:
        """Every pod."""
        return (one.pod for one in self.objects if one.pod is not None)

    @property
    def containers(self) -> Iterator[Container]:
        """Every container of every pod."""
        return (container for pod in self.pods for container in pod.containers)


def objects_of(node: Node) -> Iterator[Object]:
    """The objects of a document: itself, or the items of a list; nothing of what is no object."""
    kind, version = node["kind"].text, node["apiVersion"].text
    if not kind or not version:
        return
    if kind.endswith("List") and node["items"].items is not None:
        for item in node["items"]:
            yield from objects_of(item)
        return
    group = version.rpartition("/")[0]
    metadata = node["metadata"]
    name = metadata["name"].text or metadata["generateName"].text
    yield Object(kind, group, name, metadata["namespace"].text, node.line, node)


def around(files: list[ManifestFile]) -> Around:
    """What the files say together."""
    protected: set[str] = set()
    without_token: set[tuple[str, str]] = set()
    first: dict[str, tuple[str, int]] = {}
    for file in files:
        for one in file.objects:
            if one.kind.endswith("NetworkPolicy"):
                cluster_wide = one.kind.startswith(("CiliumClusterwide", "Global", "Admin", "BaselineAdmin", "Cluster"))
                protected.add("*" if cluster_wide else one.namespace)
            if one.is_a("ServiceAccount") and one.node["automountServiceAccountToken"].is_false:
                without_token.add((one.namespace, one.name))
            if one.pod is not None:
                first.setdefault(one.namespace, (file.path, one.line))
    several = sum(len(file.objects) for file in files) > 1
    return Around(frozenset(protected), frozenset(without_token), first if several else {})
