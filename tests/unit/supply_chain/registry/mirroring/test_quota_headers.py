"""What registries say about how often they may be asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.supply_chain.registry.mirroring.quota import MOST_REST, Quota, quota_of, retry_after

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"ratelimit-limit": "100;w=21600", "ratelimit-remaining": "76;w=21600"}, Quota(100, 76, 21600, -1)),
        ({"ratelimit-limit": "100", "ratelimit-remaining": "0", "ratelimit-reset": "30"}, Quota(100, 0, -1, 30)),
        ({"ratelimit-remaining": "5;w=60"}, Quota(-1, 5, 60, -1)),
        ({"ratelimit-limit": "100;w=21600"}, None),
        ({"ratelimit-remaining": "many"}, None),
        ({"ratelimit-remaining": "-1"}, None),
        ({}, None),
    ],
)
def test_a_quota_is_read(headers: dict[str, str], said: Quota | None) -> None:
    assert quota_of(headers) == said


def test_nothing_is_asked_while_nothing_is_left() -> None:
    assert Quota(100, 1, 21600).rest() is None
    assert Quota(100, 0, 21600).rest() == timedelta(seconds=216)
    assert Quota(100, 0, 21600, 30).rest() == timedelta(seconds=30)
    assert Quota(-1, 0).rest() == timedelta(seconds=60)
    assert Quota(1, 0, 10**9).rest() == MOST_REST


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("120", NOW + timedelta(seconds=120)),
        ("Thu, 01 Jan 2026 12:00:30 GMT", NOW + timedelta(seconds=30)),
        ("Thu, 01 Jan 2026 11:00:00 GMT", NOW),
        ("999999999999", NOW + MOST_REST),
        ("Fri, 01 Jan 2100 00:00:00 GMT", NOW + MOST_REST),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("Thu, 99 Jan 2026 12:00:30 GMT", None),
    ],
)
def test_when_to_ask_again_is_read_in_seconds_and_as_a_date(text: str, until: datetime | None) -> None:
    assert retry_after({"retry-after": text}, NOW) == until


@given(st.text(), st.text())
def test_no_header_is_too_strange(one: str, other: str) -> None:
    quota_of({"ratelimit-limit": one, "ratelimit-remaining": other, "ratelimit-reset": one})
    until = retry_after({"retry-after": one}, NOW)
    assert until is None or NOW <= until <= NOW + MOST_REST
