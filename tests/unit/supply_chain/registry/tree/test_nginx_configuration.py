"""The text that nginx is configured with. Whether nginx takes it, the integration tests say."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from lading.kernel.errors import InvalidInput
from lading.supply_chain.registry.tree.nginx import Site, site_configuration, whole_configuration

SITE = Site(tree=Path("/srv/tree"), pull="127.0.0.1:5001")


def test_nothing_is_left_to_fill_in_and_braces_match() -> None:
    text = whole_configuration(SITE)
    assert "@@" not in text
    assert text.count("{\n") <= text.count("}\n")
    assert "root /srv/tree;" in text
    assert text.count("auth_request /-/grant;") == 4


@pytest.mark.parametrize("field", ["tree", "pull", "grants", "access_log", "names", "listen"])
@pytest.mark.parametrize("hostile", ["/a b", "/a;", "/a{", "/a$uri", '/a"', "/a\nb", "/a'", "/a#b", "", "/ä"])
def test_nothing_that_is_said_can_end_its_directive(field: str, hostile: str) -> None:
    value = (hostile,) if field == "listen" else hostile
    if field in ("tree", "grants"):
        value = Path(hostile or "/a b")  # type: ignore[assignment]
    if field == "names" and hostile == "/a b":
        return  # names are between spaces
    with pytest.raises(InvalidInput):
        site_configuration(replace(SITE, **{field: value}))


def test_tls_on_both_sides() -> None:
    site = replace(SITE, tls=(Path("/c.pem"), Path("/k.pem")), pull_tls=True, listen=("443", "[::]:443"))
    text = site_configuration(site)
    assert re.findall(r"listen (.*);", text) == ["443 ssl", "[::]:443 ssl"]
    assert "ssl_certificate_key /k.pem;" in text
    assert "proxy_pass https://lading_pull" in text
    assert "proxy_pass http://lading_pull" not in text
    assert "proxy_ssl_verify off;" in text
    far = site_configuration(replace(site, pull="pull.example:5001", pull_ca=Path("/ca.pem")))
    assert "proxy_ssl_verify on;" in far
    assert "proxy_ssl_name pull.example;" in far


def test_the_log_of_pulls_is_kept_without_an_access_log() -> None:
    text = site_configuration(replace(SITE, access_log="off"))
    for block in re.findall(r"access_log /srv/tree/.log/pulls.jsonl[^\n]*\n([^\n]*)\n", text):
        assert "access_log off" not in block
