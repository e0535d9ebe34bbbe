"""A pack: all the rules in force together, compiled once.

Loading is where mistakes are found: everything that can be wrong with a rule is wrong here, with file, line and rule,
and not in the middle of a decision.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from lading.kernel.canonical import canonical_json
from lading.kernel.clock import parse_timestamp
from lading.kernel.digest import Digest
from lading.kernel.severity import Severity
from lading.policy.cel import CelEngine, Program
from lading.policy.cel_google import GoogleCel
from lading.policy.errors import PolicyDoesNotCompile, PolicyInvalid
from lading.policy.paths import is_path, steps
from lading.policy.rule import Rule, RuleException, Stage
from lading.policy.source import MOST_BYTES, Sourced, read_rules
from lading.policy.template import Template

DEFAULT_PACK: Final = Path(__file__).parent / "default_pack"
MOST_RULES: Final = 1_000
_ID: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_MENTIONED: Final = re.compile(r"\binput((?:\.[A-Za-z_]\w*)+)(?!\w*\()")


@dataclass(frozen=True, slots=True)
class CompiledException:
    """An exception ready to be asked: `program` is None when only the subject counts."""

    stated: RuleException
    until: datetime
    program: Program | None


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule with everything in it parsed. `level` is None when the severity is taken from the item."""

    rule: Rule
    digest: str
    each: tuple[str | int, ...]
    when: Program | None
    deny: Program
    level: Severity | None
    severity: Template
    message: Template
    remedy: Template
    mentions: tuple[str, ...]
    exceptions: tuple[CompiledException, ...]


@dataclass(frozen=True)
class Pack:
    """Rules in force, by stage. `digest` names exactly this set of rule versions."""

    rules: tuple[CompiledRule, ...]
    digest: str
    engine: CelEngine
    origin: str = ""

    def of_stage(self, stage: Stage) -> tuple[CompiledRule, ...]:
        """The rules that speak about `stage`, in the order of their ids."""
        return tuple(compiled for compiled in self.rules if stage in compiled.rule.stages)

    def rule(self, identity: str) -> CompiledRule | None:
        """The rule with this id."""
        return next((compiled for compiled in self.rules if compiled.rule.id == identity), None)


def load_pack(path: Path | None = None, engine: CelEngine | None = None) -> Pack:
    """Compile the rules of a file, or of every `*.yaml` and `*.yml` below a directory; by default those of Lading.

    Raises:
        PolicyInvalid: a file cannot be read or is not a rule file, or an id stands twice; names file, line and rule.
        PolicyDoesNotCompile: an expression is wrong.
    """
    return parse_pack(read_texts(path), engine, origin="default" if path is None else str(path))


def default_pack(engine: CelEngine | None = None) -> Pack:
    """The rules that come with Lading."""
    return load_pack(None, engine)


def read_texts(path: Path | None = None) -> dict[str, str]:
    """The rule files of `load_pack` by name, not parsed yet: what is sent to a server to be simulated there.

    Raises:
        PolicyInvalid: there is no such file, it cannot be read, is too large or not UTF-8.
    """
    root = path or DEFAULT_PACK
    texts = {}
    for file in _files(root):
        name = file.relative_to(root).as_posix() if root.is_dir() else file.name
        try:
            with file.open("rb") as opened:
                texts[name] = opened.read(MOST_BYTES + 1).decode()
        except (OSError, UnicodeDecodeError) as error:
            raise PolicyInvalid(f"The rule file {file} cannot be read: {error}.", remedy="Save it as UTF-8.") from error
    return texts


def parse_pack(texts: Mapping[str, str | bytes], engine: CelEngine | None = None, *, origin: str = "") -> Pack:
    """Compile rule files that are already in memory, by name. Raises as `load_pack` does."""
    sourced = [rule for name, text in sorted(texts.items()) for rule in read_rules(text, name)]
    if len(sourced) > MOST_RULES:
        raise PolicyInvalid(f"There are {len(sourced)} rules.", remedy=f"A pack has at most {MOST_RULES}.")
    first: dict[str, Sourced] = {}
    for one in sourced:
        if one.rule.id in first:
            raise PolicyInvalid(
                f"{one.where('$.id')}: rule {one.rule.id!r} is already in {first[one.rule.id].where('$.id')}.",
                remedy="Give every rule its own id.",
            )
        first[one.rule.id] = one
    used = engine or GoogleCel()
    return _pack([compile_rule(one.rule, used, one) for one in sourced], used, origin)


def pack_of(rules: Iterable[Rule], engine: CelEngine | None = None, *, origin: str = "") -> Pack:
    """A pack of rules that are already values: kept versions, for a replay."""
    used = engine or GoogleCel()
    return _pack([compile_rule(rule, used) for rule in rules], used, origin)


def _pack(compiled: list[CompiledRule], engine: CelEngine, origin: str) -> Pack:
    ordered = tuple(sorted(compiled, key=lambda one: one.rule.id))
    digest = Digest.of(canonical_json([[one.rule.id, one.digest] for one in ordered]))
    return Pack(ordered, str(digest), engine, origin)


