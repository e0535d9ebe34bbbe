"""Facts about who may see which repository."""

from __future__ import annotations

from lading.facts.fact import Fact
from lading.kernel.subject import Subject, SubjectKind


class TokenKeysRotated(Fact, frozen=True, kw_only=True, tag="registry.token-keys-rotated"):
    """Tokens of the token flow are signed with another key, from a moment on."""

    key_id: str
    since: str

    def subject(self) -> Subject:
        return Subject(SubjectKind.SYSTEM, "lading")


class VisibilityChanged(Fact, frozen=True, kw_only=True, tag="repository.visibility-changed"):
    """A repository is private, internal or public now."""

    repository: str
    before: str
    visibility: str

    def subject(self) -> Subject:
        return Subject(SubjectKind.REPOSITORY, self.repository)
