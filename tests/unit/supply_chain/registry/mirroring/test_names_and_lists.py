"""What things of an upstream are called here, and which of them may come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.supply_chain.registry.mirroring.errors import UpstreamInvalid
from lading.supply_chain.registry.mirroring.rewriting import checked_rules, local_name, remote_name
from lading.supply_chain.registry.mirroring.selecting import checked_selection, selected
from lading.supply_chain.registry.mirroring.upstream import Upstream, covering

HUB = ("library/*=*", "**=**")


@pytest.mark.parametrize(
    ("rules", "remote", "local"),
    [
        ((), "library/debian", "hub/library/debian"),
        (HUB, "library/debian", "hub/debian"),
        (HUB, "some/app/web", "hub/some/app/web"),
        (("tools/build=gcc",), "tools/build", "hub/gcc"),
        (("team-*/app=*/app",), "team-a/app", "hub/a/app"),
        (("library/**=**",), "library/a/b", "hub/a/b"),
    ],
)
def test_a_name_is_rewritten_in_both_directions(rules: tuple[str, ...], remote: str, local: str) -> None:
    assert local_name(checked_rules(rules), "hub", remote) == local
    assert remote_name(rules, "hub", local) == remote


def test_what_no_rule_names_is_not_mirrored() -> None:
    assert local_name(("library/*=*",), "hub", "some/app") == ""
    assert remote_name(("library/*=*",), "hub", "hub/some/app") == ""
    assert remote_name((), "hub", "other/app") == ""
    assert remote_name((), "hub", "hubble/app") == ""


@pytest.mark.parametrize("rule", ["", "a", "a=b=c", "a/*=b", "a/*=**", "a*b*=a*b*", "UPPER/*=*", "a//b=c", "a/*=*\n"])
def test_a_rule_that_cannot_be_is_refused(rule: str) -> None:
    with pytest.raises(UpstreamInvalid):
        checked_rules([rule])


names = st.lists(st.from_regex(r"[a-z0-9]{1,5}", fullmatch=True), min_size=1, max_size=4).map("/".join)


@given(names)
def test_a_name_that_came_here_leads_back(remote: str) -> None:
    local = local_name(HUB, "hub", remote)
    assert local_name(HUB, "hub", remote_name(HUB, "hub", local)) == local


@pytest.mark.parametrize(
    ("allow", "deny", "tag", "comes"),
    [
        ((), (), "1", True),
        (("library/*",), (), "1", True),
        (("other/*",), (), "1", False),
        (("library/debian:12*",), (), "12-slim", True),
        (("library/debian:12*",), (), "13", False),
        (("library/debian:12*",), (), "", False),
        (("library/debian",), (), "", True),
        (("library/*",), ("*:latest",), "latest", False),
        (("library/*",), ("*:latest",), "", True),
        ((), ("library/*",), "", False),
    ],
)
def test_lists_say_what_may_come(allow: tuple[str, ...], deny: tuple[str, ...], tag: str, comes: bool) -> None:
    upstream = Upstream(
        name="hub",
        url="https://hub.example",
        prefix="hub",
        team="base",
        allow=checked_selection(allow),
        deny=checked_selection(deny),
    )
    assert upstream.lets_in("library/debian", tag) is comes


@pytest.mark.parametrize("pattern", ["", "a:", "a:b:c", "A/b", "a b", "*" * 9, "a\nb"])
def test_a_pattern_that_cannot_be_is_refused(pattern: str) -> None:
    with pytest.raises(UpstreamInvalid):
        checked_selection([pattern])


def test_any_tag_of_a_repository_is_selected_only_by_a_pattern_without_one() -> None:
    assert selected(("a/b",), "a/b", "")
    assert not selected(("a/b:1",), "a/b", "")


def test_the_longest_prefix_counts_and_a_disabled_one_covers_nothing() -> None:
    hub = Upstream(name="hub", url="https://hub.example", prefix="hub", team="base")
    inner = Upstream(name="inner", url="https://inner.example", prefix="hub/inner", team="base", enabled=False)
    assert covering([hub, inner], "hub/a") == hub
    assert covering([hub, inner], "hub/inner/a") is None
    assert covering([hub, inner], "hub") is None
