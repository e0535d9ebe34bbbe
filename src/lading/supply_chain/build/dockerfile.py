"""Read what a Dockerfile says about where its content comes from: stages, FROM, COPY --from.

A small grammar of our own: only stages and references matter here, everything else is BuildKit's business. Source: the
Dockerfile reference ("FROM", "ARG", "COPY --from").
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from lading.kernel.errors import InvalidInput
from lading.kernel.reference import Reference
from lading.supply_chain.build.errors import DockerfileInvalid
from lading.supply_chain.build.instructions import DIRECTIVE, Instruction, read_instructions

_MOUNT_FROM: Final = re.compile(r"--mount=\S*?\bfrom=([^,\s]+)")
_VARIABLE: Final = re.compile(r"\$(?:(?P<bare>\w+)|\{(?P<name>\w+)(?:(?P<kind>:?[-+])(?P<word>[^}]*))?\})")


@dataclass(frozen=True, slots=True)
class Stage:
    """One FROM. Exactly one of `base` (an outside image), `parent` (an earlier stage) and `scratch` is set."""

    name: str
    line: int
    base: Reference | None = None
    parent: str = ""
    scratch: bool = False
    platform: str = ""
    copies_from: tuple[Reference, ...] = ()
    copies_from_stages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """The stages in order, and the text they were read from."""

    text: str
    stages: tuple[Stage, ...]
    instructions: tuple[Instruction, ...] = field(repr=False)
    frontend: str = ""

    def bases(self) -> tuple[Reference, ...]:
        """Every outside image that takes part, each once, in order of appearance."""
        found: dict[Reference, None] = {}
        for stage in self.stages:
            for reference in ((stage.base,) if stage.base else ()) + stage.copies_from:
                found[reference] = None
        return tuple(found)

    def intermediate_stages(self, target: str = "") -> tuple[Stage, ...]:
        """The named stages that the target (by default the last stage) is built from, without itself."""
        by_name = {stage.name: stage for stage in self.stages}
        last = by_name[target] if target in by_name else self.stages[-1]
        needed: dict[str, None] = {}
        waiting = [last]
        while waiting:
            stage = waiting.pop()
            for name in (*stage.copies_from_stages, stage.parent):
                if name in by_name and name not in needed and by_name[name] is not last:
                    needed[name] = None
                    waiting.append(by_name[name])
        return tuple(stage for stage in self.stages if stage.name in needed)

    def pinned(self, pins: Mapping[Reference, Reference]) -> str:
        """The text with every outside reference replaced by what `pins` says; see `bases`.

        Lines keep their numbers, so that the builder's messages still point at the right one. A `syntax` directive is
        blanked: it would have the builder run code from an image that nobody pinned.

        Raises:
            DockerfileInvalid: an outside reference is in no pin.
        """
        lines = _without_syntax(self.text.split("\n"))
        sources = {stage.line: stage for stage in self.stages}
        for instruction in self.instructions:
            if instruction.keyword == "FROM":
                stage = sources[instruction.first]
                if stage.base is not None:
                    _replace(lines, instruction, _from_line(stage, _pin(stage.base, pins)))
                continue
            for source in _outside_sources(instruction, self.stages):
                pin = _pin(Reference.parse(source), pins)
                for number in range(instruction.first - 1, instruction.last):
                    lines[number] = re.sub(rf"from={re.escape(source)}(?=[,\s]|$)", f"from={pin}", lines[number])
        return "\n".join(lines)


def parse(text: str, arguments: Mapping[str, str] | None = None, name: str = "Dockerfile") -> Dockerfile:
    """Read a Dockerfile; `arguments` are the values of --build-arg.

    Raises:
        DockerfileInvalid: names the file, the line and what is wrong with it.
    """
    read = read_instructions(text, name)
    instructions = list(read.listed)
    _check_documents(instructions, name)
    stages = _stages(instructions, dict(arguments or {}), name)
    return Dockerfile(text, _with_sources(stages, instructions, name), read.listed, read.frontend)


def _check_documents(instructions: list[Instruction], name: str) -> None:
    """Refuse a FROM inside a here-document: builders before here-documents would take it for an instruction, and nobody
    pinned it."""
    for document in (document for instruction in instructions for document in instruction.documents):
        for number, line in enumerate(document.lines, document.first):
            if line.split()[:1] and line.split()[0].upper() == "FROM":
                raise DockerfileInvalid(
                    f"{name}:{number}: a line of a here-document begins with FROM.",
                    remedy="Put the text into a file of its own and COPY it.",
                )


def _stages(instructions: list[Instruction], given: dict[str, str], name: str) -> list[Stage]:
    known: dict[str, str] = {}
    stages: list[Stage] = []
    for instruction in instructions:
        if instruction.keyword == "ARG" and not stages:
            known |= _declared(instruction, known, given, name)
        elif instruction.keyword == "FROM":
            stages.append(_stage(instruction, known, stages, name))
        elif not stages:
            raise DockerfileInvalid(
                f"{name}:{instruction.first}: {instruction.keyword} stands before the first FROM.",
                remedy="Only ARG, comments and directives may.",
            )
    if not stages:
        raise DockerfileInvalid(f"{name} has no FROM.", remedy="Begin it with FROM and the image to build on.")
    return stages


def _declared(
    instruction: Instruction, known: Mapping[str, str], given: Mapping[str, str], name: str
) -> dict[str, str]:
    """The values that one ARG before the first FROM sets; it may declare several."""
    try:
        words = shlex.split(instruction.arguments)
    except ValueError as error:
        raise DockerfileInvalid(f"{name}:{instruction.first}: ARG has {error}.".replace("No", "no")) from error
    found: dict[str, str] = {}
    for word in words:
        key, _, default = word.partition("=")
        found[key] = given.get(key, substituted(default, {**known, **found}))
    return found


def _stage(instruction: Instruction, known: Mapping[str, str], stages: list[Stage], name: str) -> Stage:
    words = instruction.arguments.split()
    platform = ""
    while words and words[0].startswith("--"):
        flag = words.pop(0)
        if flag.startswith("--platform="):
            platform = flag.partition("=")[2]
    if len(words) not in (1, 3) or (len(words) == 3 and words[1].upper() != "AS"):
        raise DockerfileInvalid(
            f"{name}:{instruction.first}: FROM {instruction.arguments[:80]!r} is malformed.",
            remedy="Write FROM IMAGE or FROM IMAGE AS NAME.",
        )
    label = words[2].lower() if len(words) == 3 else str(len(stages))
    source = substituted(words[0], known)
    if source == "scratch":
        return Stage(label, instruction.first, scratch=True, platform=platform)
    if source.lower() in {stage.name for stage in stages if not stage.name.isdigit()}:
        return Stage(label, instruction.first, parent=source.lower(), platform=platform)
    return Stage(label, instruction.first, base=_reference(source, instruction, name), platform=platform)


def _with_sources(stages: list[Stage], instructions: list[Instruction], name: str) -> tuple[Stage, ...]:
    """The stages with what their COPY --from and RUN --mount=from take; a later stage may be named too."""
    found, number = list(stages), -1
    for instruction in instructions:
        number += instruction.keyword == "FROM"
        sources = _sources(instruction)
        if number < 0 or not sources:
            continue
        outside = _outside_sources(instruction, stages)
        inside = tuple(known for source in sources if (known := _stage_name(source, stages)) is not None)
        stage = found[number]
        found[number] = replace(
            stage,
            copies_from=stage.copies_from + tuple(_reference(source, instruction, name) for source in outside),
            copies_from_stages=stage.copies_from_stages + inside,
        )
    return tuple(found)


def _sources(instruction: Instruction) -> list[str]:
    if instruction.keyword == "RUN":
        return _MOUNT_FROM.findall(instruction.arguments)
    if instruction.keyword in ("COPY", "ADD") and (source := _from_flag(instruction)):
        return [source]
    return []


def _outside_sources(instruction: Instruction, stages: Sequence[Stage]) -> list[str]:
    """What an instruction takes from images that are no stages. Variables are no names there; the builder says so."""
    return [item for item in _sources(instruction) if "$" not in item and _stage_name(item, stages) is None]


def _stage_name(source: str, stages: Sequence[Stage]) -> str | None:
    for number, stage in enumerate(stages):
        if source.lower() == stage.name or source == str(number):
            return stage.name
    return None


def _from_flag(instruction: Instruction) -> str:
    match = re.match(r"(?:--\S+\s+)*?--from=(\S+)", instruction.arguments)
    return match[1] if match else ""


def _reference(text: str, instruction: Instruction, name: str) -> Reference:
    try:
        return Reference.parse(text)
    except InvalidInput as error:
        raise DockerfileInvalid(f"{name}:{instruction.first}: {error.what}", remedy=error.remedy) from error


def substituted(text: str, known: Mapping[str, str]) -> str:
    """The text with its variables replaced, as BuildKit does in FROM; one without a value becomes nothing."""

    def value(match: re.Match[str]) -> str:
        found = known.get(match["bare"] or match["name"], "")
        if (match["kind"] or "").endswith("-"):
            return found or match["word"]
        if (match["kind"] or "").endswith("+"):
            return match["word"] if found else ""
        return found

    return _VARIABLE.sub(value, text)


def _pin(base: Reference, pins: Mapping[Reference, Reference]) -> Reference:
    if base not in pins:
        raise DockerfileInvalid(f"{base} is not pinned to a digest.", remedy="This is a fault of the caller.")
    return pins[base]


def _without_syntax(lines: list[str]) -> list[str]:
    """The lines with a `syntax` directive, which can only stand at the top, made an empty comment."""
    kept = list(lines)
    for number, line in enumerate(lines):
        match = DIRECTIVE.fullmatch(line.strip())
        if match is None:
            break
        if match["name"].lower() == "syntax":
            kept[number] = "#"
    return kept


def _from_line(stage: Stage, pin: Reference) -> str:
    platform = f"--platform={stage.platform} " if stage.platform else ""
    alias = "" if stage.name.isdigit() else f" AS {stage.name}"
    return f"FROM {platform}{pin}{alias}"


def _replace(lines: list[str], instruction: Instruction, text: str) -> None:
    lines[instruction.first - 1] = text
    for number in range(instruction.first, instruction.last):
        lines[number] = ""
