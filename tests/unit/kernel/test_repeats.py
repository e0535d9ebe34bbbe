"""What happens often is said seldom, and its number is right."""

from __future__ import annotations

import threading

from lading.kernel.clock import ManualClock
from lading.kernel.repeats import MOST_KEYS, MOST_OF_A_GROUP, PERIOD_SECONDS, Repeats, Times

Key = tuple[str, str]


class Said:
    def __init__(self, clock: ManualClock) -> None:
        self.all: list[tuple[Key, int]] = []
        self.times: list[Times] = []
        self.repeats: Repeats[Key] = Repeats(
            self._say, lambda key: ((key[0], "various"), ("various", "various")), clock
        )

    def _say(self, key: Key, times: Times) -> None:
        self.all.append((key, times.count))
        self.times.append(times)


def test_the_first_is_said_at_once_and_the_others_together(clock: ManualClock) -> None:
    said = Said(clock)
    for _ in range(1_000):
        said.repeats.note(("ada", "push"))
    assert said.all == [(("ada", "push"), 1)]
    began = clock.now()
    clock.sleep(PERIOD_SECONDS - 1)
    said.repeats.note(("ada", "push"))
    clock.sleep(1)
    said.repeats.note(("ada", "push"))
    assert said.all == [(("ada", "push"), 1), (("ada", "push"), 1_000), (("ada", "push"), 1)]
    assert said.times[1].first == began < said.times[1].last
    said.repeats.close()
    assert len(said.all) == 3


def test_many_different_ones_are_counted_under_wider_names(clock: ManualClock) -> None:
    said = Said(clock)
    for number in range(1_000):
        said.repeats.note(("ada", f"target-{number}"))
    assert len(said.all) == MOST_OF_A_GROUP
    for number in range(10_000):
        said.repeats.note((f"nobody-{number}", "x"))
    assert len(said.all) <= MOST_KEYS
    said.repeats.close()
    assert len(said.all) <= MOST_KEYS + 2
    assert (("ada", "various"), 1_000 - MOST_OF_A_GROUP) in said.all
    assert sum(count for _, count in said.all) == 11_000


def test_none_is_lost_between_threads(clock: ManualClock) -> None:
    said = Said(clock)
    threads = [
        threading.Thread(target=lambda: [said.repeats.note(("ada", str(number % 3))) for number in range(999)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    said.repeats.close()
    assert sum(count for _, count in said.all) == 4 * 999
    assert len(said.all) == 6
