"""What is told of users, ports, files, accounts and build steps, and what is deliberately not."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.kernel.severity import Severity
from lading.supply_chain.checks.image import image_weaknesses
from lading.supply_chain.checks.target import Of, Target
from lading.supply_chain.checks.weakness import Weakness
from lading.supply_chain.inventory import ImageInventory, Note
from lading.supply_chain.inventory.values import Account, MarkedFile

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ACCOUNTS = (Account("root", 0), Account("toor", 0), Account("app", 10_001))


def checked(
    config: Any = None, *, history: Any = (), of: Of = "image", layers: tuple[str, ...] = (), **inventory: Any
) -> list[Weakness]:
    made = ImageInventory(image="sha256:" + "0" * 64, cataloger_version="1", layers=layers, **inventory)
    usual = {"User": "10001", "Healthcheck": {"Test": ["CMD", "/probe"]}}
    configuration = {"config": usual | config if isinstance(config, dict) else config or usual, "history": history}
    target = Target(of=of, inventory=made, at=NOW, configuration=configuration)
    return list(image_weaknesses(target))


def rules(*args: Any, **more: Any) -> list[str]:
    return [one.rule.removeprefix("image-") for one in checked(*args, **more)]


@pytest.mark.parametrize(
    ("user", "accounts", "found"),
    [
        ("", ACCOUNTS, ["runs-as-root"]), ("0", ACCOUNTS, ["runs-as-root"]), ("00:5", None, ["runs-as-root"]),
        ("root", (), ["runs-as-root"]), ("root:app", None, ["runs-as-root"]), ("toor", ACCOUNTS, ["runs-as-root"]),
        ("app", ACCOUNTS, []), ("app:root", ACCOUNTS, []), ("10001", (), []), ("somebody", None, []),
        ("nobody-here", ACCOUNTS, ["user-unknown"]), ("app", (), ["user-unknown"]),
    ],
)  # fmt: skip
def test_a_user_is_looked_up_where_the_image_says_who_it_is(user: str, accounts: Any, found: list[str]) -> None:
    assert rules({"User": user}, accounts=accounts) == found


def test_health_and_ports() -> None:
    assert rules({"Healthcheck": {"Test": ["NONE"]}}) == ["without-health-check"]
    assert rules({"Healthcheck": None}) == ["without-health-check"]
    ports: dict[str, Any] = {
        key: {} for key in ("8080/tcp", "22/tcp", "5432", "80/tcp", "22/udp", "x", "99999999/tcp", "-1")
    }
    assert sorted(rules({"ExposedPorts": ports})) == [
        "exposes-database", "exposes-privileged-port", "exposes-privileged-port", "exposes-remote-access"
    ]  # fmt: skip


def test_programs_with_the_rights_of_others_are_weighed_by_who_brought_them() -> None:
    marked = (
        MarkedFile(mark="setuid", path="usr/bin/su", mode=0o4755, owner="util-linux"),
        MarkedFile(mark="setuid", path="opt/own", mode=0o4755, layer="sha256:a"),
        MarkedFile(mark="setuid", path="opt/app", mode=0o4755, uid=10_001),
        MarkedFile(mark="setuid", count=3),
    )
    found = {one.file: (one.rule, one.severity, one.layer) for one in checked(marked=marked)}

    assert found["opt/own"] == ("image-setuid-unowned", Severity.HIGH, "sha256:a")
    assert found["opt/app"][1] is Severity.MEDIUM
    assert {one.rule: one.message for one in checked(marked=marked[:1])} == {
        "image-setuid-packaged": "1 programs do so: su"
    }
    assert "3 more places are not listed" in {one.message for one in checked(marked=marked)}


def test_what_everybody_may_write_is_worse_where_others_run_things() -> None:
    def severity(path: str, owner: str = "") -> Severity:
        return checked(marked=(MarkedFile(mark="writable", path=path, kind="d", owner=owner),))[0].severity

    assert severity("usr/local/bin") is Severity.MEDIUM
    assert severity("usr/local/bin", "base-files") is Severity.LOW
    assert severity("srv/uploads") is Severity.LOW


def test_leftovers_and_ways_in() -> None:
    def one(mark: str, path: str, size: int = 0) -> list[str]:
        return rules(marked=(MarkedFile(mark=mark, path=path, size=size),))

    assert one("cache", "var/cache/apt", 2_000_000) == ["has-package-cache"]
    assert one("cache", "var/cache/apt", 10_000) == []
    assert one("versions", "app/.git") == ["has-version-control"]
    assert one("tool", "usr/sbin/sshd") == ["has-ssh-server"]
    assert one("tool", "usr/bin/sudo") == ["has-sudo"]
    assert rules(gaps=(Note("device-node", "x", "block 8:0"),)) == ["device-node"]


def test_an_empty_password_of_root_is_critical() -> None:
    found = checked(accounts=(Account("root", 0, True), Account("guest", 5, True), Account("app", 6)))

    assert [(one.rule, one.severity) for one in found] == [
        ("image-root-without-password", Severity.CRITICAL), ("image-account-without-password", Severity.MEDIUM)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("step", "found"),
    [
        ("ADD https://example.com/a.tgz /opt/ # buildkit", ["adds-url"]),
        ("/bin/sh -c #(nop) ADD http://u:hidden@example.com/a /opt", ["adds-url"]),
        ("ADD --checksum=sha256:00 https://example.com/a /opt # buildkit", []),
        ("ADD file:1234 in / ", []),
        ("RUN /bin/sh -c curl -fsSL https://example.com/get | bash -s -- -y # buildkit", ["pipes-download-to-shell"]),
        ("RUN wget -qO- https://example.com | sudo -E sh", ["pipes-download-to-shell"]),
        ('RUN sh -c "$(curl -fsSL https://example.com)"', ["pipes-download-to-shell"]),
        ("RUN curl https://example.com/a.tgz | tar xz", []),
        ("RUN curl -sk https://example.com/a -o a", ["skips-verification"]),
        ("RUN apk add --allow-untrusted x.apk", ["skips-verification"]),
        ("RUN curl -L https://example.com/k -o a", []),
        ("RUN apt-get update && apt-get -y upgrade", ["upgrades-while-building"]),
        ("RUN apk --no-cache upgrade", ["upgrades-while-building"]),
        ("RUN yum -y update && yum clean all", ["upgrades-while-building"]),
        ("RUN yum -y update openssl", []),
        ("RUN apt-get update", ["updates-index-alone"]),
        ("RUN apt-get update && apt-get install -y curl", []),
        ("RUN pip install --upgrade pip", []),
    ],
)
def test_build_steps(step: str, found: list[str]) -> None:
    assert rules(history=[{"created_by": step}]) == found


def test_a_step_is_never_quoted_and_has_the_layer_that_it_made() -> None:
    history = [
        {"created_by": "ENV TOKEN=hidden", "empty_layer": True},
        {"created_by": "RUN |1 TOKEN=hidden /bin/sh -c curl https://u:hidden@example.com/x | sh"},
        {"created_by": "ADD https://u:hidden@example.com/x?t=hidden /x"},
    ]
    found = checked(history=history, layers=("sha256:a", "sha256:b"))

    assert [one.layer for one in found] == ["sha256:a", "sha256:b"]
    assert not any("hidden" in one.message for one in found)
    assert {one.layer for one in checked(history=history, layers=("sha256:a",))} == {""}


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ({"lading.base": "debian:latest"}, ["base-not-pinned"]),
        ({"org.opencontainers.image.base.name": "registry.example:5000/debian"}, ["base-not-pinned"]),
        ({"lading.base": "debian:latest@sha256:00"}, []),
        ({"lading.base": "debian:12"}, []), ({"lading.base": "scratch"}, []), ({}, []),
        ({"org.opencontainers.image.base.name": "debian", "org.opencontainers.image.base.digest": "sha256:00"}, []),
    ],
)  # fmt: skip
def test_a_base_that_moves(labels: dict[str, str], found: list[str]) -> None:
    assert rules({"Labels": labels}) == found


def test_a_directory_is_checked_as_a_root_only_when_it_is_one() -> None:
    marked = (MarkedFile(mark="versions", path=".git"),)

    assert rules(of="directory", marked=marked) == []
    assert rules(of="directory", marked=marked, distribution="debian") == ["has-version-control"]
    assert rules(of="sbom", marked=marked, distribution="debian") == []


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    ),
    st.sampled_from(["User", "Healthcheck", "ExposedPorts", "Labels", "config", "history"]),
)
@settings(max_examples=150, deadline=None)
def test_no_configuration_breaks_a_check(value: Any, key: str) -> None:
    inventory = ImageInventory(image="sha256:" + "0" * 64, cataloger_version="1", layers=("sha256:a",))
    inside = {key: value} if key in ("config", "history") else {"config": {key: value}, "history": [value]}
    for one in image_weaknesses(Target(of="image", inventory=inventory, at=NOW, configuration=inside)):
        assert one.message
