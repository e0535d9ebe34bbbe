"""What the pull endpoint serves: images that are approved now, and what belongs to them. Read-only.

Servable is an approved image; an approved index none of whose images was revoked or turned down; the member that an
approved index was judged by, unless it was judged by itself; and what an engine cannot run (signatures, attestations)
and belongs to a servable image. A blob is servable when a servable manifest of the repository names it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from lading.kernel.digest import Digest
from lading.state import Database, Transaction
from lading.supply_chain.registry.errors import Denied
from lading.supply_chain.registry.manifest import MOST_NESTING
from lading.supply_chain.registry.members import members_of
from lading.supply_chain.registry.reading import Reading, judged_chain
from lading.supply_chain.registry.remarks import about_pull
from lading.supply_chain.registry.sql import reading as sql
from lading.supply_chain.registry.standing import ImageState, State, StateReader, image_state

_MOST_PARENTS: Final = 1_000
_MOST_USERS: Final = 1_000


class Serving:
    """Decides what may be pulled.

    Args:
        platforms: the `os/architecture`s that decide how good an index is; all when empty.
    """

    def __init__(
        self, database: Database, reading: Reading, states: StateReader, platforms: Collection[str] = ()
    ) -> None:
        self.reading = reading
        self._platforms = platforms
        self._database = database
        self._states = states

    def check_manifest(self, repository: str, digest: Digest) -> Sequence[str]:
        """What whoever pulls a manifest should know; raises Denied, with the reason, unless it may be pulled."""
        with self._database.read() as tx:
            verdict = self._verdict(tx, str(digest))
            if verdict is None or verdict.state is not State.APPROVED:
                raise refusal(repository, digest, verdict, self._instead(tx, repository, str(digest), verdict))
            self._check_members(tx, repository, digest)
        return about_pull(f"{repository}@{digest}", verdict, self._states.now())

    def check_blob(self, repository: str, digest: Digest) -> Sequence[str]:
        """As `check_manifest`, for a blob: it may be pulled when a manifest of the repository that may be names it."""
        reason: ImageState | None = None
        instead = ""
        with self._database.read() as tx:
            for user in sql.users_of_blob(tx, repository, str(digest), _MOST_USERS):
                verdict = self._verdict(tx, user)
                if verdict is not None and verdict.state is State.APPROVED:
                    return ()
                reason = reason or verdict
                instead = instead or self._instead(tx, repository, user, verdict)
        raise refusal(repository, digest, reason, instead)

    def _check_members(self, tx: Transaction, repository: str, index: Digest) -> None:
        """An index is as good as its worst platform: raises Denied for one with a member that was turned down."""
        members = members_of(tx, str(index), self._platforms)
        states = self._states.states_in(tx, [member.digest for member in members]) if members else {}
        for member in members:
            state = states.get(member.digest)
            if state is None or state.state is State.APPROVED or state.is_new:
                continue
            instead = self._instead(tx, repository, str(index), state)
            denied = refusal(repository, Digest.parse(member.digest), state, instead)
            raise Denied(
                f"{repository}@{index} is as good as its worst platform, {member.platform or 'not named'}: "
                f"{denied.what}",
                remedy=denied.remedy,
            )

    def _instead(self, tx: Transaction, repository: str, digest: str, state: ImageState | None) -> str:
        """What replaces a revoked image where nobody said so: what its tag names now, if that is approved."""
        if state is None or state.state is not State.REVOKED or state.replaced_by:
            return ""
        now = self._states.now()
        for row in sql.successors(tx, repository, digest):
            if image_state(row).at(now).state is State.APPROVED:
                return f"{repository}:{row.tag}@{row.digest}"
        return ""

    def _verdict(self, tx: Transaction, digest: str) -> ImageState | None:
        """How a manifest stands: by itself or, while nobody judged it, by way of what it belongs to.

        What was revoked, or judged and not approved, is not pulled by way of anything else.
        """
        own = self._states.states_in(tx, [digest]).get(digest)
        seen: set[str] = set()
        waiting = {digest}
        for _ in range(MOST_NESTING):
            for one, state in self._standing(tx, waiting):
                if state is not None and state.state is State.APPROVED:
                    return state
                if state is not None and not state.is_new:
                    waiting.discard(one)
                elif (through := self._through_index(tx, one)) is not None:
                    return through
            seen |= waiting
            waiting = sql.served_with(tx, waiting, _MOST_PARENTS) - seen
            if not waiting:
                break
        return own

    def _through_index(self, tx: Transaction, digest: str) -> ImageState | None:
        """The approval of an index that was judged by this very manifest."""
        seen, waiting = {digest}, {digest}
        for _ in range(MOST_NESTING):
            waiting = sql.indexes_of(tx, waiting, _MOST_PARENTS) - seen
            for one, state in self._standing(tx, waiting):
                if state is not None and state.state is State.APPROVED and digest in judged_chain(tx, one):
                    return state
                if state is not None and not state.is_new:
                    waiting.discard(one)
            seen |= waiting
            if not waiting:
                break
        return None

    def _standing(self, tx: Transaction, digests: set[str]) -> list[tuple[str, ImageState | None]]:
        states = self._states.states_in(tx, digests) if digests else {}
        return [(digest, states.get(digest)) for digest in sorted(digests)]


def refusal(repository: str, digest: Digest, state: ImageState | None, instead: str = "") -> Denied:
    """The error that tells a client why it may not have something, and what to use `instead` of what was revoked."""
    if state is None:
        return Denied(f"{repository}@{digest} is not part of any approved image.", remedy="Have its image approved.")
    if state.state is State.REVOKED:
        instead = state.replaced_by or instead
        # Engines show the message and not the detail.
        message = f"{repository}@{digest} was revoked by {state.who}: {state.why}."
        if not instead:
            return Denied(message, remedy="Ask its owner for a replacement.")
        return Denied(f"{message} Use {instead} instead.", remedy=f"Pull {instead}.")
    decision = f" (decision {state.decision})" if state.decision else ""
    return Denied(
        f"{repository}@{digest} is quarantined: {state.why}{decision}.",
        remedy=f"See why with `lading policy explain {state.decision}`."
        if state.decision
        else "Wait for its decision.",
    )
