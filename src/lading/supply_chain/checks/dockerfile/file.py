"""A Dockerfile as its rules see it: stages with their instructions, the images they begin with, and the shell commands.

More forgiving than `build.dockerfile`: what only a build knows (the value of an argument without default) is left open,
and stands as it is written.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from lading.supply_chain.build.dockerfile import substituted
from lading.supply_chain.build.errors import DockerfileInvalid
from lading.supply_chain.build.instructions import Instruction, read_instructions
from lading.supply_chain.checks.dockerfile.shell import Command, Script

KEYWORDS: Final = frozenset({
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER",
    "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
})  # fmt: skip
_FLAG: Final = re.compile(r"--([a-z][a-z-]*)(?:=(\S*))?(?:\s+|$)")
_PLAIN: Final = re.compile(r"\$(?:(\w+)|\{(\w+)\})")
_MOST_STAGES: Final = 1_000


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction: its flags apart from the rest. `later` says that it stood behind ONBUILD."""

    instruction: Instruction
    flags: tuple[tuple[str, str], ...]
    rest: str
    later: bool = False

    @property
    def keyword(self) -> str:
        """FROM, RUN and so on."""
        return self.instruction.keyword

    @property
    def line(self) -> int:
        """Where it begins."""
        return self.instruction.first

    def flag(self, name: str) -> str:
        """The value of the first flag of that name, or nothing."""
        return next((value for flag, value in self.flags if flag == name), "")

    @property
    def listed(self) -> list[str] | None:
        """The words of the exec form, or None where it is no such list."""
        if not self.rest.startswith("["):
            return None
        try:
            words = json.loads(self.rest)
        except (ValueError, RecursionError):
            return None
        return words if isinstance(words, list) and all(isinstance(word, str) for word in words) else None

    @property
    def words(self) -> list[str]:
        """The words of the arguments without quotes, flags apart."""
        if (listed := self.listed) is not None:
            return listed
        try:
            return shlex.split(self.rest)
        except ValueError:
            return self.rest.split()

    def commands(self) -> list[Command]:
        """The shell commands that a RUN (or another instruction in shell form) runs."""
        if (listed := self.listed) is not None:
            return Script([(self.line, shlex.join(listed))], " ").commands()
        found = Script(self._parts(), " ").commands()
        # A here-document is the script itself, or the input of a shell; otherwise it is a file.
        runs = self.keyword == "RUN" and (not found or {one.program for one in found} <= {"", "sh", "bash", "ash"})
        for document in self.instruction.documents if runs else ():
            numbered = list(enumerate(document.lines, document.first))
            found += Script(numbered, "\n").commands()
        return found

    def _parts(self) -> list[tuple[int, str]]:
        """The continued lines, the first without keyword and flags."""
        parts = list(self.instruction.parts)
        dropped = len(self.flags) + 1 + self.later
        while parts and dropped:
            line, text = parts[0]
            words = text.split(None, 1)
            if not words:
                parts.pop(0)
                continue
            dropped -= 1
            parts[0] = (line, words[1] if len(words) > 1 else "")
        return parts


