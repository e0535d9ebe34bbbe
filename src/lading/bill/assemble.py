"""Put the bill of one subject together: the six questions first, then everything behind the answers."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from lading.bill import sections, sql
from lading.bill.bill import Bill, Event, Line, Section
from lading.bill.details import Details, RuntimeDetails
from lading.bill.words import words
from lading.facts import Ledger
from lading.kernel.clock import Clock, timestamp
from lading.kernel.errors import Conflict, LadingError, NotFound
from lading.kernel.subject import Subject
from lading.state import Database

_MOST_HISTORY: Final = 40

Known = dict[str, Any]


class Bills:
    """Writes bills."""

    def __init__(
        self, database: Database, ledger: Ledger, details: Details, runtime: RuntimeDetails, clock: Clock
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._details = details
        self._runtime = runtime
        self._clock = clock

    def find(self, text: str) -> str:
        """The subject that a person means: a workload, a container's name or id, an image's name or digest.

        Raises:
            NotFound: nobody knows it.
            Conflict: it could be several; the candidates are in the details.
        """
        with self._database.read() as tx:
            found = sql.named(tx, text)
        # Many images may have had one name: the one heard of last is meant.
        kinds = {subject.partition(":")[0] for subject, _ in found}
        if not found:
            raise NotFound(
                f"Nothing is known about {text[:200]!r}.",
                remedy="Give a workload (shop/web), a container's name or id, or an image; see `lading ps`.",
            )
        if len(found) > 1 and not (kinds == {"image"} and len({name for _, name in found}) == 1):
            preferred = [subject for subject, _ in found if subject.startswith("workload:")]
            if len(preferred) == 1:
                return preferred[0]
            candidates = tuple(f"{subject}  {name}" for subject, name in found[:10])
            raise Conflict(f"{text[:200]!r} could be several things.", remedy="Name one of them.", details=candidates)
        return found[0][0]

    def of(self, text: str) -> Bill:
        """The bill of what `text` means; raises as `find` does."""
        subject = self.find(text)
        related = self._related(subject)
        image_subject, container_subject, workload = related["image"], related["container"], related["workload"]
        image, container = self._known(image_subject), self._known(container_subject)
        declared = self._known(f"workload:{workload}") if workload else {}
        application = self._known(f"workload:{workload.partition('/')[0]}") if workload else {}
        digest = image_subject.removeprefix("image:")
        parts = self._sections(subject, digest, workload, image, container, declared, application)
        team = self._team(image, declared, container)
        history = self._history([item for item in (subject, image_subject, container_subject) if item])
        return Bill(
            subject=subject,
            name=self._name(subject),
            team=team,
            made=timestamp(self._clock.now()),
            answers=self._answers(subject, team, digest, workload, image, declared, container),
            sections=tuple(parts),
            history=history,
            data={"image": image, "workload": declared, "container": container},
        )

    def _sections(
        self, subject: str, digest: str, workload: str, image: Known, container: Known, declared: Known,
        application: Known,
    ) -> list[Section]:  # fmt: skip
        details, runtime = self._details, self._runtime
        about = [item for item in (f"workload:{workload}" if workload else "", f"image:{digest}", subject) if item]
        made = [
            sections.guarded("Source", lambda: sections.source(image, application)),
            sections.guarded("Build", lambda: sections.build(image)),
            sections.guarded("Image", lambda: sections.image_facts(image, digest, details)),
            sections.guarded("Base", lambda: sections.base(digest, details)),
            sections.guarded("Packages", lambda: sections.packages(digest, details)),
            sections.guarded("Findings", lambda: sections.findings(digest, details)),
            sections.guarded("Weaknesses", lambda: sections.weaknesses(digest, details)),
            *self._set_aside(digest),
            sections.guarded("Attestations", lambda: sections.attestations(digest, details)),
            sections.guarded("Reports", lambda: sections.reports(digest, details)),
            sections.guarded("Decisions", lambda: sections.decisions(about, details)),
        ]
        if workload:
            made += [
                sections.guarded("Placement", lambda: sections.placement(workload, declared, runtime)),
                sections.guarded("Privileges and posture", lambda: sections.posture(container)),
                sections.guarded("Drift and incidents", lambda: sections.drift(workload, runtime)),
                sections.guarded("Metrics", lambda: sections.metrics(workload, runtime)),
                sections.guarded("Recent logs", lambda: sections.logs(workload, runtime)),
            ]
        return made

    def _set_aside(self, digest: str) -> list[Section]:
        """A heading of its own for what does not count, when there is something."""
        section = sections.guarded("Set aside", lambda: sections.set_aside(digest, self._details))
        return [section] if section.rows or section.unknown else []

    def _answers(
        self, subject: str, team: str, digest: str, workload: str, image: Known, declared: Known, container: Known
    ) -> tuple[Line, ...]:
        built, pushed, moved = (image.get(kind, {}) for kind in ("image.built", "image.pushed", "image.moved"))
        origin = f"source {sections.short(built['source'])}" if built else pushed.get("repository", "an unknown place")
        commit = f", commit {built['commit'][:12]}" if built.get("commit") else ""
        state = moved.get("after", "unknown")
        return (
            Line(
                label="What is it?",
                value=f"{subject.partition(':')[0]} {self._name(subject)}, image {sections.short(digest)}",
            ),
            Line(label="Where does it come from?", value=f"{origin}{commit}"),
            Line(label="Who owns it?", value=f"team {team}" if team else "nobody", state="ok" if team else "bad"),
            Line(label="Is it allowed here?", value=f"{state}: {moved.get('why', 'nobody decided')}",
                 state="ok" if state == "approved" else "bad"),
            self._doing(workload, container),
            self._must_change(digest, declared),
        )  # fmt: skip

    def _doing(self, workload: str, container: Known) -> Line:
        if not workload:
            return Line(label="What is it doing?", value="it is an image; see the workloads that run it")
        try:
            incidents = [item for item in self._runtime.incidents(workload) if item["state"] == "open"]
            running = [item for item in self._runtime.containers(workload) if item["state"] == "running"]
        except LadingError as error:
            return Line(label="What is it doing?", value=f"not known: {error}", state="warn")
        beyond = container.get("container.posture-assessed", {}).get("deviations", [])
        value = (
            f"{len(running)} running, {len(incidents)} open incidents, {len(beyond)} privileges beyond what was allowed"
        )
        return Line(label="What is it doing?", value=value, state="bad" if incidents or beyond else "ok")

    def _must_change(self, digest: str, declared: Known) -> Line:
        try:
            fixable = [item for item in self._details.findings(digest) if item["fixed"]]
        except LadingError as error:
            return Line(label="What must change?", value=f"not known: {error}", state="warn")
        del declared
        if not fixable:
            return Line(label="What must change?", value="nothing that is known", state="ok")
        upgrades = list(dict.fromkeys(f"{item['package']} to {item['fixed']}" for item in fixable))
        more = f" and {len(upgrades) - 3} more" if len(upgrades) > 3 else ""
        state = "bad" if any(item["rank"] >= 4 or item["kev"] for item in fixable) else "warn"
        return Line(label="What must change?", value=f"raise {', '.join(upgrades[:3])}{more}", state=state)

    # What belongs together

    def _related(self, subject: str) -> dict[str, str]:
        kind, _, identity = subject.partition(":")
        with self._database.read() as tx:
            if kind == "workload":
                containers = sql.relatives_of(tx, subject, "container")
                images = sql.relatives_of(tx, subject, "image")
                return {
                    "workload": identity,
                    "image": images[0] if images else "",
                    "container": containers[0] if containers else "",
                }
            if kind == "container":
                workloads = sql.relatives_of(tx, subject, "workload")
                images = sql.relatives_of(tx, subject, "image")
                return {
                    "workload": workloads[0].partition(":")[2] if workloads else "",
                    "image": images[0] if images else "",
                    "container": subject,
                }
        return {"workload": "", "image": subject, "container": ""}

    def _known(self, subject: str) -> Known:
        if not subject:
            return {}
        with self._database.read() as tx:
            body = sql.body_of(tx, subject)
        return dict(msgspec.json.decode(body)) if body else {}

    def _name(self, subject: str) -> str:
        with self._database.read() as tx:
            found = sql.named(tx, subject)
        return next((name for known, name in found if known == subject), subject.partition(":")[2])

    def _team(self, image: Known, declared: Known, container: Known) -> str:
        for known, kind in ((declared, "workload.declared"), (container, "container.started"), (image, "image.pushed")):
            if team := known.get(kind, {}).get("team"):
                return str(team)
        return ""

    def _history(self, subjects: list[str]) -> tuple[Event, ...]:
        entries = {}
        with self._database.read() as tx:
            for subject in dict.fromkeys(subjects):
                parsed = Subject.parse(subject)
                for entry in self._ledger.read(tx, subject=parsed, newest_first=True, limit=_MOST_HISTORY):
                    entries[entry.seq] = entry
        youngest = sorted(entries.values(), key=lambda entry: entry.seq)[-_MOST_HISTORY:]
        return tuple(
            Event(
                at=timestamp(entry.at),
                seq=entry.seq,
                subject=str(entry.subject),
                actor=entry.actor,
                words=words(entry.fact),
            )
            for entry in youngest
        )
