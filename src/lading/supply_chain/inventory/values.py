"""The values of an inventory: packages, files, notes, and what a layer and an image come to.

They are written to the store as they are (msgpack), so fields are only ever added, with a default.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

import msgspec

REGULAR: Final = "f"
DIRECTORY: Final = "d"
SYMLINK: Final = "l"
HARDLINK: Final = "h"
# The form of a file that is text, so that it was searched for secrets.
TEXT: Final = "text"
# Between the path of an archive and that of what lies in it.
INSIDE: Final = "!/"


class Note(msgspec.Struct, frozen=True, array_like=True, order=True):
    """Something to say about a path: a gap (not read), a hostile entry, or a privileged file."""

    kind: str
    path: str = ""
    detail: str = ""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.kind, self.path, self.detail) if part)


class FileEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One path of a layer. `kind` is one letter: f, d, l(ink), h(ard link), c, b, p; `link` is where a link points.

    `sha256` holds the raw 32 bytes of a regular file's content, and nothing for other kinds or content not read. `form`
    is what a program's first bytes say (see `programs`), or `text`: by it a later version knows who would have wanted
    the file.
    """

    path: str
    kind: str
    mode: int
    uid: int
    gid: int
    size: int
    sha256: bytes = b""
    link: str = ""
    form: str = ""


class Package(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One installed package.

    `ecosystem` is the OSV name (`Debian:12`, `PyPI`, `npm`); for deb, apk and rpm packages of a single layer the
    release is not known yet and it is `Debian`, `Alpine` or `RPM`. `source` and `source_version` are what a
    distribution builds the package from. `path` is the file that says the package is there, `layer` the layer
    that brought it, `provided_by` the distribution's package that owns `path`: such a package is the distribution's to
    mend and is not matched by itself. `vendor` is who says to have built it.
    A package in an archive has the path `archive!/path`. `declared_only` is one that a lock file names and that was not
    found installed; `doubt` says why its identity is not sure.
    """

    purl: str
    ecosystem: str
    name: str
    version: str
    path: str
    source: str = ""
    source_version: str = ""
    architecture: str = ""
    licenses: tuple[str, ...] = ()
    layer: str = ""
    provided_by: str = ""
    declared_only: bool = False
    vendor: str = ""
    doubt: str = ""


class Account(msgspec.Struct, frozen=True, array_like=True):
    """An account of passwd(5). `open`: no password is asked for it. `uid` is -1 where only shadow(5) told of it."""

    name: str
    uid: int = -1
    open: bool = False


class MarkedFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A place in an image that merging marked (see `marks`). `owner` is the distribution's package that it belongs to.

    Where it stands for several files, `count` and `size` are those of all of them. Without `path` it stands for places
    that are not listed.
    """

    mark: str
    path: str = ""
    kind: str = ""
    mode: int = 0
    uid: int = 0
    gid: int = 0
    size: int = 0
    count: int = 1
    layer: str = ""
    owner: str = ""


class PackageDatabase(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one file of a layer says: packages, the paths they own, or which distribution this is.

    A path in `owns` that ends in `/` stands for everything below it. Merging is by `path`: the topmost layer that
    carries the file decides. `owner` owns all of `owns`; where a database names several packages, `owners` says whose
    each stretch of `owns` is: pairs of a name and how many paths. `absent` are packages named as not installed.
    `accounts` are those that a file about accounts tells of.
    `licences` are those of a file that names no package, as it says them.
    """

    path: str
    cataloger: str
    packages: tuple[Package, ...] = ()
    owns: tuple[str, ...] = ()
    owner: str = ""
    release: dict[str, str] = {}
    gaps: tuple[Note, ...] = ()
    owners: tuple[tuple[str, int], ...] = ()
    absent: tuple[str, ...] = ()
    accounts: tuple[Account, ...] = ()
    licences: tuple[str, ...] = ()

    def owned(self) -> Iterator[tuple[str, str]]:
        """Every path in `owns` with the package that owns it; empty where that is no distribution's package."""
        if not self.owners:
            yield from ((path, self.owner) for path in self.owns)
            return
        paths = iter(self.owns)
        for owner, count in self.owners:
            yield from ((path, owner) for path in islice(paths, count))

    @property
    def says_nothing(self) -> bool:
        """Whether nothing was found in the file, not even that it cannot be read."""
        return not (self.packages or self.owns or self.release or self.gaps)


class Secret(msgspec.Struct, frozen=True, array_like=True, order=True):
    """The place of a secret: the rule that knows it, the file and the line. Nothing of its value, and no digest of it.

    `layer` is the layer that ships it; `hidden` says that a container does not see it, because a later layer deletes or
    replaces the file.
    """

    rule: str
    path: str
    line: int
    layer: str = ""
    hidden: bool = False


class LayerInventory(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything one reading of a layer brought to light. `files` are packed: see `files.unpack`."""

    layer: str
    cataloger_version: str
    databases: tuple[PackageDatabase, ...] = ()
    whiteouts: tuple[str, ...] = ()
    opaque: tuple[str, ...] = ()
    privileged: tuple[Note, ...] = ()
    hostile: tuple[Note, ...] = ()
    gaps: tuple[Note, ...] = ()
    file_count: int = 0
    bytes_read: int = 0
    files: bytes = b""
    secrets: tuple[Secret, ...] = ()

    @property
    def package_count(self) -> int:
        """How many packages its databases name."""
        return sum(len(database.packages) for database in self.databases)

    @property
    def all_gaps(self) -> tuple[Note, ...]:
        """Gaps of the layer and of its databases, and its hostile entries: all that makes the reading doubtful."""
        return (*self.gaps, *(gap for database in self.databases for gap in database.gaps), *self.hostile)


class ImageInventory(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The layers of an image, lowest first, merged as a container sees them.

    `cataloger_version` names the revision of merging too. `accounts` is None where they could not be read.
    """

    image: str
    cataloger_version: str
    layers: tuple[str, ...]
    packages: tuple[Package, ...] = ()
    distribution: str = ""
    release: str = ""
    files: int = 0
    unowned_files: int = 0
    privileged: tuple[Note, ...] = ()
    gaps: tuple[Note, ...] = ()
    marked: tuple[MarkedFile, ...] = ()
    accounts: tuple[Account, ...] | None = None
    secrets: tuple[Secret, ...] = ()

    @property
    def ecosystems(self) -> dict[str, int]:
        """How many packages of each ecosystem."""
        counts: dict[str, int] = {}
        for package in self.packages:
            counts[package.ecosystem] = counts.get(package.ecosystem, 0) + 1
        return counts