@dataclass(frozen=True, slots=True)
class StageOf:
    """One FROM with what follows it. `image` is an outside image as far as it is known; `parent` an earlier stage."""

    name: str
    place: int
    begin: Step
    image: str = ""
    parent: int | None = None
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class BuildFile:
    """A whole file. `has_ignore_file` is None where nobody knows which directory it is built from."""

    before: tuple[Step, ...]
    stages: tuple[StageOf, ...]
    has_ignore_file: bool | None = None
    names: frozenset[str] = field(default=frozenset())

    def steps(self, *keywords: str) -> Iterator[tuple[StageOf, Step]]:
        """Every instruction of these kinds, those behind ONBUILD too."""
        for stage in self.stages:
            for step in stage.steps:
                if step.keyword in keywords:
                    yield stage, step

    @property
    def final(self) -> tuple[StageOf, ...]:
        """The last stage and those it grew out of, the last first: their instructions make the image."""
        chain = [self.stages[-1]]
        while (parent := chain[-1].parent) is not None:
            chain.append(self.stages[parent])
        return tuple(chain)

    def last(self, keyword: str) -> Step | None:
        """The instruction of a kind that holds for the image in the end; those behind ONBUILD do not."""
        for stage in self.final:
            for step in reversed(stage.steps):
                if step.keyword == keyword and not step.later:
                    return step
        return None

    def commands(self, only_final: bool = False) -> Iterator[tuple[Step, list[Command]]]:
        """Every RUN with its commands; `only_final` leaves out stages that are only copied from."""
        kept = {stage.place for stage in self.final}
        for stage, step in self.steps("RUN"):
            if not only_final or stage.place in kept:
                yield step, step.commands()


def read_build_file(text: str, name: str = "Dockerfile", has_ignore_file: bool | None = None) -> BuildFile:
    """Read a Dockerfile for its rules.

    Raises:
        DockerfileInvalid: a line is no instruction, something stands before the first FROM, or there is none.
    """
    before: list[Step] = []
    stages: list[StageOf] = []
    steps: list[list[Step]] = []
    values: dict[str, str] = {}
    for instruction in read_instructions(text, name).listed:
        if instruction.keyword not in KEYWORDS:
            raise DockerfileInvalid(f"{name}:{instruction.first}: {instruction.keyword[:40]} is no instruction.")
        step = _step(instruction)
        if step.keyword == "FROM" and not step.later:
            stages.append(_stage(step, stages, values, name))
            steps.append([])
        elif stages:
            steps[-1].append(step)
        elif step.keyword == "ARG":
            before.append(step)
            values |= _defaults(step, values)
        else:
            raise DockerfileInvalid(f"{name}:{step.line}: {step.keyword} stands before the first FROM.")
    if not stages:
        raise DockerfileInvalid(f"{name} has no FROM.", remedy="Begin it with FROM and the image to build on.")
    whole = tuple(replace(stage, steps=tuple(own)) for stage, own in zip(stages, steps, strict=True))
    names = frozenset(stage.name for stage in whole)
    return BuildFile(tuple(before), whole, has_ignore_file, names)


def _step(instruction: Instruction) -> Step:
    later = False
    if instruction.keyword == "ONBUILD":
        keyword, _, rest = instruction.arguments.partition(" ")
        if keyword.upper() in KEYWORDS:
            instruction, later = replace(instruction, keyword=keyword.upper(), arguments=rest.strip()), True
    flags, rest = [], instruction.arguments
    while match := _FLAG.match(rest):
        flags.append((match[1], match[2] or ""))
        rest = rest[match.end() :]
    return Step(instruction, tuple(flags), rest.strip(), later)


def _stage(step: Step, stages: list[StageOf], values: Mapping[str, str], name: str) -> StageOf:
    words = step.rest.split()
    if len(words) not in (1, 3) or (len(words) == 3 and words[1].upper() != "AS") or len(stages) >= _MOST_STAGES:
        raise DockerfileInvalid(f"{name}:{step.line}: FROM is malformed.", remedy="Write FROM IMAGE AS NAME.")
    place = len(stages)
    label = words[2].lower() if len(words) == 3 else ""
    image = resolved(words[0], values)
    parent = next((one.place for one in reversed(stages) if one.name and one.name == image.lower()), None)
    return StageOf(label, place, step, "" if parent is not None else image, parent)


def resolved(text: str, values: Mapping[str, str]) -> str:
    """The text with variables replaced; as it is written where one of them has no value here."""
    if any(not values.get(bare or braced) for bare, braced in _PLAIN.findall(text)):
        return text
    return substituted(text, values)


def _defaults(step: Step, values: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in step.words:
        key, _, default = word.partition("=")
        found[key] = substituted(default, {**values, **found})
    return found
