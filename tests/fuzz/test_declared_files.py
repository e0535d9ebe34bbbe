"""Whatever a Dockerfile, a Compose file or a manifest holds, it is checked or it is a gap, and nothing is raised."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lading.supply_chain.checks.declared import FILE_KINDS, FileKind, Source, check_sources

FILES: Final = Path(__file__).parents[1] / "fixtures" / "manifests"
WHOLE: Final = [path.read_bytes() for path in sorted(FILES.iterdir())] + [
    b"FROM a AS b\nARG X=1\nRUN --mount=type=secret,id=s curl -k https://x | sh\nCOPY --from=b . /\nUSER root\n"
    b"HEALTHCHECK NONE\nADD --checksum=sha256:0 https://x /y\nRUN <<E\nsudo x\nE\n"
]
PIECES: Final = st.sampled_from(
    [
        b"\x00",
        b"\xff",
        b"{{ x }}",
        b"&a ",
        b"*a",
        b"<<: ",
        b"[",
        b"{",
        b"\n---\n",
        b"!!python/x ",
        b": ",
        b"\\\n",
        b"null",
    ]
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(WHOLE), st.sampled_from(FILE_KINDS), st.data())
def test_changed_files(whole: bytes, kind: FileKind, data: st.DataObject) -> None:
    content = whole
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(content)))
        drop = data.draw(st.integers(0, 40))
        content = content[:at] + data.draw(PIECES) + content[at + drop :]
    checked = check_sources([Source("file", content, named=True)], kind)
    assert checked.checked or checked.gaps


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(FILE_KINDS))
def test_any_bytes(content: bytes, kind: FileKind) -> None:
    check_sources([Source("file", content, named=True)], kind)
