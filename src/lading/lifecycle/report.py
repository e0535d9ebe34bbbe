"""A report of another tool about an image: read, compared with the image, attested, kept, and the image judged again.

Every step can be repeated: the same report is the same statement and is kept once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, Protocol

import msgspec

from lading.kernel.digest import Digest
from lading.lifecycle.admit import Admission
from lading.lifecycle.telling import Untold
from lading.supply_chain.attest.attestations import Attestations
from lading.supply_chain.foreign.errors import ReportInvalid, ReportMismatch
from lading.supply_chain.foreign.predicate import predicate_of
from lading.supply_chain.foreign.reading import read_report
from lading.supply_chain.foreign.report import ForeignReport, Kind
from lading.supply_chain.foreign.reports import KeptReport, Reports
from lading.supply_chain.registry.members import Member
from lading.supply_chain.registry.states import ImageStates, State

_JUDGED: Final = (State.APPROVED, State.QUARANTINED)


class Relatives(Protocol):
    """Which images belong together."""

    def members(self, digest: Digest, platforms: Collection[str] = ()) -> Sequence[Member]:
        """The images that an index lists; none for an image."""
        ...

    def indexes_with(self, digest: Digest) -> list[Digest]:
        """The indexes that list an image."""
        ...


class Testimony:
    """Takes reports in."""

    def __init__(
        self,
        *,
        reports: Reports,
        attestations: Attestations,
        admission: Admission,
        states: ImageStates,
        relatives: Relatives,
    ) -> None:
        self._reports = reports
        self._attestations = attestations
        self._admission = admission
        self._states = states
        self._relatives = relatives

    def take(
        self, image: Digest, repository: str, body: bytes, *, name: str, actor: str, tool: str = "",
        kind: Kind | None = None, configuration: str = "",
    ) -> KeptReport:  # fmt: skip
        """Take a report about an image in, and judge the image by it.

        Args:
            name: of the file, for messages.
            tool, kind: what the report itself leaves open.
            configuration: how the tool was set, where the report does not show it.

        Raises:
            ReportInvalid: it cannot be read.
            ReportMismatch: it says that it is about another image.
            NotFound: the image is not in the repository.
        """
        report = read_report(body, name, tool=tool, kind=kind)
        if configuration:
            report = msgspec.structs.replace(report, configuration=configuration[:500])
        self._compare(report, image, name)
        content = Digest.of(body)
        known = self._reports.find(image, content)
        if known is not None:
            return known
        try:
            predicate_type, predicate = predicate_of(report, body)
            made = self._attestations.attest(image, repository, predicate_type, predicate, actor=actor)
        except (OverflowError, ValueError, RecursionError) as error:
            raise ReportInvalid(f"{name} cannot be attested: {str(error)[:200]}.") from error
        kept = self._reports.keep(image, content, report, attestation=str(made.digest), actor=actor)
        self._judge(image, repository)
        return kept

    def _compare(self, report: ForeignReport, image: Digest, name: str) -> None:
        if not report.subjects:
            return
        related = {str(image), *(str(one) for one in self._relatives.indexes_with(image))}
        related |= {member.digest for member in self._relatives.members(image)}
        if related.isdisjoint(report.subjects):
            raise ReportMismatch(
                f"{name} is about {report.subjects[0][:100]}, not about {image}.",
                remedy="Let the tool look at this very image, or attach the report to the one that it saw.",
            )

    def _judge(self, image: Digest, repository: str) -> None:
        """What a report says counts at once: an approval ends, or comes when this was what was missing."""
        state = self._states.state(image)
        if state is None or state.state not in _JUDGED:
            return
        if state.state is State.APPROVED:
            self._admission.reconsider(image, repository)
        else:
            self._admission.admit(image, repository, Untold())
