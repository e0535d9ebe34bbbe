"""Upstreams as they are kept, and what is brought without being asked for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lading.facts.kinds.mirroring import (
    MirrorSynced,
    UpstreamAdded,
    UpstreamChanged,
    UpstreamRemoved,
    UpstreamTagGone,
)
from lading.kernel.errors import InvalidInput, LadingError
from lading.supply_chain.registry.access import Visitor
from lading.supply_chain.registry.errors import RemoteFailed
from lading.supply_chain.registry.mirroring.errors import UpstreamExists, UpstreamInvalid, UpstreamUnknown
from lading.supply_chain.registry.mirroring.sql import reading

ADA = "person:ada"


def test_an_upstream_is_kept_changed_and_forgotten_with_facts(each_mirror: Any) -> None:
    mirror = each_mirror
    assert mirror.told(UpstreamAdded)[0].url == "https://hub.example"
    changed = mirror.upstreams.change("hub", {"freshness": 60, "team": "base"}, actor=ADA)
    assert changed.freshness == 60 and mirror.upstreams.get("hub") == changed
    assert mirror.told(UpstreamChanged)[0].changed == ("freshness",)
    mirror.upstreams.remove("hub", actor=ADA)
    assert mirror.upstreams.all() == [] and len(mirror.told(UpstreamRemoved)) == 1
    with pytest.raises(UpstreamUnknown):
        mirror.upstreams.get("hub")


def test_a_secret_is_sealed_and_goes_with_its_address(mirror: Any) -> None:
    assert mirror.upstreams.secret("hub") == "my-secret"
    with mirror.database.read() as tx:
        assert reading.upstream_row(tx, "hub").secret.startswith("v1.")
    mirror.upstreams.change("hub", {"freshness": 1}, actor=ADA)
    assert mirror.upstreams.secret("hub") == "my-secret"
    mirror.upstreams.change("hub", {"url": "https://other.example"}, actor=ADA)
    assert mirror.upstreams.secret("hub") == ""
    mirror.upstreams.change("hub", {}, "new", actor=ADA)
    assert mirror.upstreams.secret("hub") == "new"
    assert mirror.told(UpstreamChanged)[-1].changed == ("secret",)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "default"}, {"name": "Hub!"}, {"prefix": ""}, {"prefix": "A"}, {"url": "hub.example"},
        {"url": "http://hub.example"}, {"url": "https://user:pw@hub.example"}, {"platforms": ("amd64",)},
        {"visibility": "secret"}, {"user": "a b"}, {"rate": -1}, {"freshness": -1}, {"every": 10**9},
        {"ca_file": "relative.pem"}, {"allow": ("A",)}, {"rewrites": ("a",)}, {"team": ""},
    ],
)  # fmt: skip
def test_an_upstream_that_cannot_be_is_refused(mirror: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(LadingError) as caught:
        mirror.add(**{"name": "two", "prefix": "two"} | wrong)
    assert isinstance(caught.value, InvalidInput)


def test_names_and_prefixes_are_had_once_and_a_namespace_has_one_team(mirror: Any, bench: Any) -> None:
    for same in ({"prefix": "other"}, {"name": "other"}):
        with pytest.raises(UpstreamExists):
            mirror.add(**same)
    bench.image("one", repository="shop/web", visitor=Visitor("robot:shop/ci", "shop"))
    with pytest.raises(UpstreamInvalid, match="belongs to team shop"):
        mirror.add(name="two", prefix="shop/mirror")
    mirror.add(name="plain", prefix="plain", url="http://127.0.0.1:5009", plain=True)


def test_a_plan_wants_the_tags_that_fit_and_brings_them(each_mirror: Any) -> None:
    mirror = each_mirror
    mirror.upstreams.change("hub", {"mirror": ("library/os:1*", "tools/*"), "deny": ("*:*-rc",)}, actor=ADA)
    for tag in ("1", "1.1", "1-rc", "2"):
        mirror.image(tag, tag)
    mirror.image("gcc", "latest", "tools/gcc")
    mirror.image("attached", f"sha256-{'a' * 64}", "tools/gcc")
    (due,) = mirror.schedule.due()
    fact = mirror.schedule.carry_out(due)
    assert (fact.repositories, fact.tags, fact.gone, fact.error) == (2, 3, 0, "")
    mirror.work()
    assert mirror.registry.tags("hub/library/os") == ["1", "1.1"]
    assert mirror.registry.tags("hub/tools/gcc") == ["latest"]
    assert mirror.schedule.due() == [], "once, when nothing else was said"
    mirror.upstreams.change("hub", {"every": 3600}, actor=ADA)
    assert mirror.schedule.due() == []
    mirror.clock.advance(timedelta(hours=1))
    assert [item.name for item in mirror.schedule.due()] == ["hub"]
    mirror.upstreams.change("hub", {"enabled": False}, actor=ADA)
    assert mirror.schedule.due() == []


def test_what_is_gone_at_the_upstream_stays_and_is_said_once(mirror: Any) -> None:
    mirror.upstreams.change("hub", {"mirror": ("library/os",)}, actor=ADA)
    for tag in ("1", "2"):
        mirror.image(tag, tag)
    mirror.schedule.carry_out(mirror.upstreams.get("hub"))
    mirror.work()
    mirror.remote.remove_tag("library/os", "2")
    assert [mirror.schedule.carry_out(mirror.upstreams.get("hub")).gone for _ in range(2)] == [1, 0]
    assert mirror.registry.tags("hub/library/os") == ["1", "2"]
    assert [fact.tag for fact in mirror.told(UpstreamTagGone)] == ["2"]
    assert mirror.status.gone == 1


def test_a_plan_that_cannot_be_carried_out_says_so_and_lets_the_upstream_rest(mirror: Any) -> None:
    mirror.upstreams.change("hub", {"mirror": ("library/os",), "every": 60}, actor=ADA)

    def down(_method: str, _what: str) -> None:
        raise RemoteFailed("nobody answers")

    mirror.remote.before = down
    assert mirror.schedule.carry_out(mirror.upstreams.get("hub")).error == "nobody answers"
    assert "left alone" in mirror.schedule.carry_out(mirror.upstreams.get("hub")).error
    assert mirror.status.sync_error and mirror.status.circuit == "open"
    assert len(mirror.told(MirrorSynced)) == 1, "however often it is tried"
    mirror.clock.advance(timedelta(seconds=59))
    assert mirror.schedule.due() == []
    mirror.clock.advance(timedelta(seconds=1))
    assert [item.name for item in mirror.schedule.due()] == ["hub"]
    mirror.upstreams.hurry("hub")
    mirror.remote.before = lambda _method, _what: None
    assert mirror.schedule.carry_out(mirror.upstreams.get("hub")).error == ""


def test_metrics_name_every_upstream(mirror: Any) -> None:
    lines = mirror.standings.metrics()
    assert 'lading_mirror_up{upstream="hub"} 1' in lines
    assert 'lading_mirror_circuit{upstream="hub"} 0' in lines
