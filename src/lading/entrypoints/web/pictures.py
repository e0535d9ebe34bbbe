"""Small pictures as SVG, made on the server: they need no script and are read out by their title."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from markupsafe import Markup, escape

from lading.supply_chain.match.standing.asking import Moved

_SEVERITIES: Final = ("critical", "high", "medium", "low", "unknown")
_WAY: Final = ("source", "build", "push", "inventory", "decide", "sign", "run")


def severity_bar(counts: Mapping[str, int], width: int = 160) -> Markup:
    """A bar of findings by severity, worst first."""
    total = sum(counts.values())
    title = ", ".join(f"{counts[name]} {name}" for name in _SEVERITIES if counts.get(name)) or "no findings"
    if not total:
        return Markup('<span class="quiet">none</span>')
    x, parts = 0.0, []
    for name in _SEVERITIES:
        share = counts.get(name, 0) / total * width
        if share:
            parts.append(
                f'<rect class="sev-{name}" x="{x:.1f}" y="0" width="{max(share - 1, 1):.1f}" height="10" rx="2"/>'
            )
            x += share
    body = "".join(parts)
    return _picture(f'class="bar" width="{width}" height="10" viewBox="0 0 {width} 10"', title, body)


def way(states: Mapping[str, str]) -> Markup:
    """The way of an image from source to running; each step `ok`, `bad`, `now` or unknown."""
    step = 108
    width = step * len(_WAY)
    parts = []
    for number, name in enumerate(_WAY):
        x = number * step + step / 2
        state = states.get(name, "unknown")
        if number:
            parts.append(f'<line class="way-{state}" x1="{x - step + 13}" y1="20" x2="{x - 13}" y2="20"/>')
        mark = {"ok": "✓", "bad": "✕", "now": "●"}.get(state, "·")
        parts.append(f'<circle class="way-{state}" cx="{x}" cy="20" r="12"/>')
        parts.append(f'<text class="way-mark way-{state}" x="{x}" y="24.5">{mark}</text>')
        parts.append(f'<text class="way-name" x="{x}" y="50">{name}</text>')
    told = ", ".join(f"{name}: {states.get(name, 'unknown')}" for name in _WAY)
    return _picture(f'class="way" viewBox="0 0 {width} 60"', told, "".join(parts))


def coverage_grid(rows: Sequence[Mapping[str, str]]) -> Markup:
    """The capabilities as a grid of cells, one row an area."""
    areas: dict[str, list[Mapping[str, str]]] = {}
    for row in rows:
        areas.setdefault(row["area"], []).append(row)
    parts, y = [], 0
    for area, cells in areas.items():
        parts.append(f'<text class="grid-area" x="0" y="{y + 13}">{escape(area)}</text>')
        y += 20
        for number, cell in enumerate(cells):
            x = number * 62
            title = f"{cell['id']} {cell['title']}: {cell['coverage']}"
            parts.append(
                f'<g><title>{escape(title)}</title><rect class="cov-{cell["coverage"]}" x="{x}" y="{y}" width="56" '
                f'height="30" rx="5"/><text class="grid-id" x="{x + 28}" y="{y + 20}">{escape(cell["id"])}</text></g>'
            )
        y += 44
    return _picture(f'class="grid" viewBox="0 0 744 {y}"', "Coverage of capabilities", "".join(parts))


def came_and_went(moved: Sequence[Moved]) -> Markup:
    """What began (upwards) and ended (downwards) on each day; the numbers are in a table beside it."""
    step, middle = 24, 90
    most = max((sum(by.values()) for one in moved for by in (one.opened, one.closed)), default=0) or 1
    parts = [f'<line class="axis" x1="0" y1="{middle}" x2="{step * len(moved)}" y2="{middle}"/>']
    for number, one in enumerate(moved):
        x = number * step + 4
        for by, up in ((one.opened, True), (one.closed, False)):
            y = float(middle)
            for name in _SEVERITIES:
                height = by.get(name, 0) / most * 76
                if not height:
                    continue
                top = y - height if up else y
                side = "began" if up else "ended"
                parts.append(
                    f'<rect class="sev-{name} {side}" x="{x}" y="{top:.1f}" width="{step - 8}" height="{height:.1f}"/>'
                )
                y += -height if up else height
        if number % 5 == 0:
            parts.append(f'<text class="axis-text" x="{x}" y="186">{escape(one.day[5:])}</text>')
    began = sum(sum(one.opened.values()) for one in moved)
    ended = sum(sum(one.closed.values()) for one in moved)
    title = f"{began} began and {ended} ended in {len(moved)} days; the most in a day was {most}"
    return _picture(f'class="days" viewBox="0 0 {step * len(moved)} 192"', title, "".join(parts))


def _picture(attributes: str, title: str, body: str) -> Markup:
    """An SVG element; every text in `body` was escaped by whoever made it."""
    told = escape(title)
    svg = f'<svg {attributes} role="img" aria-label="{told}"><title>{told}</title>{body}</svg>'
    return Markup(svg)  # noqa: S704 - made of numbers, constants and escaped texts only
