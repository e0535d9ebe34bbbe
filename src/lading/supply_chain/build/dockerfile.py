"""Read what a Dockerfile says about where its content comes from: stages, FROM, COPY --from.

A small grammar of our own: only stages and references matter here, everything else is BuildKit's business. Source: the
Dockerfile reference ("Format", "Parser directives", "FROM", "ARG", "COPY --from", "Here-documents").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from lading.kernel.errors import InvalidInput
from lading.kernel.reference import Reference
from lading.supply_chain.build.errors import DockerfileInvalid

MOST_BYTES: Final = 1 << 20
_DIRECTIVE: Final = re.compile(r"#\s*(?P<name>syntax|escape|check)\s*=\s*(?P<value>\S.*)", re.IGNORECASE)
_HEREDOC: Final = re.compile(r"<<-?\s*(['\"]?)(?P<word>[A-Za-z_][A-Za-z0-9_]*)\1")
_VARIABLE: Final = re.compile(r"\$(?:(?P<bare>\w+)|\{(?P<name>\w+)(?:(?P<kind>:[-+])(?P<word>[^}]*))?\})")
_WITH_HEREDOC: Final = frozenset({"RUN", "COPY", "ADD"})


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction with its arguments joined to one line; `first` to `last` are its lines, counted from 1."""

    keyword: str
    arguments: str
    first: int
    last: int


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
        """The text with every outside reference of FROM and COPY --from replaced by what `pins` says.

        Lines keep their numbers, so that the builder's messages still point at the right one.
        """
        lines = self.text.split("\n")
        sources = {stage.line: stage for stage in self.stages}
        for instruction in self.instructions:
            if instruction.keyword == "FROM":
                stage = sources[instruction.first]
                if stage.base is not None and stage.base in pins:
                    _replace(lines, instruction, _from_line(stage, pins[stage.base]))
            elif instruction.keyword == "COPY" and (outside := _copied_image(instruction, self.stages)) in pins:
                old, new = f"--from={_from_flag(instruction)}", f"--from={pins[outside]}"
                for number in range(instruction.first - 1, instruction.last):
                    lines[number] = lines[number].replace(old, new)
        return "\n".join(lines)


def parse(text: str, arguments: Mapping[str, str] | None = None, name: str = "Dockerfile") -> Dockerfile:
    """Read a Dockerfile; `arguments` are the values of --build-arg.

    Raises:
        DockerfileInvalid: names the file, the line and what is wrong with it.
    """
    if len(text) > MOST_BYTES:
        raise DockerfileInvalid(f"{name} is larger than 1 MiB.")
    escape, frontend = _directives(text)
    instructions = _instructions(text, escape, name)
    given, known = dict(arguments or {}), {}
    stages: list[Stage] = []
    for instruction in instructions:
        if instruction.keyword == "ARG" and not stages:
            key, equals, default = instruction.arguments.partition("=")
            known[key.strip()] = given.get(key.strip(), _unquoted(default.strip()) if equals else "")
        elif instruction.keyword == "FROM":
            stages.append(_stage(instruction, known, stages, name))
        elif not stages:
            raise DockerfileInvalid(
                f"{name}:{instruction.first}: {instruction.keyword} stands before the first FROM.",
                remedy="Only ARG, comments and directives may.",
            )
        elif instruction.keyword in ("COPY", "ADD", "RUN"):
            stages[-1] = _with_sources(stages[-1], instruction, stages, name)
    if not stages:
        raise DockerfileInvalid(f"{name} has no FROM.", remedy="Begin it with FROM and the image to build on.")
    return Dockerfile(text, tuple(stages), tuple(instructions), frontend)


def _directives(text: str) -> tuple[str, str]:
    escape, frontend = "\\", ""
    for line in text.split("\n"):
        match = _DIRECTIVE.fullmatch(line.strip())
        if match is None:
            break
        if match["name"].lower() == "escape" and match["value"].strip() == "`":
            escape = "`"
        if match["name"].lower() == "syntax":
            frontend = match["value"].strip()
    return escape, frontend


