"""Image archives with bytes changed, cut or put in: read, or refused with a sentence; never anything else."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from lading.kernel.errors import LadingError
from lading.supply_chain.inventory.layers import read_layer
from lading.supply_chain.scan.archive import open_archive
from saved_images import Layout, docker_archive
from tar_layers import OS_RELEASE, distribution, status, tar

LAYERS = tar(OS_RELEASE, status(("zlib1g", "1:1.2.13", "zlib"))), tar(distribution("jinja2", "2.10"))


def _layout() -> bytes:
    layout = Layout()
    layout.name(layout.index(layout.image(*LAYERS), layout.image(LAYERS[0], architecture="arm64")))
    return layout.archive()


ARCHIVES = docker_archive(*LAYERS), _layout()


@given(
    st.sampled_from(ARCHIVES),
    st.lists(st.tuples(st.integers(0, 40_000), st.binary(min_size=1, max_size=12)), max_size=6),
    st.integers(0, 60_000) | st.none(),
)
@settings(max_examples=150, deadline=None)
def test_a_changed_archive_is_read_or_refused(
    archive: bytes, changes: list[tuple[int, bytes]], cut: int | None
) -> None:
    body = bytearray(archive)
    for at, content in changes:
        place = at % len(body)
        body[place : place + len(content)] = content
    with tempfile.NamedTemporaryFile() as file:
        file.write(bytes(body[:cut]))
        file.flush()
        try:
            with open_archive(Path(file.name)) as image:
                for ref in image.layers:
                    with image.open(ref) as blob:
                        read_layer(str(ref.digest), blob)
        except LadingError as error:
            assert error.what
