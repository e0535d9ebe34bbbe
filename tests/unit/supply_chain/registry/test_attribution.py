"""Where images and layers come from, and what is said of a push that does not tell."""

from __future__ import annotations

import json
from typing import Any

from lading.facts.kinds.supply_chain import ImageUnattributed
from lading.kernel.digest import Digest
from lading.supply_chain.registry.access import Visitor
from lading.supply_chain.registry.listing import Listings
from lading.supply_chain.registry.manifest import OCI_MANIFEST

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
SHOP, BASES = Visitor("robot:shop/ci", "shop"), Visitor("robot:platform/ci", "platform")
ORIGIN = {"org.opencontainers.image.revision": "4f2a", "org.opencontainers.image.source": "https://forge.test/shop/7"}


def pushed(bench: Any, repository: str, visitor: Visitor, layers: list[bytes], **more: Any) -> Digest:
    config = json.dumps({"os": "linux", "of": repository}).encode()
    for content in (config, *layers):
        bench.registry.put_blob(repository, content, visitor)

    def part(kind: str, content: bytes) -> dict[str, Any]:
        return {"mediaType": kind, "digest": str(Digest.of(content)), "size": len(content)}

    body = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": part(CONFIG, config)}
    content = json.dumps(body | {"layers": [part(LAYER, layer) for layer in layers], **more}).encode()
    found: Digest = bench.registry.put_manifest(repository, "1", OCI_MANIFEST, content, visitor).digest
    return found


def unattributed(bench: Any) -> dict[str, tuple[str, ...]]:
    with bench.database.read() as tx:
        facts = [entry.fact for entry in bench.ledger.read(tx, limit=1_000)]
    return {fact.repository: fact.missing for fact in facts if isinstance(fact, ImageUnattributed)}


def test_a_push_that_does_not_say_its_commit_or_pipeline_is_a_finding(each_bench: Any) -> None:
    pushed(each_bench, "shop/none", SHOP, [b"1"])
    pushed(each_bench, "shop/some", SHOP, [b"2"], annotations={"org.opencontainers.image.revision": "4f2a"})
    pushed(each_bench, "shop/all", SHOP, [b"3"], annotations=ORIGIN)
    pushed(each_bench, "shop/built", Visitor("robot:shop/builder", "shop"), [b"4"])
    pushed(each_bench, "base/made", Visitor("system:bases", "platform"), [b"5"])
    assert unattributed(each_bench) == {
        "shop/none": ("commit", "pipeline"),
        "shop/some": ("pipeline",),
        "shop/built": ("commit",),
    }
    listed = Listings(each_bench.database, each_bench.clock).images(unattributed=True)
    assert {row.repository for row in listed} == {"shop/none", "shop/some", "shop/built"}


def owner(bench: Any, layer: bytes) -> tuple[str, str]:
    origin = bench.registry.origin(Digest.of(layer))
    return origin.repository, origin.team


def test_a_layer_belongs_to_the_owner_of_its_base_whichever_was_pushed_first(each_bench: Any) -> None:
    pushed(each_bench, "shop/web", SHOP, [b"os", b"runtime", b"web"])
    assert owner(each_bench, b"os") == ("shop/web", "shop")
    pushed(each_bench, "base/python", BASES, [b"os", b"runtime"])
    base = pushed(each_bench, "base/os", BASES, [b"os"])
    assert owner(each_bench, b"os") == ("base/os", "platform")
    assert owner(each_bench, b"runtime") == ("base/python", "platform")
    assert owner(each_bench, b"web") == ("shop/web", "shop")
    each_bench.registry.change_owner(base, "kernel", actor="person:ada")
    assert owner(each_bench, b"os") == ("base/os", "kernel")


def test_what_has_a_layer_without_being_a_base_does_not_get_it(each_bench: Any) -> None:
    pushed(each_bench, "base/python", BASES, [b"os", b"runtime"])
    pushed(each_bench, "shop/odd", SHOP, [b"runtime"])
    pushed(each_bench, "shop/web", SHOP, [b"os", b"runtime", b"web"])
    assert owner(each_bench, b"runtime") == ("base/python", "platform")
    assert owner(each_bench, b"os") == ("base/python", "platform")
