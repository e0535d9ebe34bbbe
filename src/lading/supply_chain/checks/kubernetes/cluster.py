"""Rules about secrets, namespaces and what is reached from where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lading.kernel.severity import Severity
from lading.supply_chain.checks.files.file_rule import FileRule, Spot, declare
from lading.supply_chain.checks.files.secret_names import is_literal, is_secret_name
from lading.supply_chain.checks.kubernetes.objects import ManifestFile

_ENFORCE: Final = "pod-security.kubernetes.io/enforce"
_LEVELS: Final = frozenset({"baseline", "restricted"})
# Values that tools encrypt in place, and certificates, which are public.
_NOT_PLAIN: Final = ("ENC[", "AgA", "vault:", "ref+")
_PUBLIC_KEYS: Final = frozenset({"ca.crt", "tls.crt", "ca.pem", "namespace"})
_MOST_VALUE: Final = 1_000


def _in_environment(file: ManifestFile) -> Iterator[Spot]:
    for container in file.containers:
        for item in container.node["env"]:
            name, value = item["name"].text, item["value"]
            if is_secret_name(name) and is_literal(value.text):
                yield Spot(value.line, f"{container}: variable {name[:80]} has its value in the manifest")


def _from_secret(file: ManifestFile) -> Iterator[Spot]:
    for container in file.containers:
        names = [
            (item.line, item["name"].text)
            for item in container.node["env"]
            if item.at("valueFrom", "secretKeyRef").there
        ]
        for line, name in names:
            yield Spot(line, f"{container} gets a secret as variable {name[:80]}")
        for item in container.node["envFrom"]:
            if item["secretRef"].there:
                yield Spot(
                    item.line, f"{container} gets all of secret {item.at('secretRef', 'name').text[:80]} as variables"
                )


def _config_map(file: ManifestFile) -> Iterator[Spot]:
    for one in file.of("ConfigMap"):
        for key, value in one.node["data"].entries():
            short = "\n" not in value.text.strip() and len(value.text) < _MOST_VALUE
            if short and is_secret_name(key) and is_literal(value.text):
                yield Spot(value.line, f"{one}: {key[:80]} has its value in the manifest")


def _secret(file: ManifestFile) -> Iterator[Spot]:
    for one in file.of("Secret"):
        if one.node["sops"].there:
            continue
        for field in ("data", "stringData"):
            plain = [
                (key, value)
                for key, value in one.node[field].entries()
                if key not in _PUBLIC_KEYS and is_literal(value.text) and not value.text.startswith(_NOT_PLAIN)
            ]
            if plain:
                keys = ", ".join(key[:60] for key, _ in plain[:5])
                yield Spot(plain[0][1].line, f"{one}: {keys} can be read in the manifest")


def _no_policy(file: ManifestFile) -> Iterator[Spot]:
    for namespace, (path, line) in file.around.first.items():
        if path == file.path and not {namespace, "*"} & file.around.protected:
            named = f"namespace {namespace[:80]}" if namespace else "the namespace that these are applied to"
            yield Spot(line, f"no NetworkPolicy is given for {named}")


def _default_namespace(file: ManifestFile) -> Iterator[Spot]:
    for one in file.objects:
        if one.namespace == "default" and one.name != "kubernetes":
            yield Spot(one.node.at("metadata", "namespace").line, f"{one} is put into the namespace default")


def _no_level(file: ManifestFile) -> Iterator[Spot]:
    for one in file.of("Namespace"):
        level = one.node.at("metadata", "labels", _ENFORCE)
        if level.text not in _LEVELS and one.name not in ("kube-system", "kube-public", "kube-node-lease"):
            said = f"enforces the level {level.text[:40]}" if level.there else "enforces no Pod Security level"
            yield Spot(level.line, f"{one} {said}")


def _exposed(file: ManifestFile) -> Iterator[Spot]:
    for one in file.of("Service"):
        spec = one.node["spec"]
        bounded = bool(spec["loadBalancerSourceRanges"].items)
        if spec["type"].text == "NodePort" or (spec["type"].text == "LoadBalancer" and not bounded):
            yield Spot(spec["type"].line, f"{one} is of type {spec['type'].text}")


def _external_addresses(file: ManifestFile) -> Iterator[Spot]:
    for one in file.of("Service"):
        node = one.node.at("spec", "externalIPs")
        if node.items:
            yield Spot(node.line, f"{one} takes traffic for addresses that it names itself")


def _without_tls(file: ManifestFile) -> Iterator[Spot]:
    for one in file.of("Ingress"):
        spec = one.node["spec"]
        if not spec["tls"].items:
            yield Spot(spec.line, f"{one} has no TLS")


CHECKS: Final[tuple[FileRule[ManifestFile], ...]] = (
    declare(
        _in_environment,
        "kubernetes-secret-in-environment",
        Severity.HIGH,
        "A secret stands in a manifest as the value of a variable",
        "Everybody who has the manifest, or may read pods, has the secret.",
        "Put it into a Secret that does not lie beside the manifest, and mount that.",
        "CIS Kubernetes 5.4.1",
        "CWE-798",
    ),
    declare(
        _from_secret,
        "kubernetes-secret-as-variable",
        Severity.LOW,
        "A secret is handed over as a variable",
        "Variables are shown by debuggers, crash reports and every child of the program.",
        "Mount the secret as a file.",
        "CIS Kubernetes 5.4.1",
    ),
    declare(
        _config_map,
        "kubernetes-secret-in-config-map",
        Severity.HIGH,
        "A secret stands in a ConfigMap",
        "Whoever may read ConfigMaps has it; they are not encrypted where the cluster keeps them.",
        "Put it into a Secret.",
        "CIS Kubernetes 5.4.2",
        "CWE-312",
    ),
    declare(
        _secret,
        "kubernetes-secret-in-manifest",
        Severity.HIGH,
        "A Secret stands in a manifest with its values",
        "Base64 hides nothing: everybody who has the file has the secret.",
        "Keep it in a store of secrets, or encrypt it where it lies (SOPS, sealed secrets).",
        "CIS Kubernetes 5.4.2",
        "CWE-312",
    ),
    declare(
        _no_policy,
        "kubernetes-network-policy-missing",
        Severity.MEDIUM,
        "A namespace has no NetworkPolicy",
        "Every pod of the cluster reaches every pod there, and they reach everything.",
        "Add one that denies all, and allow what is needed.",
        "CIS Kubernetes 5.3.2",
    ),
    declare(
        _default_namespace,
        "kubernetes-default-namespace",
        Severity.LOW,
        "Something is put into the namespace default",
        "Rights, limits and policies of a namespace cannot be set for one application there.",
        "Give the application a namespace of its own.",
        "CIS Kubernetes 5.6.4",
    ),
    declare(
        _no_level,
        "kubernetes-pod-security-unset",
        Severity.LOW,
        "A namespace enforces no Pod Security level",
        "Privileged pods are admitted there, unless another policy keeps them out.",
        "Label it with pod-security.kubernetes.io/enforce: restricted, or baseline.",
        "CIS Kubernetes 5.2.1",
    ),
    declare(
        _exposed,
        "kubernetes-service-exposed",
        Severity.LOW,
        "A service is reached from outside of the cluster",
        "It goes past the Ingress with its TLS, limits and logs.",
        "Use ClusterIP behind an Ingress or Gateway; for a LoadBalancer set loadBalancerSourceRanges.",
    ),
    declare(
        _external_addresses,
        "kubernetes-external-addresses",
        Severity.HIGH,
        "A service names external addresses",
        "Traffic that pods send to such an address goes to this service instead, whoever owns the address.",
        "Remove externalIPs.",
        "CVE-2020-8554",
    ),
    declare(
        _without_tls,
        "kubernetes-ingress-without-tls",
        Severity.MEDIUM,
        "An Ingress has no TLS",
        "Passwords and sessions can be read and changed on the way.",
        "Add tls with the hosts and a certificate.",
        "CWE-319",
    ),
)
