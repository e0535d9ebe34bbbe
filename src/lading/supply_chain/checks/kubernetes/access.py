"""Rules about roles and bindings: rights that lead to all others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from lading.kernel.severity import Severity
from lading.supply_chain.checks.files.file_rule import FileRule, Spot, declare
from lading.supply_chain.checks.files.node import Node
from lading.supply_chain.checks.kubernetes.objects import ManifestFile, Object

_READ: Final = frozenset({"get", "list", "watch"})
_WRITE: Final = frozenset({"create", "update", "patch"})
_WORKLOADS: Final = frozenset(
    {"pods", "deployments", "daemonsets", "statefulsets", "replicasets", "replicationcontrollers", "jobs", "cronjobs"}
)
_WEBHOOKS: Final = frozenset({"validatingwebhookconfigurations", "mutatingwebhookconfigurations"})


def _rules(file: ManifestFile) -> Iterator[tuple[Object, Node]]:
    for role in file.of("Role", "ClusterRole"):
        for rule in role.node["rules"]:
            yield role, rule


def _grants(rule: Node, resources: frozenset[str], verbs: frozenset[str], *, named_too: bool = True) -> tuple[str, str]:
    """The resource and the verb of a rule that meet, or nothing. Wildcards are a rule of their own."""
    if not named_too and rule["resourceNames"].items:
        return "", ""
    resource = next((text for text in rule["resources"].texts() if text in resources), "")
    verb = next((text for text in rule["verbs"].texts() if text in verbs or text == "*"), "")
    return (resource, verb) if resource and verb else ("", "")


def _granting(
    resources: frozenset[str], verbs: frozenset[str], *, named_too: bool = True
) -> Callable[[ManifestFile], Iterator[Spot]]:
    def check(file: ManifestFile) -> Iterator[Spot]:
        for role, rule in _rules(file):
            resource, verb = _grants(rule, resources, verbs, named_too=named_too)
            if resource:
                yield Spot(rule.line, f"{role} allows {verb} on {resource}")

    return check


def _wildcard(file: ManifestFile) -> Iterator[Spot]:
    for role, rule in _rules(file):
        wide = [key for key in ("verbs", "resources", "apiGroups") if "*" in rule[key].texts()]
        if "verbs" in wide or "resources" in wide:
            yield Spot(rule.line, f"{role} has * for {' and '.join(wide)}")


def _escalation(file: ManifestFile) -> Iterator[Spot]:
    for role, rule in _rules(file):
        for verb in ("bind", "escalate", "impersonate"):
            if verb in rule["verbs"].texts():
                yield Spot(rule.line, f"{role} allows {verb}")


def _bindings(file: ManifestFile) -> Iterator[tuple[Object, Node]]:
    for binding in file.of("RoleBinding", "ClusterRoleBinding"):
        for subject in binding.node["subjects"]:
            yield binding, subject


def _cluster_admin(file: ManifestFile) -> Iterator[Spot]:
    for binding in file.of("RoleBinding", "ClusterRoleBinding"):
        role = binding.node["roleRef"]
        if role["name"].text == "cluster-admin" and role["kind"].text == "ClusterRole":
            yield Spot(role["name"].line, f"{binding} gives the role cluster-admin")


def _masters(file: ManifestFile) -> Iterator[Spot]:
    for binding, subject in _bindings(file):
        if subject["kind"].text == "Group" and subject["name"].text == "system:masters":
            yield Spot(subject.line, f"{binding} names the group system:masters")


def _anybody(file: ManifestFile) -> Iterator[Spot]:
    for binding, subject in _bindings(file):
        name = subject["name"].text
        if name in ("system:anonymous", "system:unauthenticated", "system:authenticated"):
            yield Spot(subject.line, f"{binding} gives its role to {name}")


def _default_account(file: ManifestFile) -> Iterator[Spot]:
    for binding, subject in _bindings(file):
        if subject["kind"].text == "ServiceAccount" and subject["name"].text == "default":
            yield Spot(subject.line, f"{binding} gives its role to the default account")


CHECKS: Final[tuple[FileRule[ManifestFile], ...]] = (
    declare(
        _wildcard,
        "kubernetes-rbac-wildcard",
        Severity.HIGH,
        "A role allows everything of a kind",
        "What is added to the API later is allowed too, without anybody having thought of it.",
        "List the verbs and resources that are needed.",
        "CIS Kubernetes 5.1.3",
        "CWE-269",
    ),
    declare(
        _cluster_admin,
        "kubernetes-cluster-admin",
        Severity.HIGH,
        "Somebody is given the role cluster-admin",
        "It may do everything; with a ClusterRoleBinding everywhere.",
        "Bind a role with the rights that are needed.",
        "CIS Kubernetes 5.1.1",
        "CWE-269",
    ),
    declare(
        _granting(frozenset({"secrets"}), _READ, named_too=False),
        "kubernetes-rbac-secrets",
        Severity.MEDIUM,
        "A role can read secrets",
        "Tokens of other accounts are among them; list and watch show the values as get does.",
        "Name the secrets that are needed in resourceNames, or mount them.",
        "CIS Kubernetes 5.1.2",
    ),
    declare(
        _escalation,
        "kubernetes-rbac-escalation",
        Severity.HIGH,
        "A role can give itself more rights",
        "With bind, escalate or impersonate its holder has all rights of others, or rights that nobody gave.",
        "Remove the verb, or bound it with resourceNames.",
        "CIS Kubernetes 5.1.8",
        "CWE-269",
    ),
    declare(
        _granting(frozenset({"pods/exec", "pods/attach", "pods/ephemeralcontainers"}), _WRITE | {"get"}),
        "kubernetes-rbac-exec",
        Severity.MEDIUM,
        "A role can run commands in pods",
        "Its holder has the token, the secrets and the network of every pod there.",
        "Remove it; grant it to people for the time that they need it.",
    ),
    declare(
        _granting(frozenset({"nodes/proxy"}), _WRITE | {"get"}),
        "kubernetes-rbac-node-proxy",
        Severity.HIGH,
        "A role can speak to nodes past the API",
        "The kubelet runs commands in every pod of its node, and nothing is written to the audit log.",
        "Remove nodes/proxy; nodes/metrics and nodes/stats are enough for monitoring.",
        "CIS Kubernetes 5.1.10",
    ),
    declare(
        _granting(_WORKLOADS, frozenset({"create"})),
        "kubernetes-rbac-create-pods",
        Severity.MEDIUM,
        "A role can create pods",
        "A pod can mount every secret and act as every account of its namespace.",
        "Remove it where it is not needed, and enforce a Pod Security level in the namespace.",
        "CIS Kubernetes 5.1.4",
    ),
    declare(
        _granting(frozenset({"persistentvolumes"}), frozenset({"create"})),
        "kubernetes-rbac-create-volumes",
        Severity.MEDIUM,
        "A role can create persistent volumes",
        "A volume can be a path of a node, which Pod Security does not see.",
        "Leave it to the provisioner.",
        "CIS Kubernetes 5.1.9",
    ),
    declare(
        _granting(frozenset({"certificatesigningrequests/approval"}), frozenset({"update", "patch"})),
        "kubernetes-rbac-approve-certificates",
        Severity.HIGH,
        "A role can approve certificates",
        "A certificate that it approves can be that of any user or node.",
        "Bound it with a signer of its own, or remove it.",
        "CIS Kubernetes 5.1.11",
    ),
    declare(
        _granting(_WEBHOOKS, _WRITE),
        "kubernetes-rbac-webhooks",
        Severity.MEDIUM,
        "A role can change admission webhooks",
        "A webhook reads every object that is admitted, secrets too, and a mutating one changes them.",
        "Bound it with resourceNames, or remove it.",
        "CIS Kubernetes 5.1.12",
    ),
    declare(
        _granting(frozenset({"serviceaccounts/token"}), frozenset({"create"}), named_too=False),
        "kubernetes-rbac-create-tokens",
        Severity.HIGH,
        "A role can make tokens of accounts",
        "Its holder can act as every account there, for as long as the token holds.",
        "Name the accounts in resourceNames.",
        "CIS Kubernetes 5.1.13",
    ),
    declare(
        _masters,
        "kubernetes-masters-group",
        Severity.HIGH,
        "A binding names the group system:masters",
        "The group may do everything, whatever roles say, and cannot be taken away by them.",
        "Bind a group of your own.",
        "CIS Kubernetes 5.1.7",
    ),
    declare(
        _anybody,
        "kubernetes-bound-to-anybody",
        Severity.HIGH,
        "A role is given to anybody",
        "Whoever reaches the API has it, or whoever has any account.",
        "Name the users, groups or accounts that need it.",
        "CWE-284",
    ),
    declare(
        _default_account,
        "kubernetes-default-account-bound",
        Severity.MEDIUM,
        "A role is given to the default account",
        "Every pod of the namespace that names no account has it.",
        "Make an account for the pods that need it.",
        "CIS Kubernetes 5.1.5",
    ),
)
