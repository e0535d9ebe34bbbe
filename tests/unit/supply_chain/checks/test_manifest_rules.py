"""Rules about Compose files and Kubernetes manifests: files that break each of them, marked on the line, and good ones."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from lading.supply_chain.checks.compose.rules import RULES as COMPOSE
from lading.supply_chain.checks.declared import FilesChecked, Source, check_sources
from lading.supply_chain.checks.kubernetes.rules import RULES as KUBERNETES

FILES: Final = Path(__file__).parents[3] / "fixtures" / "manifests"
NAMES: Final = sorted(path.name for path in FILES.iterdir())
MARK: Final = "  #! "


def check(name: str, text: str | bytes) -> FilesChecked:
    content = text.encode() if isinstance(text, str) else text
    return check_sources([Source(name, content, named=True)])


def marked(name: str) -> set[tuple[int, str]]:
    lines = (FILES / name).read_text().splitlines()
    return {(number, rule) for number, line in enumerate(lines, 1) for rule in line.partition(MARK)[2].split()}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_marked_is_found_and_nothing_else(name: str) -> None:
    checked = check(name, (FILES / name).read_bytes())
    assert {(one.line, one.rule) for one in checked.weaknesses} == marked(name)
    assert (checked.gaps, checked.notes) == ((), ())


def test_every_rule_is_broken_somewhere() -> None:
    assert {rule for name in NAMES for _, rule in marked(name)} == {rule.id for rule in (*COMPOSE, *KUBERNETES)}


def test_every_rule_names_what_public_catalogues_call_it_or_why_it_matters() -> None:
    for rule in (*COMPOSE, *KUBERNETES):
        assert rule.why and rule.remedy and rule.title, rule.id


def test_no_message_shows_the_value_of_a_secret() -> None:
    for name in NAMES:
        checked = check(name, (FILES / name).read_bytes())
        assert all("Xu72" not in one.message and "npmToken" not in one.message for one in checked.weaknesses)


@pytest.mark.parametrize(
    ("port", "found"),
    [
        ("5432:5432", True), ("0.0.0.0:5432:5432", True), ("[::]:5432:5432", True), ("15432:5432/tcp", True),
        ("5432", True), ("127.0.0.1:5432:5432", False), ("[::1]:5432:5432", False), ("$ADDRESS:5432:5432", False),
    ],
)  # fmt: skip
def test_a_port_is_open_unless_it_is_bound_to_one_address(port: str, found: bool) -> None:
    checked = check("compose.yaml", f"services:\n  db:\n    image: x\n    ports: ['{port}']\n")
    assert any(one.rule == "compose-database-port-open" for one in checked.weaknesses) is found


class TestAcceptances:
    """Comments in files that accept a weakness."""

    def test_with_a_reason_it_counts(self) -> None:
        text = (
            "services:\n  a:\n    image: x:1\n    privileged: true  # lading:ignore compose-privileged it makes disks\n"
        )
        checked = check("compose.yaml", text)
        assert [(one.rule, reason) for one, reason in checked.accepted] == [("compose-privileged", "it makes disks")]
        assert all(one.rule != "compose-privileged" for one in checked.weaknesses)

    @pytest.mark.parametrize(
        ("comment", "said"),
        [
            ("compose-privileged", "gives no reason"),
            ("compose-priviledged it is so", "names no rule"),
            ("", "names no"),
        ],
    )
    def test_without_a_reason_or_a_rule_it_counts_for_nothing_and_is_told(self, comment: str, said: str) -> None:
        text = f"services:\n  a:\n    image: x:1\n    # lading:ignore {comment}\n    privileged: true\n"
        checked = check("compose.yaml", text)
        assert any(one.rule == "compose-privileged" for one in checked.weaknesses)
        assert said in checked.notes[0]


BOMB: Final = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(12)
)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"services:\n  a:\n    image: \xff\xfe\n", "not UTF-8"),
        ((b"services: &x\n  a: *x\n    image: y\n"), "file-not-checked"),
        ((BOMB + "services: *m\n").encode(), "aliases written out"),
        (b"services: " + b"[" * 5_000, "deeper than"),
        (b"services:\n  a:\n    image: x\n  a:\n    image: y\n", "comes twice"),
        (b"services:\n  a:\n    image: '{{ .Values.image }}\n", "it is a template"),
        (b"services: {a: {image: x}}\n" + b"#" * (17 << 20), "MiB"),
        (b"services: []\n", "it has no services"),
        (b"services:\n  a:\n    extends: a\n    image: x\n", "extends itself"),
        (b"services:\n  a: \x00\n", "file-not-checked"),
    ],
)
def test_what_cannot_be_read_is_a_gap(content: bytes, said: str) -> None:
    checked = check("compose.yaml", content)
    assert len(checked.gaps) == 1
    assert said in checked.gaps[0]


def test_a_file_of_another_kind_that_was_named_is_told() -> None:
    assert check("notes.txt", "nothing of ours").strangers == ("notes.txt",)


def test_documents_before_a_broken_one_are_checked() -> None:
    text = "apiVersion: v1\nkind: Pod\nspec: {hostPID: true, containers: []}\n---\napiVersion: [\n"
    checked = check("pod.yaml", text)
    assert "kubernetes-host-pid" in {one.rule for one in checked.weaknesses}
    assert len(checked.gaps) == 1


def test_a_network_policy_in_another_file_counts() -> None:
    pod = b"apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: n}\nspec: {containers: []}\n"
    # Of one object alone nobody knows what is beside it.
    account = b"apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: p, namespace: n}\n"
    policy = (
        b"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: d, namespace: n}\n"
        b"spec: {podSelector: {}, policyTypes: [Ingress]}\n"
    )
    missing = "kubernetes-network-policy-missing"
    alone = check_sources([Source("pod.yaml", pod), Source("account.yaml", account)])
    together = check_sources([Source("pod.yaml", pod), Source("policy.yaml", policy)])
    assert missing in {one.rule for one in alone.weaknesses}
    assert missing not in {one.rule for one in together.weaknesses}
