"""What a rule file says, as values: the wire form of policy.

A rule is kept for ever by the digest of its canonical form, because decisions made by it must be explainable and
replayable after the file has changed. Fields may be added with defaults (they are left out of the canonical form while
they hold the default, so old digests stay), never renamed.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from lading.kernel.canonical import canonical_json
from lading.kernel.digest import Digest

Stage = Literal["build", "push", "verify", "pull", "deploy", "run"]
Effect = Literal["deny", "warn"]
STAGES: tuple[Stage, ...] = ("build", "push", "verify", "pull", "deploy", "run")


class Remedy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How the smallest change that would pass is found.

    `upgrade`: raise the packages named by the violating findings. `set`: change these places of the input (a dotted
    path and the value it would have). `text`: only words; nothing can be tried out. `text` is a template, as messages
    are, and describes the change to a person.
    """

    kind: Literal["upgrade", "set", "text"] = "text"
    text: str = ""
    set: dict[str, Any] = {}


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A small input and what the rule must say about it; `messages` are all the messages, in order, when given."""

    input: dict[str, Any]
    denied: bool
    name: str = ""
    messages: tuple[str, ...] | None = None


class RuleException(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A rule does not hold where `subject` (a glob over `kind:id`) and `match` (CEL) say, until a moment.

    At least one of the two is given; when both are, both must hold. `until` is RFC 3339 or a date (its first moment,
    UTC).
    """

    reason: str
    owner: str
    until: str
    subject: str = ""
    match: str = ""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One rule.

    `when` guards the rule over the whole `input`; `each` names a list of the input whose items are judged one by one
    as `it`; `deny` is true for what is refused. `message` and `remedy.text` are templates. `severity` is a level, or a
    template such as `{it.severity}`. `effect: warn` says so and lets pass.
    """

    id: str
    title: str
    stages: tuple[Stage, ...]
    severity: str
    owner: str
    message: str
    deny: str
    each: str = ""
    when: str = ""
    effect: Effect = "deny"
    remedy: Remedy = Remedy()
    examples: tuple[Example, ...] = ()
    exceptions: tuple[RuleException, ...] = ()

    def canonical(self) -> bytes:
        """The bytes that are kept and hashed: everything the rule decides by, without its examples."""
        return canonical_json(msgspec.structs.replace(self, examples=()))

    def digest(self) -> Digest:
        """The version of the rule."""
        return Digest.of(self.canonical())
