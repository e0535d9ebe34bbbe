"""The bill of one subject: everything that is known about it, in the order people ask."""

from __future__ import annotations

from typing import Any

import msgspec


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One thing known: its label, its value, and `state` when it is good (`ok`), doubtful (`warn`) or bad (`bad`)."""

    label: str
    value: str
    state: str = ""


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the bill: lines, a table, or the reason why nothing is known."""

    title: str
    lines: tuple[Line, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    more: int = 0
    unknown: str = ""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A moment of the history."""

    at: str
    seq: int
    subject: str
    actor: str
    words: str


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """The whole page. `answers` are the six questions in one sentence each; `data` holds the facts behind it."""

    subject: str
    name: str
    team: str
    made: str
    answers: tuple[Line, ...]
    sections: tuple[Section, ...]
    history: tuple[Event, ...]
    data: dict[str, Any] = {}
