"""Layers to image: what a container sees, by the rules of the OCI image specification ("Applying changesets").

An upper layer's entry replaces the lower one of the same path; an entry that is no directory hides everything below;
whiteouts and opaque directories hide what lower layers have, never what their own layer brings. A package was brought
by the lowest layer since which it has been there without a break.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from lading.supply_chain.inventory import paths
from lading.supply_chain.inventory.accounts import accounts_of
from lading.supply_chain.inventory.catalogers import VERSION
from lading.supply_chain.inventory.catalogers.dpkg import UNREADABLE
from lading.supply_chain.inventory.catalogers.release import PATHS
from lading.supply_chain.inventory.catalogers.wellknown import ECOSYSTEM
from lading.supply_chain.inventory.copyrights import licensed
from lading.supply_chain.inventory.declared import carried_out
from lading.supply_chain.inventory.files import unpack
from lading.supply_chain.inventory.joined import brought_by_conda, joined
from lading.supply_chain.inventory.marks import REVISION, is_marked, marked_files
from lading.supply_chain.inventory.ownership import MERGED_DIRECTORIES
from lading.supply_chain.inventory.releases import FAMILIES, settled, type_of
from lading.supply_chain.inventory.secrets import Secrets
from lading.supply_chain.inventory.values import (
    DIRECTORY,
    HARDLINK,
    INSIDE,
    SYMLINK,
    FileEntry,
    ImageInventory,
    LayerInventory,
    Note,
    Package,
    PackageDatabase,
)

_MOST_GAPS: Final = 500
_SYSTEMS: Final = {"deb": "var/lib/dpkg/status", "apk": "lib/apk/db/installed", "rpm": "usr/lib/sysimage/rpm"}
# Their directory belongs to them alone, so its owner is theirs; programs lie in directories of everybody.
_OWN_DIRECTORY: Final = ("/METADATA", "/PKG-INFO", "/package.json")


class Overlay:
    """The file system that layers come to, applied one after the other, lowest first."""

    def __init__(self) -> None:
        self.files: dict[str, FileEntry] = {}
        self.databases: dict[str, PackageDatabase] = {}
        self.links: dict[str, str] = {}
        # Directories that have, or once had, something in them: only what replaces one of these can hide anything.
        self._parents: set[str] = set()
        # Path of what has a mark -> the layer that brought it.
        self.marked: dict[str, str] = {}

    def apply(self, layer: LayerInventory, secrets: Secrets | None = None) -> None:
        """Put `layer` on top; `secrets` takes in what it ships."""
        entries, databases, moved = self._placed(layer)
        self._hide(layer, entries)
        for path, entry in entries.items():
            self.databases.pop(path, None)
            if entry.kind == SYMLINK:
                self.links[path] = entry.link
            else:
                self.links.pop(path, None)
                if is_marked(entry):
                    self.marked[path] = layer.layer
        self._make_directories(entries)
        self.databases |= databases
        if secrets is not None and layer.secrets:
            secrets.bring(layer, moved, entries, self.files, databases, self.databases)
        self.files |= entries

    def _make_directories(self, entries: dict[str, FileEntry]) -> None:
        """What lies above an entry is a directory now, though no entry says so: a lower file of that name is gone."""
        seen = {""}
        for path in entries:
            parent = path.rpartition("/")[0]
            while parent not in seen:
                seen.add(parent)
                lower = self.files.get(parent)
                if lower is not None and lower.kind != DIRECTORY:
                    del self.files[parent]
                    self.databases.pop(parent, None)
                    self.links.pop(parent, None)
                parent = parent.rpartition("/")[0]
        self._parents |= seen

    def _placed(self, layer: LayerInventory) -> tuple[dict[str, FileEntry], dict[str, PackageDatabase], dict[str, str]]:
        """The layer's entries where they come to lie: a lower symbolic link to a directory is followed.

        The third are those that come to lie elsewhere than they say, and where.
        """
        own: dict[str, FileEntry] = {entry.path: entry for entry in unpack(layer.files)}
        databases = {database.path: database for database in layer.databases}
        links = {path: target for path, target in self.links.items() if path not in own}
        if not links:
            return _dereferenced(own), databases, {}
        moved: dict[str, str] = {}
        resolved: dict[str, str] = {}
        for path in own:
            parent, slash, name = path.rpartition("/")
            if not slash:
                continue
            if parent not in resolved:
                resolved[parent] = paths.resolve(parent, links)
            if resolved[parent] != parent:
                moved[path] = f"{resolved[parent]}/{name}".lstrip("/")
        if moved:
            own = {
                moved.get(path, path): _at(entry, moved.get(path, path), moved.get(entry.link, entry.link))
                for path, entry in own.items()
            }
            databases = {
                moved.get(path, path): msgspec.structs.replace(database, path=moved.get(path, path))
                for path, database in databases.items()
            }
        return _dereferenced(own), databases, moved

    def _hide(self, layer: LayerInventory, entries: dict[str, FileEntry]) -> None:
        parents = self._parents
        gone = {path for path, entry in entries.items() if path in parents and entry.kind != DIRECTORY}
        gone.update(layer.whiteouts)
        opaque = set(layer.opaque)
        if not self.files or not (gone or opaque):
            return
        if "" in opaque:
            self.files, self.databases, self.links = {}, {}, {}
            return
        memo: dict[str, bool] = {"": False}

        def below_hidden(directory: str) -> bool:
            found = memo.get(directory)
            if found is None:
                found = directory in gone or directory in opaque or below_hidden(directory.rpartition("/")[0])
                memo[directory] = found
            return found

        whiteouts = set(layer.whiteouts)
        hidden = [path for path in self.files if path in whiteouts or below_hidden(path.rpartition("/")[0])]
        for path in hidden:
            del self.files[path]
            self.databases.pop(path, None)
            self.links.pop(path, None)


def _at(entry: FileEntry, path: str, link: str) -> FileEntry:
    link = link if entry.kind == HARDLINK else entry.link
    return msgspec.structs.replace(entry, path=path, link=link)


def _dereferenced(entries: dict[str, FileEntry]) -> dict[str, FileEntry]:
    """Hard links as what they are: a second name of a file. One whose file is not there stays a hard link."""
    for path, entry in entries.items():
        target = entries.get(entry.link) if entry.kind == HARDLINK else None
        if target is not None and target.kind != HARDLINK:
            entries[path] = msgspec.structs.replace(target, path=path)
    return entries


def merge(image: str, layers: Sequence[LayerInventory], *, unread: int = 0, version: str = VERSION) -> ImageInventory:
    """The inventory of an image from those of its layers, lowest first; `unread` layers above them were left out."""
    overlay = Overlay()
    brought: dict[tuple[str, ...], str] = {}
    secrets = Secrets()
    for layer in layers:
        overlay.apply(layer, secrets)
        visible = {_identity(package) for package in _packages(overlay)}
        brought = {identity: brought.get(identity, layer.layer) for identity in visible}
    release = _release(overlay)
    owners = _owners(overlay)
    conda = brought_by_conda(overlay.databases.values())
    finished = (joined(_finished(package, brought, release, owners), conda) for package in _packages(overlay))
    packages = [
        licensed(package, overlay.databases, overlay.links)
        for package in finished
        if not (package.ecosystem == ECOSYSTEM and package.provided_by)
    ]
    files = [path for path, entry in overlay.files.items() if entry.kind != DIRECTORY]
    return ImageInventory(
        image=image,
        cataloger_version=merged_version(version),
        layers=tuple(layer.layer for layer in layers),
        packages=tuple(sorted(packages, key=lambda package: (package.ecosystem, package.purl, package.path))),
        distribution=release.get("ID", ""),
        release=release.get("VERSION_ID", ""),
        files=len(files),
        unowned_files=_unowned(overlay, files, owners),
        privileged=tuple(note for layer in layers for note in layer.privileged if note.path in overlay.files),
        gaps=(*_unread(unread), *_gaps(overlay, layers, release, bool(packages)))[:_MOST_GAPS],
        marked=marked_files(_marked(overlay), overlay.marked, lambda path: _owner(path, owners)),
        accounts=accounts_of(overlay.files, overlay.databases),
        secrets=secrets.told(overlay.files, overlay.databases),
    )


def merged_version(version: str) -> str:
    """The version of an image's inventory: of the catalogers that read its layers, and of how they are merged."""
    return f"{version}+merging.{REVISION}"


