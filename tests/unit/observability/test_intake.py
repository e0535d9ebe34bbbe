"""The way from the readers to the store is bounded and fair."""

from __future__ import annotations

import threading

from lading.observability.collect.intake import Intake
from lading.observability.store import LogLine


def lines(container: str, count: int) -> list[LogLine]:
    return [LogLine(container, "", "", "", "stdout", n, 0, "x" * 100) for n in range(count)]


def test_what_is_put_is_taken_once_and_in_order() -> None:
    intake = Intake()
    assert intake.put("a", lines("a", 3))
    assert intake.put("b", lines("b", 1))
    assert intake.take() == lines("a", 3) + lines("b", 1)
    assert intake.take() == []


def test_a_flooding_container_waits_and_a_quiet_one_does_not() -> None:
    intake = Intake(share=1_000)
    assert intake.put("loud", lines("loud", 10))
    assert not intake.put("loud", lines("loud", 1), timeout=0)
    assert intake.put("quiet", lines("quiet", 1), timeout=0)


def test_when_all_together_are_too_much_those_below_their_fair_part_go_on() -> None:
    intake = Intake(share=100_000, total=2_000, fair=500)
    for number in range(4):
        assert intake.put(f"c{number}", lines("c", 2), timeout=0)
    assert not intake.put("c0", lines("c0", 1), timeout=0)
    assert intake.put("new", lines("new", 1), timeout=0)


def test_taking_makes_room_for_those_who_wait() -> None:
    intake = Intake(share=1_000)
    intake.put("a", lines("a", 10))
    waited: list[bool] = []
    waiter = threading.Thread(target=lambda: waited.append(intake.put("a", lines("a", 1), timeout=30)))
    waiter.start()
    intake.take()
    waiter.join(30)
    assert waited == [True]


def test_closing_lets_everybody_go() -> None:
    intake = Intake(share=1)
    intake.put("a", lines("a", 1))
    released: list[bool] = []
    waiter = threading.Thread(target=lambda: released.append(intake.put("a", lines("a", 1))))
    waiter.start()
    intake.close()
    waiter.join(30)
    assert released == [False]