def compile_rule(rule: Rule, engine: CelEngine, source: Sourced | None = None) -> CompiledRule:
    """Compile one rule; `source` gives the error messages their place."""
    compiler = _Compiler(rule, engine, source)
    items = bool(rule.each)
    compiler.check_shape()
    return CompiledRule(
        rule=rule,
        digest=str(rule.digest()),
        each=steps(rule.each),
        when=compiler.program("when", rule.when, items=False) if rule.when else None,
        deny=compiler.program("deny", rule.deny, items=items),
        level=None if "{" in rule.severity else compiler.level(),
        severity=compiler.template("severity", rule.severity),
        message=compiler.template("message", rule.message),
        remedy=compiler.template("remedy.text", rule.remedy.text),
        mentions=mentions(rule),
        exceptions=tuple(
            compiler.exception(f"exceptions[{number}]", one) for number, one in enumerate(rule.exceptions)
        ),
    )


def mentions(rule: Rule) -> tuple[str, ...]:
    """The places of the input that the rule's expressions speak of: what a refusal shows as its evidence."""
    found = dict.fromkeys(match[1:] for match in _MENTIONED.findall(f"{rule.when} {rule.deny}"))
    # `has(input.image)` beside `input.image.user` adds nothing but bulk.
    return tuple(path for path in found if not any(other.startswith(path + ".") for other in (*found, rule.each)))


class _Compiler:
    """Compiles the parts of one rule and says where it went wrong."""

    def __init__(self, rule: Rule, engine: CelEngine, source: Sourced | None) -> None:
        self._rule = rule
        self._engine = engine
        self._source = source

    def check_shape(self) -> None:
        rule = self._rule
        wrong = [
            ("id", _ID.fullmatch(rule.id) is None or len(rule.id) > 80, "an id is lower-case words joined by hyphens"),
            ("title", not rule.title.strip(), "the title is empty"),
            ("owner", not rule.owner.strip(), "the owner is empty"),
            ("message", not rule.message.strip(), "the message is empty"),
            ("stages", not rule.stages, "it names no stage"),
            ("each", bool(rule.each) and not is_path(rule.each), "each is not a path such as findings"),
            ("remedy", (rule.remedy.kind == "set") != bool(rule.remedy.set), "`set` belongs to the kind set"),
            ("remedy", rule.remedy.kind == "upgrade" and rule.each != "findings", "upgrade needs each: findings"),
            ("remedy", any("[" in path or not is_path(path) for path in rule.remedy.set), "`set` has dotted paths"),
        ]
        for key, is_wrong, why in wrong:
            if is_wrong:
                raise PolicyInvalid(f"{self._place(key)}: {why}.")

    def level(self) -> Severity:
        level = Severity.parse(self._rule.severity)
        if level is Severity.UNKNOWN:
            raise PolicyInvalid(
                f"{self._place('severity')}: {self._rule.severity!r} is not a severity.",
                remedy="Write low, medium, high or critical, or {it.severity}.",
            )
        return level

    def program(self, key: str, expression: str, *, items: bool) -> Program:
        try:
            return self._engine.compile(expression, items=items)
        except PolicyDoesNotCompile as error:
            raise PolicyDoesNotCompile(
                f"{self._place(key)}: does not compile: {error.what}",
                remedy=error.remedy or "Mend the CEL expression; `input` is the document and `it` an item of `each`.",
                details=(expression[:300],),
            ) from error

    def template(self, key: str, text: str) -> Template:
        try:
            return Template.parse(text, items=bool(self._rule.each))
        except PolicyInvalid as error:
            raise PolicyInvalid(f"{self._place(key)}: {error.what}", remedy=error.remedy) from error

    def exception(self, key: str, stated: RuleException) -> CompiledException:
        try:
            return compile_exception(stated, self._engine, items=bool(self._rule.each))
        except PolicyInvalid as error:
            raise type(error)(f"{self._place(key)}: {error.what}", remedy=error.remedy) from error

    def _place(self, key: str) -> str:
        where = f"{self._source.where('$.' + key)}: " if self._source else ""
        return f"{where}rule {self._rule.id!r}, {key}"


def compile_exception(stated: RuleException, engine: CelEngine, *, items: bool) -> CompiledException:
    """Make an exception ready; raises PolicyInvalid when it says too little or its moment is not one."""
    if not (stated.subject or stated.match):
        raise PolicyInvalid("The exception matches everything.", remedy="Give it `subject` (a glob) or `match` (CEL).")
    if not (stated.reason.strip() and stated.owner.strip()):
        raise PolicyInvalid("The exception has no reason or no owner.", remedy="Say why, and who answers for it.")
    try:
        until = parse_timestamp(stated.until)
    except ValueError as error:
        raise PolicyInvalid(
            f"{stated.until!r} is not a moment.", remedy="Write until: as 2026-12-31 or RFC 3339."
        ) from error
    program = engine.compile(stated.match, items=items) if stated.match else None
    return CompiledException(stated, until, program)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.suffix in (".yaml", ".yml") and file.is_file())
    if path.is_file():
        return [path]
    raise PolicyInvalid(f"There is no rule file {path}.", remedy="Name a YAML file or a directory of them.")
