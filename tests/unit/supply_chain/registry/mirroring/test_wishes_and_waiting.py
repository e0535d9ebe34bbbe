"""One wish whoever wants it, and what the pull endpoint does until it ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lading.supply_chain.registry.access import Visibility, Visitor
from lading.supply_chain.registry.errors import Denied, ManifestUnknown, RemoteFailed
from lading.supply_chain.registry.mirroring.awaiting import Asked, Stale
from lading.supply_chain.registry.mirroring.errors import NotYet, Throttled
from lading.supply_chain.registry.mirroring.wishes import Outcome, Rank, Wish

REPOSITORY = "hub/library/os"
WISH = Wish(REPOSITORY, "1", "hub", Rank.AWAITED)


def test_one_wish_is_worked_on_once_however_many_have_it(each_mirror: Any) -> None:
    wishes = each_mirror.wishes
    for _ in range(20):
        wishes.note(WISH)
    assert wishes.waiting(10) == [WISH]
    assert [wishes.claim(WISH) for _ in range(3)] == [True, False, False]
    wishes.note(WISH)
    assert wishes.waiting(10) == [], "it is under way"
    wishes.end(WISH, Outcome.BROUGHT, digest="d")
    assert wishes.row(REPOSITORY, "1").digest == "d"
    wishes.note(WISH)
    assert (wishes.row(REPOSITORY, "1").digest, wishes.waiting(10)) == ("", [WISH])


def test_who_waits_goes_before_what_was_planned(each_mirror: Any) -> None:
    wishes = each_mirror.wishes
    for tag in ("a", "b"):
        wishes.note(Wish(REPOSITORY, tag, "hub", Rank.SCHEDULED))
        each_mirror.clock.advance(timedelta(seconds=1))
    wishes.note(WISH)
    wishes.note(Wish(REPOSITORY, "b", "hub", Rank.AWAITED))
    assert [wish.reference for wish in wishes.waiting(10)] == ["b", "1", "a"]
    wishes.note(Wish(REPOSITORY, "b", "hub", Rank.SCHEDULED))
    assert wishes.waiting(10)[0].rank is Rank.AWAITED


def test_what_a_process_worked_on_that_died_is_worked_on_again(each_mirror: Any) -> None:
    wishes = each_mirror.wishes
    wishes.note(WISH)
    wishes.claim(WISH)
    assert wishes.take_over() == 1
    assert wishes.claim(WISH)


def test_how_wishes_ended_is_forgotten_after_a_while(each_mirror: Any) -> None:
    wishes, clock = each_mirror.wishes, each_mirror.clock
    for tag, outcome in (("1", Outcome.UNKNOWN), ("2", Outcome.FAILED), ("3", None)):
        wish = Wish(REPOSITORY, tag, "hub", Rank.AWAITED)
        wishes.note(wish)
        if outcome is not None:
            wishes.end(wish, outcome)
    left = []
    for hours in (1, 24, 24):
        clock.advance(timedelta(hours=hours, seconds=1))
        wishes.sweep()
        left.append([tag for tag in ("1", "2", "3") if wishes.row(REPOSITORY, tag) is not None])
    assert left == [["2", "3"], ["3"], ["3"]]


def test_wishes_are_bounded(mirror: Any) -> None:
    with pytest.raises(NotYet):
        for number in range(1_002):
            mirror.wishes.note(Wish(REPOSITORY, str(number), "hub", Rank.AWAITED))


def test_what_is_not_mirrored_and_what_is_here_by_digest_is_not_waited_for(mirror: Any) -> None:
    for repository, reference in (("shop/web", "1"), (REPOSITORY, "sha256:zz"), (REPOSITORY, "a b"), ("HUB/A", "1")):
        assert mirror.awaiting.ask(repository, reference) == Stale()
    digest = mirror.image("one", "1")
    mirror.wish(str(digest))
    assert mirror.awaiting.ask(REPOSITORY, str(digest)) == Stale()
    mirror.upstreams.change("hub", {"on_pull": False}, actor="person:ada")
    mirror.clock.advance(timedelta(seconds=2))
    assert mirror.awaiting.ask(REPOSITORY, "1") == Stale()


def test_what_is_not_here_is_waited_for_until_its_wish_ended(each_mirror: Any) -> None:
    mirror = each_mirror
    mirror.image("one", "1")
    asked = mirror.awaiting.ask(REPOSITORY, "1")
    assert isinstance(asked, Asked) and not asked.here
    assert not mirror.awaiting.is_noted(asked)
    mirror.wishes.note(WISH)
    assert mirror.awaiting.is_noted(asked) and mirror.awaiting.look(asked) is None
    mirror.mirroring.fulfil(WISH)
    assert mirror.awaiting.look(asked) == Stale()
    # It is believed for a while, and then looked at again.
    assert mirror.awaiting.ask(REPOSITORY, "1") == Stale()
    mirror.clock.advance(timedelta(seconds=301))
    again = mirror.awaiting.ask(REPOSITORY, "1")
    assert isinstance(again, Asked) and again.here
    assert mirror.awaiting.look(again) is None, "the last answer is none to this question"
    mirror.clock.advance(timedelta(seconds=1))
    mirror.wish("1")
    assert mirror.awaiting.look(again) == Stale()


def test_a_tag_that_was_pushed_here_by_hand_is_nobody_elses(mirror: Any, bench: Any) -> None:
    bench.image("own", repository=REPOSITORY, tag="own", visitor=Visitor("robot:base/ci", "base"))
    assert mirror.awaiting.ask(REPOSITORY, "own") == Stale()


@pytest.mark.parametrize("down", [RemoteFailed("nobody answers"), Throttled("too many")])
def test_with_an_upstream_that_cannot_be_asked_what_is_here_is_served_with_a_warning(
    mirror: Any, down: RemoteFailed
) -> None:
    mirror.image("one", "1")
    mirror.wish("1")
    mirror.clock.advance(timedelta(seconds=301))

    def fail(_method: str, _what: str) -> None:
        raise down

    mirror.remote.before = fail
    asked = mirror.awaiting.ask(REPOSITORY, "1")
    mirror.wish("1")
    first, later = mirror.awaiting.look(asked), mirror.awaiting.ask(REPOSITORY, "1")
    for stale in (first, later):
        assert stale.warning.startswith('111 lading "hub c') and stale.why
    with pytest.raises(NotYet) as caught:
        mirror.awaiting.ask(REPOSITORY, "2")
    assert caught.value.throttled is isinstance(down, Throttled)
    assert caught.value.seconds >= 1


def test_too_slow_is_served_with_a_warning_or_told_to_come_again(mirror: Any) -> None:
    missing = mirror.awaiting.ask(REPOSITORY, "1")
    with pytest.raises(NotYet, match="nothing of this Lading brings it"):
        mirror.awaiting.give_up(missing)
    mirror.wishes.note(WISH)
    with pytest.raises(NotYet, match="is being brought from hub"):
        mirror.awaiting.give_up(missing)
    mirror.image("one", "1")
    mirror.wish("1")
    mirror.clock.advance(timedelta(seconds=301))
    assert mirror.awaiting.give_up(mirror.awaiting.ask(REPOSITORY, "1")).warning == (
        '110 lading "hub did not answer in time"'
    )


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (Outcome.UNKNOWN, ManifestUnknown),
        (Outcome.REFUSED, Denied),
        (Outcome.MISMATCH, NotYet),
        (Outcome.FAILED, NotYet),
        (Outcome.THROTTLED, NotYet),
    ],
)
def test_each_end_of_a_wish_has_its_answer(mirror: Any, outcome: Outcome, error: type[Exception]) -> None:
    asked = mirror.awaiting.ask(REPOSITORY, "1")
    mirror.wishes.note(WISH)
    mirror.wishes.claim(WISH)
    mirror.wishes.end(WISH, outcome, why='it says "no"\r\nX: y', until="2026-01-01T00:01:00.000000Z")
    with pytest.raises(error, match="says"):
        mirror.awaiting.look(asked)
    with pytest.raises(error):
        mirror.awaiting.ask(REPOSITORY, "1")
    mirror.clock.advance(timedelta(seconds=61))
    assert isinstance(mirror.awaiting.ask(REPOSITORY, "1"), Asked)


def test_a_warning_is_one_line_of_plain_text(mirror: Any) -> None:
    mirror.image("one", "1")
    mirror.wish("1")
    mirror.clock.advance(timedelta(seconds=301))
    asked = mirror.awaiting.ask(REPOSITORY, "1")
    mirror.wishes.note(WISH)
    mirror.wishes.claim(WISH)
    mirror.wishes.end(WISH, Outcome.FAILED, why='it says "no"\r\nSet-Cookie: ü' + "x" * 1000)
    warning = mirror.awaiting.look(asked).warning
    assert warning.isascii() and warning.isprintable() and warning.count('"') == 2 and len(warning) < 400


def test_a_repository_that_may_come_is_there_for_those_who_may_pull_it(mirror: Any) -> None:
    place = mirror.registry.place(REPOSITORY)
    assert (place.exists, place.team, place.visibility) == (True, "base", Visibility.INTERNAL)
    assert not mirror.registry.place("hub").exists
    mirror.upstreams.change("hub", {"visibility": "public"}, actor="person:ada")
    mirror.image("one", "1")
    mirror.wish("1")
    assert mirror.registry.place(REPOSITORY).visibility is Visibility.PUBLIC
