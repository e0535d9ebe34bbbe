"""Whatever a Compose file holds, it becomes an application or one clear refusal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lading.orchestration.errors import ComposeInvalid
from lading.orchestration.workload.compose import load_application
from lading.orchestration.workload.spec import Application

KEYS = [
    "image", "build", "command", "entrypoint", "environment", "env_file", "ports", "volumes", "tmpfs", "networks",
    "depends_on", "healthcheck", "user", "read_only", "cap_add", "privileged", "security_opt", "pids_limit", "mem_limit",
    "deploy", "restart", "stop_grace_period", "labels", "init", "hostname", "extra_hosts", "scale", "cpus", "pid",
    "network_mode", "context", "dockerfile", "args", "test", "interval", "retries", "replicas", "resources", "limits",
    "memory", "pids", "type", "source", "target", "published", "condition", "path", "x-lading", "team", "name",
]  # fmt: skip
WORDS = [
    "a", "data", "data:/d", "/:/x", "./a:/b", "${A:-1}", "${", "$$", "true", "false", "-1", "1g", "10s", "80:80", "host",
    "0", "root", "no", "on-failure:3", "CMD", "NONE", "service_healthy", "../..", "\0", "é" * 40, "9" * 30, "::1", "~",
]  # fmt: skip
scalars = st.one_of(
    st.sampled_from(WORDS), st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(), st.text(max_size=8)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=8,
)
services = st.dictionaries(st.sampled_from(KEYS), values, max_size=6).map(lambda body: {"image": "a/b"} | body)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compose")


def read(directory: Path, text: str | bytes) -> Application | None:
    file = directory / "compose.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    try:
        return load_application([file], variables={"A": "1"}, default_name="x", default_environment="development")
    except ComposeInvalid as error:
        assert error.what
        return None


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(services, values, values)
def test_any_service_is_read_or_refused(directory: Path, service: object, volumes: object, own: object) -> None:
    document = {"services": {"web": service}, "volumes": volumes, "x-lading": own}
    application = read(directory, yaml.safe_dump(document, allow_unicode=True))
    if application is not None:
        json.dumps(application.workloads[0].policy_input())
        assert application.workloads[0].digest() == application.workloads[0].digest()


@settings(max_examples=400, deadline=None)
@example(b"?")
@example(b"null: 1")
@example(b"1: 1")
@given(st.binary(max_size=300))
@example(b"\xff\xfe")
@example(b"a: &a\n  <<: *a\n")
@example(b"services: {web: {image: a, <<: [1]}}")
@example(b"? [a, b]\n: c\n")
@example(b"x: !!python/object/apply:os.system [true]\n")
@example(b"services: {web: {image: !!binary a}}")
@example(b"services: {web: {image: !!timestamp a}}")
@example(b"services: {web: {image: a, scale: 0x" + b"f" * 300 + b"}}")
@example(b"--- a\n--- b\n")
def test_any_bytes_are_read_or_refused(directory: Path, raw: bytes) -> None:
    read(directory, raw)
