"""Every outside image that a Dockerfile builds on is found and pinned, however it is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.kernel.digest import Digest
from lading.kernel.errors import LadingError
from lading.kernel.reference import Reference
from lading.supply_chain.build.dockerfile import Dockerfile, parse
from lading.supply_chain.build.errors import DockerfileInvalid

REPOSITORY = Path(__file__).resolve().parents[4]


def pin_all(dockerfile: Dockerfile) -> dict[Reference, Reference]:
    return {
        base: Reference(base.path, "registry:5001", "", Digest.of(str(base).encode())) for base in dockerfile.bases()
    }


def bases(text: str, **arguments: str) -> list[str]:
    return [str(base) for base in parse(text, arguments).bases()]


def test_stages_know_what_they_build_on() -> None:
    read = parse("FROM base/a:1 AS Build\nRUN x\nFROM build AS test\nFROM scratch\nCOPY --from=build /x /x\n")
    assert [(stage.name, str(stage.base or ""), stage.parent, stage.scratch) for stage in read.stages] == [
        ("build", "base/a:1", "", False),
        ("test", "", "build", False),
        ("2", "", "", True),
    ]
    assert [stage.name for stage in read.intermediate_stages()] == ["build"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ARG B=base/a:1\nFROM $B", ["base/a:1"]),
        ("ARG V=1\nARG B=base/a:${V}\nFROM ${B}", ["base/a:1"]),
        ("ARG A=base/a B='base/b:2'\nFROM $A\nFROM ${B}", ["base/a", "base/b:2"]),
        ("FROM ${NONE:-base/a}", ["base/a"]),
        ("ARG X=1\nFROM base/a${X:+:slim}", ["base/a:slim"]),
        ("FROM --platform=linux/amd64 base/a AS x", ["base/a"]),
        ("FROM\tbase/a", ["base/a"]),
        ("from base/a as x\ncopy --from=base/b:1 / /", ["base/a", "base/b:1"]),
        ("FROM \\\n  # between\n  base/a \\\n  AS x", ["base/a"]),
        ("# escape=`\nFROM base/a\nRUN a `\n  b\nFROM base/b", ["base/a", "base/b"]),
        ("FROM base/a\nRUN --mount=type=bind,from=base/tools,target=/t x", ["base/a", "base/tools"]),
        ("FROM base/a\nRUN cat <<EOF\ntext\nEOF\nFROM base/b", ["base/a", "base/b"]),
        ("FROM base/a\nRUN cat <<<word\nFROM base/b", ["base/a", "base/b"]),
        ("FROM base/a\nRUN echo a << b\nFROM base/b", ["base/a", "base/b"]),
        ("FROM base/a\nRUN echo \\\\\nFROM base/b", ["base/a", "base/b"]),
        ("FROM base/a\r\nRUN x \\\r\n y\r\nFROM base/b\r\n", ["base/a", "base/b"]),
        ("FROM base/a\nFROM 0", ["base/a", "0"]),
        ("FROM base/a\nFROM base/b\nCOPY --from=0 / /", ["base/a", "base/b"]),
        ("FROM base/a\nCOPY --from=later / /\nFROM base/b AS later", ["base/a", "base/b"]),
    ],
)  # fmt: skip
def test_outside_images_are_found(text: str, expected: list[str]) -> None:
    assert bases(text) == expected


def test_a_build_argument_wins_over_its_default_only_if_declared() -> None:
    assert bases("ARG B=base/a\nFROM $B", B="base/b", C="x") == ["base/b"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no FROM"),
        ("RUN x", "Dockerfile:1: RUN stands before"),
        ("\n\nFROM", "Dockerfile:3"),
        ("FROM a b c d", "malformed"),
        ("FROM $MISSING", "Dockerfile:1"),
        ("FROM Upper/Case", "Dockerfile:1"),
        ("FROM a\n123 x", "Dockerfile:2: '123' is not an instruction"),
        ("FROM a\nRUN <<EOF\nx", "Dockerfile:2: the here-document EOF does not end"),
        ("FROM a\nRUN <<EOF\nfrom evil\nEOF", "Dockerfile:3: a line of a here-document begins with FROM"),
        ("ARG A='x\nFROM $A", "Dockerfile:1: ARG"),
        ("FROM a\nCOPY --from='b' / /", "Dockerfile:2"),
    ],
)
def test_what_cannot_be_read_names_file_and_line(text: str, said: str) -> None:
    with pytest.raises(DockerfileInvalid) as caught:
        parse(text)
    assert said in caught.value.what


def test_pinning_replaces_every_outside_image_and_keeps_line_numbers() -> None:
    text = (
        "# syntax=docker/dockerfile:1\nARG B=base/a:1\nFROM --platform=linux/amd64 \\\n  $B AS one\n"
        "COPY --from=base/b /x /x\nRUN --mount=from=base/b2,target=/t \\\n --mount=from=base/b,target=/u x\n"
        "FROM one\nCOPY --from=one / /\n"
    )
    read = parse(text)
    pins = pin_all(read)
    pinned = read.pinned(pins)
    assert pinned.count("\n") == text.count("\n")
    assert "syntax" not in pinned
    again = parse(pinned)
    assert set(again.bases()) == set(pins.values())
    assert [stage.line for stage in again.stages] == [stage.line for stage in read.stages]
    assert "FROM --platform=linux/amd64 registry:5001/base/a@sha256:" in pinned


def test_a_reference_without_a_pin_is_refused() -> None:
    with pytest.raises(DockerfileInvalid, match="not pinned"):
        parse("FROM base/a\nCOPY --from=base/b / /").pinned({Reference("base/a"): Reference("base/a")})


def test_the_example_builds_on_two_bases_and_one_intermediate_stage() -> None:
    read = parse((REPOSITORY / "examples" / "shop" / "web" / "Dockerfile").read_text())
    assert [str(base) for base in read.bases()] == ["base/python-build:12", "base/python:12"]
    assert [stage.name for stage in read.intermediate_stages()] == ["builder"]


LINES = st.sampled_from(
    [
        "FROM base/a", "FROM base/a AS x", "FROM x", "from scratch", "FROM $A", "ARG A=base/b", "ARG A B=$A", "ARG",
        "RUN x \\", "RUN <<EOF", "EOF", "COPY --from=x / /", "COPY --from=base/c / /", "RUN --mount=from=base/d y",
        "# escape=`", "RUN `", "", "#", "ONBUILD RUN x", "FROM --platform=$P base/e", "\t", "COPY <<A <<B /",
    ]
)  # fmt: skip


@given(st.lists(LINES | st.text(max_size=30), max_size=14))
def test_any_text_is_read_or_refused_and_everything_read_can_be_pinned(lines: list[str]) -> None:
    try:
        read = parse("\n".join(lines))
    except LadingError:
        return
    pins = pin_all(read)
    assert set(parse(read.pinned(pins)).bases()) == set(pins.values())