def growing(layers: Iterable[LayerInventory]) -> Iterator[tuple[str, dict[str, str], list[Package]]]:
    """An image as it grows, lowest layer first: the layer, what os-release says then, and the packages there are then.

    Packages are as their layers say them, those of distributions without their release.
    """
    overlay = Overlay()
    for layer in layers:
        overlay.apply(layer)
        yield layer.layer, _release(overlay), list(_packages(overlay))


def merged_files(layers: Iterable[LayerInventory]) -> dict[str, FileEntry]:
    """Every path that a container of the image starts with."""
    overlay = Overlay()
    for layer in layers:
        overlay.apply(layer)
    return overlay.files


def _marked(overlay: Overlay) -> Iterator[FileEntry]:
    return (overlay.files[path] for path in overlay.marked if path in overlay.files)


def _packages(overlay: Overlay) -> Iterator[Package]:
    done = carried_out(overlay.databases)
    for path, database in overlay.databases.items():
        if path not in done:
            for package in database.packages:
                own, mark, within = package.path.partition(INSIDE)
                yield package if own == path else msgspec.structs.replace(package, path=f"{path}{mark}{within}")


def _identity(package: Package) -> tuple[str, ...]:
    place = "" if type_of(package) else package.path
    return package.ecosystem, package.name, package.version, package.architecture, place


