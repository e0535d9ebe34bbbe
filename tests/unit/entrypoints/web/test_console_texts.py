"""What a page makes of texts that others wrote: they stay texts, in HTML and in pictures."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from lading.entrypoints.web.pages import HEADERS, render
from lading.entrypoints.web.pictures import coverage_grid, severity_bar, way
from lading.kernel.errors import InvalidInput

HOSTILE = "<script>alert(1)</script>\"'&\x1b[31mred\x1b[0m\x00"


def shown(error: InvalidInput) -> str:
    return bytes(render("error", {"error": error, "viewer": "", "path": ""}).body).decode()


def test_markup_in_a_message_is_escaped() -> None:
    page = shown(InvalidInput(HOSTILE, remedy=HOSTILE))

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_a_page_allows_no_inline_script_and_is_kept_by_nobody() -> None:
    policy = HEADERS["Content-Security-Policy"]

    assert "unsafe" not in policy
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert HEADERS["Cache-Control"] == "no-store"


def test_a_title_in_the_picture_of_capabilities_is_escaped() -> None:
    picture = coverage_grid([{"id": "S1", "area": "A&B", "title": '<b>"x"', "coverage": "gap"}])

    assert "<b>" not in picture
    titles = [element.text for element in ElementTree.fromstring(picture).iter("title")]
    assert titles == ["Coverage of capabilities", 'S1 <b>"x": gap']


def test_a_bar_is_told_in_words_worst_first() -> None:
    picture = severity_bar({"low": 3, "critical": 1})

    assert 'aria-label="1 critical, 3 low"' in picture
    assert picture.index("sev-critical") < picture.index("sev-low")


def test_no_findings_need_no_picture() -> None:
    assert severity_bar({}) == '<span class="quiet">none</span>'


@pytest.mark.parametrize(("state", "mark"), [("ok", "✓"), ("bad", "✕"), ("now", "●"), ("unknown", "·")])
def test_a_step_of_the_way_is_marked_by_more_than_its_colour(state: str, mark: str) -> None:
    picture = way({"decide": state})

    assert f"decide: {state}" in picture
    assert mark in picture
