"""One layer, one pass: files indexed, hashed and searched for secrets, whiteouts noted, databases catalogued.

A layer is hostile until shown otherwise. Nothing is written to a disk; every bound that is reached, every name that
climbs, every link that leads out and every database that cannot be read is in the result.
"""

from __future__ import annotations

from typing import IO, Final

from lading.supply_chain.inventory import paths
from lading.supply_chain.inventory.catalogers import CATALOGERS, Cataloger, Catalogers
from lading.supply_chain.inventory.files import FilePacker, unpack
from lading.supply_chain.inventory.limits import DEFAULT, Limits
from lading.supply_chain.inventory.programs import HEAD, form_of
from lading.supply_chain.inventory.stream import StreamEnded, uncompressed
from lading.supply_chain.inventory.tar import Member, TarReader
from lading.supply_chain.inventory.values import (
    DIRECTORY,
    HARDLINK,
    REGULAR,
    SYMLINK,
    TEXT,
    FileEntry,
    LayerInventory,
    Note,
    PackageDatabase,
    Secret,
)
from lading.supply_chain.secrets.searching import Search

_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"
_KINDS: Final = {"0": REGULAR, "7": REGULAR, "1": HARDLINK, "2": SYMLINK, "3": "c", "4": "b", "5": DIRECTORY, "6": "p"}
_SETID: Final = 0o6000
# null, zero, full, random, urandom, tty, console, ptmx: what every base image made from packages has in /dev.
_PLAIN_DEVICES: Final = {(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2)}


def read_layer(
    layer: str, blob: IO[bytes], limits: Limits = DEFAULT, catalogers: Catalogers = CATALOGERS
) -> LayerInventory:
    """Read a layer once, from its first byte to its last or to the first bound.

    Args:
        layer: the digest of the blob, for the result only.
        blob: gzip, zstd or plain tar.
        limits: what one layer may cost.
        catalogers: who is asked about its files.
    """
    return _Reading(layer, limits, catalogers).run(blob)