def _instructions(text: str, escape: str, name: str) -> list[Instruction]:
    lines = text.split("\n")
    found, number = [], 0
    while number < len(lines):
        stripped = lines[number].strip()
        if not stripped or stripped.startswith("#"):
            number += 1
            continue
        first = number
        parts: list[str] = []
        while number < len(lines):
            line = lines[number].rstrip()
            number += 1
            if parts and (not line.strip() or line.lstrip().startswith("#")):
                continue
            continued = line.endswith(escape)
            parts.append(line.removesuffix(escape).strip() if continued else line.strip())
            if not continued:
                break
        joined = " ".join(part for part in parts if part)
        keyword, _, arguments = joined.partition(" ")
        if not keyword.isalpha():
            raise DockerfileInvalid(f"{name}:{first + 1}: {keyword[:40]!r} is not an instruction.")
        number = _past_heredocs(lines, number, keyword.upper(), arguments)
        found.append(Instruction(keyword.upper(), arguments.strip(), first + 1, number))
    return found


def _past_heredocs(lines: list[str], number: int, keyword: str, arguments: str) -> int:
    if keyword not in _WITH_HEREDOC:
        return number
    for match in _HEREDOC.finditer(arguments):
        while number < len(lines) and lines[number].strip() != match["word"]:
            number += 1
        number = min(number + 1, len(lines))
    return number


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
    source = _substituted(words[0], known)
    if source == "scratch":
        return Stage(label, instruction.first, scratch=True, platform=platform)
    if source.lower() in {stage.name for stage in stages}:
        return Stage(label, instruction.first, parent=source.lower(), platform=platform)
    return Stage(label, instruction.first, base=_reference(source, instruction, name), platform=platform)


def _with_sources(stage: Stage, instruction: Instruction, stages: list[Stage], name: str) -> Stage:
    sources = [_from_flag(instruction)]
    if instruction.keyword == "RUN":
        sources = re.findall(r"--mount=\S*?\bfrom=([^,\s]+)", instruction.arguments)
    images, names = list(stage.copies_from), list(stage.copies_from_stages)
    for source in filter(None, sources):
        known = _stage_name(source, stages)
        if known is not None:
            names.append(known)
        elif "$" not in source:
            images.append(_reference(source, instruction, name))
    return Stage(
        stage.name, stage.line, stage.base, stage.parent, stage.scratch, stage.platform, tuple(images), tuple(names)
    )


def _stage_name(source: str, stages: list[Stage] | tuple[Stage, ...]) -> str | None:
    for number, stage in enumerate(stages):
        if source.lower() == stage.name or source == str(number):
            return stage.name
    return None


def _copied_image(instruction: Instruction, stages: tuple[Stage, ...]) -> Reference:
    """What `COPY --from` names if it is an outside image; a reference that is in no pin otherwise."""
    source = _from_flag(instruction)
    if not source or "$" in source or _stage_name(source, stages) is not None:
        return Reference("")
    return Reference.parse(source)


def _from_flag(instruction: Instruction) -> str:
    match = re.match(r"(?:--\S+\s+)*?--from=(\S+)", instruction.arguments)
    return match[1] if match else ""


def _reference(text: str, instruction: Instruction, name: str) -> Reference:
    try:
        return Reference.parse(text)
    except InvalidInput as error:
        raise DockerfileInvalid(f"{name}:{instruction.first}: {error.what}", remedy=error.remedy) from error


def _substituted(text: str, known: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        found = known.get(match["bare"] or match["name"], "")
        if match["kind"] == ":-":
            return found or match["word"]
        if match["kind"] == ":+":
            return match["word"] if found else ""
        return found

    return _VARIABLE.sub(value, text)


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def _from_line(stage: Stage, pin: Reference) -> str:
    platform = f"--platform={stage.platform} " if stage.platform else ""
    alias = "" if stage.name.isdigit() else f" AS {stage.name}"
    return f"FROM {platform}{pin}{alias}"


def _replace(lines: list[str], instruction: Instruction, text: str) -> None:
    lines[instruction.first - 1] = text
    for number in range(instruction.first, instruction.last):
        lines[number] = ""