def _finished(
    package: Package, brought: dict[tuple[str, ...], str], release: dict[str, str], owners: dict[str, str]
) -> Package:
    placed = msgspec.structs.replace(package, layer=brought[_identity(package)])
    kind = type_of(package)
    if kind:
        return settled(placed, kind, release)
    return msgspec.structs.replace(placed, provided_by=_owner(package.path.partition(INSIDE)[0], owners))


def _release(overlay: Overlay) -> dict[str, str]:
    for path in PATHS:
        database = overlay.databases.get(path)
        if database is not None and database.release:
            return database.release
    return {}


def _owners(overlay: Overlay) -> dict[str, str]:
    """Owned path -> distribution's package (empty for a package of another kind)."""
    return {
        path: owner for database in overlay.databases.values() for path, owner in database.owned() if path
    }  # fmt: skip


def _owner(path: str, owners: dict[str, str]) -> str:
    """The distribution's package that owns a file; lists written before directories moved name it without `usr`."""
    found = owners.get(path, "") or owners.get(path.removeprefix("usr/"), "")
    if not found and path.endswith(_OWN_DIRECTORY):
        found = owners.get(path.rpartition("/")[0], "")
    return found


def _unowned(overlay: Overlay, files: list[str], owners: dict[str, str]) -> int:
    known = set(owners)
    for owned in owners:
        if owned.startswith(MERGED_DIRECTORIES):
            known.add(f"usr/{owned}")
    prefixes = {owned for owned in known if owned.endswith("/")}
    said = {path for path, database in overlay.databases.items() if not database.licences}
    return sum(path not in known and path not in said and not (prefixes and _below(path, prefixes)) for path in files)


def _below(path: str, prefixes: set[str]) -> bool:
    at = path.find("/")
    while at >= 0:
        if path[: at + 1] in prefixes:
            return True
        at = path.find("/", at + 1)
    return False


def _named(databases: Iterable[PackageDatabase]) -> set[str]:
    """Every deb package that is named, installed or not."""
    found: set[str] = set()
    for database in databases:
        if database.cataloger == "dpkg":
            found.update(package.name for package in database.packages)
            found.update(database.absent)
    return found


def _unread(layers: int) -> tuple[Note, ...]:
    return (Note("image-too-many-layers", "", f"{layers} layers were not read"),) if layers else ()


def _gaps(
    overlay: Overlay, layers: Sequence[LayerInventory], release: dict[str, str], any_packages: bool
) -> Iterator[Note]:
    for layer in layers:
        yield from layer.gaps
        yield from layer.hostile
    for database in overlay.databases.values():
        yield from database.gaps
    databases = overlay.databases.values()
    systems = {type_of(package) for database in databases for package in database.packages[:1]} - {""}
    lists = {database.owner for database in databases if database.owner and database.path.endswith(".list")}
    identity = release.get("ID", "")
    lost = [kind for kind, family in FAMILIES.items() if identity in family and kind not in systems]
    if lists and "deb" not in systems:
        yield Note(UNREADABLE, _SYSTEMS["deb"], f"it names no package, yet {len(lists)} have lists of their files")
    elif missing := sorted(lists - _named(databases)):
        why = f"it does not name {len(missing)} packages that have lists of their files: {', '.join(missing[:5])}"
        yield Note(UNREADABLE, _SYSTEMS["deb"], why)
    elif lost:
        yield Note(UNREADABLE, _SYSTEMS[lost[0]], f"this is {identity}, and there is no readable database")
    elif systems and not release.get("VERSION_ID"):
        yield Note("release-unknown", "etc/os-release", "the release of these packages is not known: not matched")
    elif not release and not any_packages and overlay.files:
        yield Note("nothing-recognised", "", "no distribution and no package was recognised in this image")
