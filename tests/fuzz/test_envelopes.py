"""Whatever a registry hands over as an envelope or a statement, reading it ends in a value or in MalformedEnvelope."""

from __future__ import annotations

import contextlib
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from lading.kernel.errors import InvalidInput
from lading.supply_chain.attest import cosign
from lading.supply_chain.attest.artifacts import read_manifest
from lading.supply_chain.attest.dsse import Envelope
from lading.supply_chain.attest.errors import MalformedEnvelope
from lading.supply_chain.attest.statement import Statement

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.sampled_from(["AA==", "sha256", "https://in-toto.io/Statement/v1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "payload",
                    "payloadType",
                    "signatures",
                    "sig",
                    "keyid",
                    "_type",
                    "subject",
                    "digest",
                    "sha256",
                    "predicateType",
                    "layers",
                    "annotations",
                    "mediaType",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
_CONTENT = st.binary(max_size=100) | _JSON.map(lambda value: json.dumps(value).encode())


@settings(max_examples=300, deadline=None)
@given(_CONTENT)
def test_any_content_is_read_or_refused(content: bytes) -> None:
    with contextlib.suppress(MalformedEnvelope):
        Envelope.decode(content)
    with contextlib.suppress(InvalidInput):
        Statement.decode(content)
    with contextlib.suppress(MalformedEnvelope):
        cosign.signature_layers(read_manifest(content))


@given(
    st.text(max_size=50),
    st.binary(max_size=200),
    st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=80)), min_size=1, max_size=4),
)
def test_an_envelope_comes_back_as_it_was(kind: str, payload: bytes, signatures: list[tuple[str, bytes]]) -> None:
    made = Envelope(kind, payload, tuple(signatures))
    assert Envelope.decode(made.encode()) == made
