"""Learning what images begin with, and answering what they are built on.

A base is found by its layers: an image here all of whose layers another one begins with. Whoever pushes can write any
base into a label. The digests of the unpacked layers are the pusher's word too, but engines hold layers against them
when they unpack: an image that lies about its layers does not start.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from lading.kernel.clock import Clock, parse_timestamp, timestamp
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.kernel.reference import Reference
from lading.state import Database, Transaction
from lading.supply_chain.lineage.chain import chain_ids, diff_ids_of
from lading.supply_chain.lineage.sql import ImageRow, LineageStore, TagRow
from lading.supply_chain.lineage.values import Base, Claim, Word

NAME: Final = "org.opencontainers.image.base.name"
DIGEST: Final = "org.opencontainers.image.base.digest"
LABEL: Final = "lading.base"
# The first image of the first container engine is younger; what says it is older was dated by a reproducible build.
_FIRST_YEAR: Final = 2013
_MOST_TEXT: Final = 500
_MOST_FAMILY: Final = 20


class Images(Protocol):
    """What images say of themselves, and which indexes list them."""

    def config(self, digest: Digest) -> dict[str, Any]:
        """The whole configuration of an image; empty when it has none."""
        ...

    def annotations(self, digest: Digest) -> dict[str, str]:
        """The annotations of its manifest."""
        ...

    def indexes_with(self, digest: Digest) -> list[Digest]:
        """The indexes that list it."""
        ...


class Lineages:
    """Knows what images are built on."""

    def __init__(self, database: Database, images: Images, clock: Clock) -> None:
        self._database = database
        self._images = images
        self._clock = clock
        self._store = LineageStore()

    def learn(self, image: Digest) -> None:
        """Know what an image begins with; what has no layers is left out, and learning it again changes nothing."""
        with self._database.read() as tx:
            if self._store.image(tx, str(image)) is not None:
                return
        configuration = self._images.config(image)
        try:
            chains = chain_ids(diff_ids_of(configuration))
        except InvalidInput:
            return
        if not chains:
            return
        said = claim(configuration, self._images.annotations(image))
        row = ImageRow(
            0, str(image), chains[-1], len(chains), _created(configuration, self._clock.now()), said.name, said.digest
        )
        with self._database.write() as tx:
            self._store.add(tx, row, chains[:-1])

    def of(self, image: Digest) -> Base | None:
        """What an image is built on; None where nothing is known and it says nothing."""
        row = self._row(str(image))
        return None if row is None else self._base(row)

    def line(self, image: Digest) -> list[Base]:
        """What it is built on, what that is built on, and so on down to the first layers."""
        found: list[Base] = []
        row = self._row(str(image))
        while row is not None and (base := self._base(row)) is not None:
            found.append(base)
            row = self._row(base.digest) if base.digest else None
        return found

    def count_on(self, image: Digest) -> int:
        """How many images are built on an image, directly or through others."""
        with self._database.read() as tx:
            row = self._store.image(tx, str(image))
            return 0 if row is None else self._store.count_on(tx, row.chain)

    def unknown(self, images: Sequence[str]) -> list[str]:
        """Those of some images of which nothing was learned yet."""
        with self._database.read() as tx:
            known = self._store.known(tx, images)
        return [image for image in images if image not in known]

    def images_in(self, tx: Transaction, after: str, limit: int) -> list[str]:
        """The images that were learned, by digest, beyond `after`."""
        return self._store.after(tx, after, limit)

    def forget_in(self, tx: Transaction, images: Sequence[str]) -> None:
        """The images are no more. Which image a tag named stays: that is history."""
        self._store.forget(tx, images)

    def _row(self, digest: str) -> ImageRow | None:
        with self._database.read() as tx:
            return self._store.image(tx, digest)

    def _base(self, row: ImageRow) -> Base | None:
        with self._database.read() as tx:
            found = self._store.begins_with(tx, row.id)
        said = Claim(row.said_name, row.said_digest)
        told = f"{said.name}@{said.digest}" if said.digest else said.name
        named = self._named(found, said.digest)
        word = self._word(said, named)
        if not found:
            return Base(said=told, name=said.name, word=word) if told else None
        longest = [one for one in found if one.layers == found[0].layers]
        base = next((one for one in longest if one.digest in named), longest[0])
        tag, moved = self._moved(base, said if base.digest in named else Claim())
        return Base(
            digest=base.digest,
            name=tag or (said.name if base.digest in named else ""),
            layers=base.layers,
            word=word,
            said=told,
            created=base.created,
            age_days=self._age(base.created),
            moved_to=moved.digest if moved else "",
            moved_at=moved.since if moved else "",
        )

    def _named(self, found: Sequence[ImageRow], said: str) -> set[str]:
        """Those of some images that a digest names: itself, or what the index of that digest lists."""
        if not said:
            return set()
        exact = {one.digest for one in found if one.digest == said}
        return exact or {one.digest for one in found[:_MOST_FAMILY] if said in self._indexes(one.digest)}

    def _word(self, said: Claim, named: set[str]) -> Word:
        if not said.name and not said.digest:
            return ""
        if named:
            return "verified"
        return "contradicted" if said.digest and self._row(said.digest) is not None else "unverified"

    def _moved(self, base: ImageRow, said: Claim) -> tuple[str, TagRow | None]:
        """The name of a base, and where its tag went: the tag that was said, else the one that named it last.

        While any tag still names it, and none was said, it is not outdated: somebody keeps it on purpose.
        """
        family = [base.digest, *self._indexes(base.digest)]
        place = _place(said.name)
        with self._database.read() as tx:
            named = self._store.tags_of(tx, family)
            wanted = [one for one in named if place == (one.repository, one.tag)] or named
            present = next((one for one in wanted if not one.until), None)
            if present is not None:
                return f"{present.repository}:{present.tag}", None
            last = max(wanted, key=lambda one: one.until, default=None)
            if last is None:
                return "", None
            now = self._store.named_by(tx, last.repository, last.tag)
        moved = TagRow(last.repository, last.tag, now, last.until, "") if now else None
        return f"{last.repository}:{last.tag}", moved

    def _indexes(self, digest: str) -> set[str]:
        return {str(index) for index in self._images.indexes_with(Digest.parse(digest))}

    def _age(self, created: str) -> int:
        return (self._clock.now() - parse_timestamp(created)).days if created else -1


def claim(configuration: dict[str, Any], annotations: dict[str, str]) -> Claim:
    """What an image says that it is built on: Lading's own label, the annotations of OCI, or labels of their names."""
    settings = configuration.get("config")
    labels = settings.get("Labels") if isinstance(settings, dict) else None
    labels = labels if isinstance(labels, dict) else {}
    name, _, digest = str(labels.get(LABEL, "")).partition("@")
    for words in (annotations, labels):
        name = name or str(words.get(NAME, ""))
        digest = digest or str(words.get(DIGEST, ""))
    try:
        return Claim(name[:_MOST_TEXT], str(Digest.parse(digest)) if digest else "")
    except InvalidInput:
        return Claim(name[:_MOST_TEXT])


def _place(name: str) -> tuple[str, str]:
    """The repository and tag that a reference names, whatever registry it is in."""
    try:
        found = Reference.parse(name)
    except InvalidInput:
        return "", ""
    return found.path, found.tag


def _created(configuration: dict[str, Any], now: datetime) -> str:
    try:
        moment = parse_timestamp(str(configuration.get("created", "")))
    except (InvalidInput, ValueError):
        return ""
    return timestamp(moment) if moment.year >= _FIRST_YEAR and moment <= now else ""
