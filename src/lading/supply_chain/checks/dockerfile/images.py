"""Rules about the images that a Dockerfile builds on and copies from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lading.kernel.severity import Severity
from lading.supply_chain.checks.dockerfile.file import BuildFile, Step
from lading.supply_chain.checks.files.file_rule import FileRule, Spot, declare
from lading.supply_chain.checks.files.image_names import fixed_by, shown


def _outside(file: BuildFile) -> Iterator[tuple[int, str]]:
    """Every image from outside with its line: of FROM, of COPY --from and of RUN --mount=from=."""
    for stage in file.stages:
        if stage.parent is None and stage.image != "scratch":
            yield stage.begin.line, stage.image
    for stage, step in file.steps("COPY", "ADD", "RUN"):
        for source in _sources(step):
            if not source.isdigit() and source.lower() not in file.names - {""} and source.lower() != stage.name:
                yield step.line, source


def _sources(step: Step) -> Iterator[str]:
    if step.keyword == "RUN":
        for flag, value in step.flags:
            if flag == "mount":
                fields = dict(part.partition("=")[::2] for part in value.split(","))
                yield from filter(None, [fields.get("from", "")])
    elif source := step.flag("from"):
        yield source


def _moving(file: BuildFile) -> Iterator[Spot]:
    for line, image in _outside(file):
        if fixed_by(image) == "moving":
            yield Spot(line, f"{shown(image)} has no version: what it is changes from day to day")


def _without_digest(file: BuildFile) -> Iterator[Spot]:
    for line, image in _outside(file):
        if fixed_by(image) == "tag":
            yield Spot(line, f"{shown(image)} is named by a tag only")


def _unknown_stage(file: BuildFile) -> Iterator[Spot]:
    for stage, step in file.steps("COPY", "RUN"):
        for source in _sources(step):
            if (place := _place(source, file)) is None:
                continue
            if place >= len(file.stages):
                yield Spot(step.line, f"there is no stage {source[:80]}")
            elif place >= stage.place:
                where = "the stage itself" if place == stage.place else "a stage that comes later"
                yield Spot(step.line, f"{source[:80]} is {where}")


def _place(source: str, file: BuildFile) -> int | None:
    if source.isdigit():
        return int(source[:9])
    named = [stage for stage in file.stages if stage.name and stage.name == source.lower()]
    return named[0].place if named else None


CHECKS: Final[tuple[FileRule[BuildFile], ...]] = (
    declare(
        _moving,
        "dockerfile-image-without-version",
        Severity.MEDIUM,
        "An image is taken without a version",
        "The same Dockerfile gives another image tomorrow, and nobody can say what changed.",
        "Name a version, better a digest: FROM debian:12@sha256:….",
    ),
    declare(
        _without_digest,
        "dockerfile-image-without-digest",
        Severity.LOW,
        "An image is taken by its tag, not by its digest",
        "A tag can be moved to other content by whoever may push it.",
        "Add @sha256:… to the tag; `lading ship` does so by itself when it builds.",
        "CIS Docker 4.2",
    ),
    declare(
        _unknown_stage,
        "dockerfile-stage-unknown",
        Severity.MEDIUM,
        "Something is copied from a stage that cannot be copied from",
        "The build fails, or takes an image of that name from a registry instead of the stage that was meant.",
        "Name a stage that begins earlier in the file.",
    ),
)