class _Reading:
    def __init__(self, layer: str, limits: Limits, catalogers: Catalogers) -> None:
        self._layer = layer
        self._limits = limits
        self._catalogers = catalogers
        self._files = FilePacker()
        self._databases: dict[str, PackageDatabase] = {}
        self._contents: dict[str, bytes] = {}
        self._kept = 0
        self._whiteouts: list[str] = []
        self._opaque: list[str] = []
        self._links: dict[str, str] = {}
        self._hard: dict[str, str] = {}
        self._straight = ""
        self._entries = self._names = self._packages = self._owned = self._again = 0
        self._search = Search()
        self._secrets: dict[str, list[Secret]] = {}
        self._notes: dict[str, list[Note]] = {"gap": [], "hostile": [], "privileged": []}
        self._dropped = dict.fromkeys(self._notes, 0)

    def run(self, blob: IO[bytes]) -> LayerInventory:
        reader = None
        chunks = uncompressed(blob, self._limits)
        try:
            reader = TarReader(chunks, self._limits)
            for member in reader:
                self._count(member)
                self._member(reader, member)
            if reader.trailing():
                self._note("hostile", "data-after-end", "", "something follows the end of the archive")
        except StreamEnded as ended:
            self._note("gap", ended.kind, "", ended.detail)
        finally:
            chunks.close()  # type: ignore[attr-defined]
        if self._search.exhausted:
            self._note("gap", "secrets-unsearched", "", "so much in it looks like a secret that the search was stopped")
        packed = self._files.finish()
        self._check_hard_links(packed)
        return LayerInventory(
            layer=self._layer,
            cataloger_version=self._catalogers.version,
            databases=tuple(self._databases.values()),
            whiteouts=tuple(self._whiteouts),
            opaque=tuple(self._opaque),
            privileged=self._told("privileged"),
            hostile=self._told("hostile"),
            gaps=self._told("gap"),
            file_count=self._files.count,
            bytes_read=reader.bytes_read if reader else 0,
            files=packed,
            secrets=tuple(secret for found in self._secrets.values() for secret in found),
        )

    def _count(self, member: Member) -> None:
        self._entries += 1
        self._names += len(member.path) + len(member.link)
        if self._entries > self._limits.entries:
            raise StreamEnded("layer-too-many-entries", f"reading stopped after {self._limits.entries} entries")
        if self._names > self._limits.names:
            raise StreamEnded("layer-too-many-entries", f"reading stopped after {self._limits.names} bytes of names")

    def _member(self, reader: TarReader, member: Member) -> None:
        path, complaint = paths.clean(member.path)
        if complaint:
            self._note("hostile", complaint, path, _shown(member.path))
        if not path:
            return
        if len(path) > self._limits.path:
            self._note("gap", "path-too-long", path[:200], f"{len(path)} characters")
            return
        kind = _KINDS.get(member.type)
        if kind is None:
            self._note("gap", "entry-unknown", path, f"tar type {member.type!r}")
            return
        name = path.rpartition("/")[2]
        if name.startswith(_WHITEOUT):
            self._whiteout(path, name)
            return
        path = self._through_links(path)
        link = _shown(member.link, 4_096) if kind in (SYMLINK, HARDLINK) else ""
        if kind == REGULAR:
            self._regular(reader, member, path)
            return
        self._forget(path)
        if kind == SYMLINK:
            self._symlink(path, link)
        elif kind == HARDLINK:
            link = self._hard_link(path, link)
        elif kind in "cb":
            self._device(member, kind, path)
        self._files.add(FileEntry(path, kind, member.mode, member.uid, member.gid, member.size, b"", link))
        if kind == HARDLINK and link:
            self._catalogue_hard_link(path, link)

    def _regular(self, reader: TarReader, member: Member, path: str) -> None:
        form = form_of(reader.head(HEAD))
        wanting = self._catalogers.wanting(path, form)
        keep = min(max(one.most for one in wanting), self._limits.database) if wanting else -1
        file = self._search.file(path)
        sha256, content = reader.content(keep, {mark for one in wanting for mark in one.places.marks}, file.feed)
        for found in file.finish():
            self._secret(Secret(found.kind, path, found.line))
        if member.sparse:
            sha256, content = b"", None
        self._forget(path)
        form = form or (TEXT if file.text else "")
        entry = FileEntry(path, REGULAR, member.mode, member.uid, member.gid, member.size, sha256, "", form)
        self._files.add(entry)
        if member.mode & _SETID:
            self._note("privileged", "setuid" if member.mode & 0o4000 else "setgid", path, oct(member.mode)[2:])
        for cataloger in wanting:
            if content is None or len(content) > cataloger.most:
                self._too_large(cataloger, member, path, reader.seen)
            elif self._catalogue(cataloger, path, content):
                return

    def _secret(self, secret: Secret) -> None:
        found = self._secrets.setdefault(secret.rule, [])
        if len(found) < self._limits.secrets:
            found.append(secret)

    def _too_large(self, cataloger: Cataloger, member: Member, path: str, seen: set[bytes]) -> None:
        why = "it is sparse" if member.sparse else f"it has {member.size} bytes"
        if cataloger.places.minor:
            return
        if not cataloger.places.forms:
            self._note("gap", "package-database-unreadable", path, why)
        elif cataloger.places.marks & seen:
            self._note("gap", "program-unread", path, f"{why}, and packages of {cataloger.name} in it")

    def _catalogue(self, cataloger: Cataloger, path: str, content: bytes) -> bool:
        """Keep what the cataloger says of a file; whether it said anything."""
        # A program is looked into at few places: its size says nothing of the work.
        self._kept += 0 if cataloger.places.forms else len(content)
        many = len(self._databases) >= self._limits.databases or self._again > self._limits.again
        if many or self._kept > self._limits.database_bytes:
            self._note("gap", "package-database-unread", path, "the layer has too many package databases")
            return True
        database = cataloger.read(path, content)
        if cataloger.places.forms and database.says_nothing:
            return False
        self._keep(path, database)
        if len(content) <= 65_536 and len(self._contents) < 10_000:
            self._contents[path] = content
        return True

    def _keep(self, path: str, database: PackageDatabase) -> None:
        self._packages += len(database.packages)
        self._owned += len(database.owns)
        if self._packages > self._limits.packages or self._owned > self._limits.owned:
            self._note("gap", "package-database-unread", path, "the layer names too many packages or owned files")
            return
        self._databases[path] = database

    def _catalogue_hard_link(self, path: str, target: str) -> None:
        cataloger = self._catalogers.at(path)
        if cataloger is None:
            return
        if target in self._contents:
            self._catalogue(cataloger, path, self._contents[target])
        elif not (cataloger.places.minor or cataloger.wants(target)):
            self._note("gap", "package-database-unreadable", path, f"it is a hard link to {target}")

    def _forget(self, path: str) -> None:
        """A later entry of the same name replaces what an earlier one said."""
        if path in self._databases:
            self._again += 1
            del self._databases[path]
            self._contents.pop(path, None)
        if path in self._links:
            del self._links[path]

    def _whiteout(self, path: str, name: str) -> None:
        parent = path[: -len(name)].rstrip("/")
        if name == _OPAQUE:
            self._opaque.append(parent)
        elif name.startswith(".wh..wh."):
            return  # AUFS keeps its own books under these names; they hide nothing.
        elif name == _WHITEOUT or name in (".wh..", ".wh..."):
            self._note("hostile", "whiteout-of-nothing", path)
        else:
            self._whiteouts.append(f"{parent}/{name[4:]}".lstrip("/"))

    def _symlink(self, path: str, link: str) -> None:
        if paths.escapes(path, link):
            self._note("hostile", "link-escapes", path, link)
        cataloger = self._catalogers.at(path)
        # A link to a file that is read where it lies hides nothing.
        harmless = cataloger is None or cataloger.places.links or cataloger.places.minor
        if cataloger is not None and not (harmless or cataloger.wants(paths.pointed(path, link))):
            self._note("gap", "package-database-unreadable", path, f"it is a symbolic link to {link}")
        self._links[path] = link
        self._straight = ""

    def _hard_link(self, path: str, link: str) -> str:
        target, complaint = paths.clean(link)
        if complaint == "path-traversal" or not target:
            self._note("hostile", "link-escapes", path, link)
            return ""
        if target == path:
            self._note("hostile", "link-loop", path, link)
            return ""
        self._hard[path] = target
        return target

    def _device(self, member: Member, kind: str, path: str) -> None:
        numbers = (member.major, member.minor)
        if kind == "b" or numbers not in _PLAIN_DEVICES or not path.startswith("dev/"):
            word = "block" if kind == "b" else "character"
            self._note("hostile", "device-node", path, f"{word} {member.major}:{member.minor}")

    def _through_links(self, path: str) -> str:
        """Where a runtime would write an entry whose directory goes through a link that this layer made."""
        parent, slash, name = path.rpartition("/")
        if not self._links or not slash or parent == self._straight:
            return path
        resolved = paths.resolve(parent, self._links)
        if resolved == parent:
            self._straight = parent
            return path
        self._note("hostile", "written-through-link", path, f"to {resolved}/{name}")
        return f"{resolved}/{name}".lstrip("/")

    def _check_hard_links(self, packed: bytes) -> None:
        if not self._hard:
            return
        wanted = set(self._hard.values())
        seen = {entry.path for entry in unpack(packed) if entry.path in wanted and entry.kind != HARDLINK}
        for path, target in self._hard.items():
            if target not in seen:
                kind = "link-loop" if self._hard.get(target) == path else "link-dangling"
                self._note("hostile", kind, path, target)

    def _note(self, group: str, kind: str, path: str, detail: str = "") -> None:
        notes = self._notes[group]
        if len(notes) < self._limits.notes:
            notes.append(Note(kind, path[:500], detail[:500]))
        else:
            self._dropped[group] += 1

    def _told(self, group: str) -> tuple[Note, ...]:
        notes = self._notes[group]
        if self._dropped[group]:
            notes.append(Note(f"{group}-more", "", f"{self._dropped[group]} more of this kind are not listed"))
        return tuple(notes)


def _shown(text: str, most: int = 300) -> str:
    return text[:most].encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
