import io
import json

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from lading.kernel.digest import Digest
from lading.supply_chain.inventory.cyclonedx import cyclonedx
from lading.supply_chain.inventory.layers import read_layer
from lading.supply_chain.inventory.merge import merge
from tar_layers import OS_RELEASE, distribution, node_module, status, tar

FINDING = {"id": "CVE-2025-1", "severity": "critical", "score": 9.1, "kev": True, "fixed": "2.0", "package": "flask",
           "purl": "pkg:pypi/flask@1.0"}  # fmt: skip


def test_the_export_is_valid_and_the_same_every_time() -> None:
    layer = tar(
        OS_RELEASE, status(("libc6", "2.36-9", "glibc")), distribution("flask", "1.0"), node_module("@x/y", "1.0.0")
    )
    inventory = merge(str(Digest.of(b"i")), [read_layer(str(Digest.of(layer)), io.BytesIO(layer))])

    document = cyclonedx(inventory, name="shop/web:1", made="2026-01-01T00:00:00Z", findings=[FINDING])

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document)) is None
    assert document == cyclonedx(inventory, name="shop/web:1", made="2026-01-01T00:00:00Z", findings=[FINDING])
    assert [c["name"] for c in document["components"]] == ["debian", "libc6", "flask", "@x/y"]
    assert document["vulnerabilities"][0]["affects"][0]["ref"].startswith("pkg:pypi/flask@1.0#")
