"""Facts about Lading itself."""

from __future__ import annotations

from lading.facts.fact import Fact
from lading.kernel.subject import Subject, SubjectKind

_LADING = Subject(SubjectKind.SYSTEM, "lading")


class ServerStarted(Fact, frozen=True, kw_only=True, tag="server.started"):
    """`lading up` serves; `clean` is false when the run before it did not stop by itself."""

    version: str
    clean: bool
    host: str

    def subject(self) -> Subject:
        return _LADING


class ServerStopped(Fact, frozen=True, kw_only=True, tag="server.stopped"):
    """The server stopped gracefully."""

    seconds: float

    def subject(self) -> Subject:
        return _LADING


class ClockRegressed(Fact, frozen=True, kw_only=True, tag="clock.regressed"):
    """The machine's clock stood `behind_us` microseconds before the last entry of the ledger."""

    behind_us: int

    def subject(self) -> Subject:
        return _LADING


class CheckpointSigned(Fact, frozen=True, kw_only=True, tag="ledger.checkpoint-signed"):
    """The ledger up to `seq` was signed; cutting off or rewriting anything before it now shows."""

    seq: int
    hash: str
    key_id: str

    def subject(self) -> Subject:
        return Subject(SubjectKind.SYSTEM, "ledger")


class ToolSeen(Fact, frozen=True, kw_only=True, tag="tool.seen"):
    """A tool took part (an engine, a builder, a registry, a scanner) and covers these capabilities."""

    name: str
    role: str
    version: str = ""
    capabilities: tuple[str, ...] = ()

    def subject(self) -> Subject:
        return Subject(SubjectKind.TOOL, self.name)
