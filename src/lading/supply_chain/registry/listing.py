"""Lists of images, repositories, tags and layers, page by page, for consoles and programs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, TypeVar

import msgspec

from lading.kernel.clock import Clock, SystemClock
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.state import Database
from lading.supply_chain.registry.access import Sight
from lading.supply_chain.registry.attribution import missing
from lading.supply_chain.registry.sql import listing as sql
from lading.supply_chain.registry.standing import ImageState, State

T = TypeVar("T")
_ROUNDS: Final = 20
_MOST_USERS: Final = 500
_MOST_TAGS: Final = 5_000
_UNKNOWN: Final = "unknown"
COUNTED: Final = 10_000


class ListedImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image in a list. `missing` names what its push did not say about where it comes from."""

    repository: str
    digest: str
    tags: list[str]
    media_type: str
    size: int
    team: str
    principal: str
    commit: str
    pipeline: str
    missing: tuple[str, ...]
    pushed: str
    state: str
    why: str
    until: str
    pulls: int
    last_pull: str

    @property
    def key(self) -> str:
        """Where the page after this image begins."""
        return " ".join((self.pushed, self.digest, self.repository))


class ListedRepository(msgspec.Struct, frozen=True, kw_only=True):
    """A repository in a list; `bytes` are those of its blobs."""

    repository: str
    team: str
    visibility: str
    bytes: int
    created: str
    images: int
    tags: int
    pulls: int
    last_pull: str


class ListedTag(msgspec.Struct, frozen=True, kw_only=True):
    """A tag in a list, with what it names. An artifact (a signature, say) has no state of its own."""

    tag: str
    digest: str
    moved: str
    size: int
    principal: str
    state: str
    why: str
    pulls: int
    last_pull: str


class LayerUser(msgspec.Struct, frozen=True, kw_only=True):
    """An image that has a layer, `position` from the bottom."""

    repository: str
    digest: str
    team: str
    size: int
    position: int


class Listings:
    """Reads pages of lists."""

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or SystemClock()

    def images(
        self,
        *,
        teams: Collection[str] | None = None,
        may: Callable[[str, str], bool] = lambda _team, _repository: True,
        repository: str = "",
        state: str = "",
        text: str = "",
        unattributed: bool = False,
        after: str = "",
        limit: int = 100,
    ) -> list[ListedImage]:
        """Images, youngest first.

        Args:
            teams: whose images; None for everybody's.
            may: of a team and a repository, whether the viewer may read it.
            text: a part of a repository's name, NAME:TAG, or the beginning of a digest.
            unattributed: only those whose push did not say where they come from.
            after: `key` of the last image of the page before.

        Raises:
            InvalidInput: `after` or `state` is none.
        """
        if state and state not in set(State):
            raise InvalidInput(f"{state[:40]!r} is no state.", remedy=f"States are {', '.join(State)}.")
        found: list[ListedImage] = []
        place = _place(after) if after else None
        with self._database.read() as tx:
            for _ in range(_ROUNDS):
                rows = sql.image_page(
                    tx, teams=teams, repository=repository, state=state, text=text, unattributed=unattributed,
                    after=place, limit=limit,
                )  # fmt: skip
                shown = [row for row in rows if may(row.team, row.repository)]
                named = sql.tags_of(tx, {(row.repository, row.digest) for row in shown}, _MOST_TAGS)
                found += [self._image(row, named.get((row.repository, row.digest), [])) for row in shown]
                if len(rows) < limit or len(found) >= limit:
                    break
                place = sql.After(rows[-1].pushed, rows[-1].digest, rows[-1].repository)
        if unattributed:
            found = [one for one in found if one.missing]
        return found[:limit]

    def some(self, digests: Sequence[str]) -> list[ListedImage]:
        """Images by their digests, in every repository that holds them, youngest first among 500 at a time."""
        found: list[ListedImage] = []
        with self._database.read() as tx:
            for start in range(0, len(digests), _MOST_USERS):
                rows = sql.some_images(tx, digests[start : start + _MOST_USERS])
                named = sql.tags_of(tx, {(row.repository, row.digest) for row in rows}, _MOST_TAGS)
                found += [self._image(row, named.get((row.repository, row.digest), [])) for row in rows]
        return found

    def count(self, state: State) -> int:
        """How many images are in a state, up to COUNTED."""
        with self._database.read() as tx:
            return sql.count_in_state(tx, state, COUNTED)

    def count_of(self, team: str) -> int:
        """How many images a team has, up to COUNTED."""
        with self._database.read() as tx:
            return sql.count_of_team(tx, team, COUNTED)

    def repositories(self, sight: Sight, *, text: str = "", after: str = "", limit: int = 50) -> list[ListedRepository]:
        """Repositories that `sight` takes in, by name, without those of layer caches."""
        with self._database.read() as tx:
            rows = sql.repository_page(tx, sight, text, after, limit)
            held = sql.held(tx, [row.name for row in rows])
        return [
            ListedRepository(
                repository=row.name, team=row.team, visibility=row.visibility, bytes=row.bytes, created=row.created,
                images=held[row.name][0], tags=held[row.name][1], pulls=held[row.name][2], last_pull=held[row.name][3],
            )
            for row in rows
        ]  # fmt: skip

    def tags(self, repository: str, *, text: str = "", after: str = "", limit: int = 50) -> list[ListedTag]:
        """Tags of a repository in lexical order."""
        with self._database.read() as tx:
            rows = sql.tag_page(tx, repository, text, after, limit)
        return [
            ListedTag(
                tag=row.tag, digest=row.digest, moved=row.moved, size=row.content_size, principal=row.principal,
                state=self._state(row) or row.artifact_type or _UNKNOWN, why=row.why or "",
                pulls=row.times or 0, last_pull=row.last or "",
            )
            for row in rows
        ]  # fmt: skip

    def users_of(self, layer: Digest, may: Callable[[str, str], bool]) -> list[LayerUser]:
        """Images that have a layer, as far as the viewer may read them."""
        with self._database.read() as tx:
            rows = sql.users_of_layer(tx, str(layer), _MOST_USERS)
        return [LayerUser(**row._mapping) for row in rows if may(row.team, row.repository)]

    def _state(self, row: Any) -> str:
        if not row.state:
            return ""
        kept = ImageState(state=State(row.state), until=row.until or "")
        return str(kept.at(self._clock.now()).state)

    def _image(self, row: Any, named: list[str]) -> ListedImage:
        return ListedImage(
            repository=row.repository, digest=row.digest, tags=named, media_type=row.media_type,
            size=row.content_size, team=row.team, principal=row.principal, commit=row.commit, pipeline=row.pipeline,
            missing=missing(row.principal, row.commit, row.pipeline), pushed=row.pushed,
            state=self._state(row) or _UNKNOWN, why=row.why or "", until=row.until or "",
            pulls=row.times or 0, last_pull=row.last or "",
        )  # fmt: skip


def page_of(rows: Sequence[T], limit: int) -> tuple[list[T], bool]:
    """The first `limit` of rows that were asked for with one more, and whether there is a page after them."""
    return list(rows[:limit]), len(rows) > limit


def _place(after: str) -> sql.After:
    words = after.split(" ")
    if len(words) != 3 or len(after) > 1_000:
        raise InvalidInput("This is not where a page of images begins.", remedy="Begin with the first page.")
    return sql.After(*words)
