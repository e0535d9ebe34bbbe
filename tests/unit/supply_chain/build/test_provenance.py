"""Provenance names everything that went in by digest, and no secret."""

from __future__ import annotations

import json

import pytest

from lading.kernel.digest import Digest
from lading.kernel.reference import Reference
from lading.supply_chain.build.builder import Built, Step
from lading.supply_chain.build.errors import BuildFailed
from lading.supply_chain.build.provenance import BuildRecord, StepPackages, provenance

BUILT = Built(
    digest=Digest.of(b"image"),
    steps=(Step("a", True, 0.0), Step("b", False, 1.5)),
    seconds=2.0,
    stages={"builder": Digest.of(b"builder")},
)


def record(**more: object) -> BuildRecord:
    fields: dict[str, object] = {
        "build": "1", "source": Digest.of(b"source"), "commit": "c" * 40, "dirty": True,
        "dockerfile": Digest.of(b"FROM"), "dockerfile_path": "web/Dockerfile", "target": "runtime",
    }  # fmt: skip
    return BuildRecord(**(fields | more))  # type: ignore[arg-type]


def test_bases_and_stages_are_named_by_digest() -> None:
    pin = Reference("base/python", "127.0.0.1:5001", "", Digest.of(b"base"))
    told = provenance(record(pins={Reference("base/python", tag="12"): pin}), BUILT)
    digests = {item["name"]: item["digest"].get("sha256") for item in told["buildDefinition"]["resolvedDependencies"]}
    assert digests == {
        "source": Digest.of(b"source").hex,
        "base/python:12": Digest.of(b"base").hex,
        "stage builder": Digest.of(b"builder").hex,
    }


def test_a_base_without_a_digest_is_refused() -> None:
    with pytest.raises(BuildFailed, match="not pinned"):
        provenance(record(pins={Reference("a"): Reference("a")}), BUILT)


@pytest.mark.parametrize("name", ["API_TOKEN", "dbPassword", "AWS_SECRET_ACCESS", "api_key", "PRIVATE_KEY", "SIGNKEY"])
def test_arguments_that_look_like_secrets_are_named_only(name: str) -> None:
    told = provenance(record(arguments={name: "hush", "COLOUR": "blue"}), BUILT)
    parameters = told["buildDefinition"]["externalParameters"]
    assert (parameters["arguments"], parameters["argumentsLeftOut"]) == ({"COLOUR": "blue"}, [name])
    assert "hush" not in json.dumps(told)


def test_commit_dirty_flag_and_cache_are_told() -> None:
    told = provenance(record(), BUILT)
    assert told["buildDefinition"]["externalParameters"]["source"]["dirty"] is True
    assert told["runDetails"]["byproducts"][0]["annotations"]["cached"] == 1


def test_what_a_step_did_to_packages_is_told_with_its_layer() -> None:
    step = StepPackages(Digest.of(b"layer"), "RUN pip install flask", ("pkg:pypi/flask@3.0.0",), (("a", "b"),), ("c",))

    told = provenance(record(), BUILT, [step])["runDetails"]["byproducts"][1]

    assert told == {
        "name": "layer",
        "digest": {"sha256": Digest.of(b"layer").hex},
        "annotations": {
            "step": "RUN pip install flask", "added": ["pkg:pypi/flask@3.0.0"], "changed": [{"from": "a", "to": "b"}],
            "removed": ["c"], "leftOut": 0,
        },
    }  # fmt: skip


def test_a_step_never_repeats_an_argument_that_looks_like_a_secret() -> None:
    step = StepPackages(Digest.of(b"layer"), "RUN |2 API_TOKEN=hush COLOUR=blue /bin/sh -c make" + "x" * 9000)

    told = json.dumps(provenance(record(arguments={"API_TOKEN": "hush", "COLOUR": "blue"}), BUILT, [step]))

    assert "hush" not in told
    assert "COLOUR=blue /bin/sh -c make" in told
    assert len(told) < 9000
