"""Files that somebody may want to know of, whatever package they belong to: marked when an image is merged.

A mark says what a file is, not whether that is bad. What changes here changes what merging keeps: raise `REVISION`, and
kept images are merged anew from what was read of their layers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal, NamedTuple, get_args

from lading.supply_chain.inventory.values import DIRECTORY, REGULAR, FileEntry, MarkedFile

REVISION: Final = 1
Mark = Literal["setuid", "setgid", "writable", "cache", "versions", "tool"]
MARKS: Final[tuple[Mark, ...]] = get_args(Mark)
_MOST: Final = 1_000
_SETUID: Final = 0o4000
_SETGID: Final = 0o2000
_STICKY: Final = 0o1000
_GROUP_RUNS: Final = 0o010
_OTHERS_WRITE: Final = 0o002
# What is everybody's on purpose, or filled by the engine when a container starts.
_EVERYBODYS: Final = ("tmp/", "var/tmp/", "dev/", "proc/", "sys/", "run/", "var/run/", "var/lock/", "var/crash/")
_CACHES: Final = (
    "var/cache/apt/", "var/lib/apt/lists/", "var/cache/apk/", "var/cache/yum/", "var/cache/dnf/", "var/cache/libdnf5/",
    "var/cache/zypp/", "var/cache/pacman/pkg/", "usr/local/share/.cache/yarn/",
)  # fmt: skip
_HIDDEN_CACHES: Final = re.compile(
    r"/\.(?:cache/(?:pip|uv|yarn|pnpm|go-build|composer)|npm/_cacache|composer/cache|gem/specs)/"
)
# A file that every working copy of a version control has, below the directory that is it.
_VERSIONS: Final = ("/.git/HEAD", "/.svn/wc.db", "/.hg/requires")
_TOOLS: Final = frozenset(
    {
        *(f"{where}/{name}" for where in ("bin", "usr/bin", "usr/local/bin") for name in ("sudo", "doas")),
        *(f"{where}/{name}" for where in ("sbin", "usr/sbin", "usr/local/sbin") for name in ("sshd", "dropbear")),
    }
)
# One look tells for nearly every file that it has no mark.
_TELLING: Final = _SETUID | _SETGID | _OTHERS_WRITE
_WHERE: Final = (".", *_CACHES)


class _Marked(NamedTuple):
    place: str
    entry: FileEntry


def marks_of(entry: FileEntry) -> Iterator[tuple[Mark, str]]:
    """The marks of a file, each with the place that it stands for. Called for every file of every layer."""
    path, mode = entry.path, entry.mode
    if entry.kind == REGULAR:
        if mode & _SETUID:
            yield "setuid", path
        elif mode & _SETGID and mode & _GROUP_RUNS:
            yield "setgid", path
        if path.startswith(_CACHES):
            yield "cache", next(one for one in _CACHES if path.startswith(one)).rstrip("/")
        elif "/." in path or path.startswith("."):
            yield from _hidden(f"/{path}")
        if path in _TOOLS:
            yield "tool", path
    if mode & _OTHERS_WRITE and _is_open(entry):
        yield "writable", path


def is_marked(entry: FileEntry) -> bool:
    """Whether it has any mark."""
    path = entry.path
    if not (entry.mode & _TELLING or "/." in path or path.startswith(_WHERE) or path in _TOOLS):
        return False
    return next(marks_of(entry), None) is not None


def marked_files(
    entries: Iterable[FileEntry], brought: dict[str, str], owner: Callable[[str], str]
) -> tuple[MarkedFile, ...]:
    """Marked files in order: one for each place of a mark, at most 1,000 of a mark; one without path counts the others.

    Args:
        brought: path of each -> the layer that brought it.
        owner: the distribution's package that a path belongs to; empty when none.
    """
    every: dict[Mark, list[_Marked]] = {mark: [] for mark in MARKS}
    for entry in entries:
        for mark, place in marks_of(entry):
            every[mark].append(_Marked(place, entry))
    every["writable"] = list(_outermost(every["writable"]))
    return tuple(file for mark, some in every.items() for file in _bounded(mark, some, brought, owner))


def _hidden(path: str) -> Iterator[tuple[Mark, str]]:
    if cache := _HIDDEN_CACHES.search(path):
        yield "cache", path[1 : cache.end() - 1]
    elif path.endswith(_VERSIONS):
        yield "versions", path[1:].rpartition("/")[0]


def _is_open(entry: FileEntry) -> bool:
    """Whether everybody may change what there is at its place, outside of the places for that."""
    if entry.kind == DIRECTORY:
        return not entry.mode & _STICKY and not f"{entry.path}/".startswith(_EVERYBODYS)
    return entry.kind == REGULAR and not entry.path.startswith(_EVERYBODYS)


def _outermost(writable: list[_Marked]) -> Iterator[_Marked]:
    """Each; what lies in a directory that everybody may write to is counted there, not by itself."""
    above = ""
    for one in sorted(writable, key=lambda one: f"{one.place}/"):
        if above and one.place.startswith(above):
            yield one._replace(place=above.rstrip("/"))
            continue
        if one.entry.kind == DIRECTORY:
            above = f"{one.place}/"
        yield one


def _bounded(
    mark: Mark, some: list[_Marked], brought: dict[str, str], owner: Callable[[str], str]
) -> Iterator[MarkedFile]:
    places: dict[str, list[FileEntry]] = {}
    for one in some:
        places.setdefault(one.place, []).append(one.entry)
    order = sorted(places)
    for place in order[:_MOST]:
        yield _told(mark, place, places[place], brought, owner(place))
    if left := order[_MOST:]:
        yield MarkedFile(mark=mark, count=sum(len(places[place]) for place in left))


def _told(mark: Mark, place: str, entries: list[FileEntry], brought: dict[str, str], owner: str) -> MarkedFile:
    """One place with all that it stands for; it has a layer when the place, or else all of it, came with one."""
    own = next((entry for entry in entries if entry.path == place), None)
    layers = {brought.get(entry.path, "") for entry in ([own] if own else entries)}
    return MarkedFile(
        mark=mark,
        path=place,
        kind=own.kind if own else DIRECTORY,
        mode=own.mode if own else 0,
        uid=own.uid if own else 0,
        gid=own.gid if own else 0,
        size=sum(entry.size for entry in entries),
        count=len(entries),
        layer=layers.pop() if len(layers) == 1 else "",
        owner=owner,
    )
