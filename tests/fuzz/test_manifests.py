"""Whatever is pushed as a manifest is read or refused, in time."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lading.kernel.digest import Digest
from lading.supply_chain.registry.errors import ManifestInvalid
from lading.supply_chain.registry.manifest import IMAGES, INDEXES, MOST_PARTS, read_manifest

TYPES = st.sampled_from(sorted(IMAGES | INDEXES)) | st.text(max_size=40)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
DESCRIPTORS = st.fixed_dictionaries(
    {},
    optional={
        "mediaType": TYPES | ANYTHING,
        "digest": st.just(str(Digest.of(b""))) | ANYTHING,
        "size": st.integers() | ANYTHING,
        "platform": ANYTHING,
        "urls": ANYTHING,
    },
)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "schemaVersion": st.just(2) | ANYTHING,
        "mediaType": TYPES | ANYTHING,
        "config": DESCRIPTORS | ANYTHING,
        "layers": st.lists(DESCRIPTORS, max_size=3) | ANYTHING,
        "manifests": st.lists(DESCRIPTORS, max_size=3) | ANYTHING,
        "subject": DESCRIPTORS | ANYTHING,
        "annotations": st.dictionaries(st.text(), st.text(), max_size=2) | ANYTHING,
        "artifactType": ANYTHING,
    },
)


@given(DOCUMENTS, TYPES)
def test_a_manifest_is_read_or_refused(document: dict[str, Any], media_type: str) -> None:
    body = json.dumps(document).encode()
    with suppress(ManifestInvalid):
        manifest = read_manifest(body, media_type)
        assert manifest.media_type in IMAGES | INDEXES
        assert manifest.digest == Digest.of(body)
        assert all(part.size >= 0 and "\0" not in part.media_type for part in manifest.parts)
        assert manifest.is_runnable in (True, False)
        assert len(manifest.parts) <= MOST_PARTS + 1


@given(st.binary(max_size=2_000), TYPES)
def test_any_bytes_are_read_or_refused(body: bytes, media_type: str) -> None:
    with suppress(ManifestInvalid):
        read_manifest(body, media_type)
