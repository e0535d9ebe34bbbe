"""Searching one file after the other: pieces of content come in as they are read, found places come out.

Every byte is looked at, however large the file is; only so much is kept that a secret across two pieces is seen whole.
What is found does not depend on where the pieces end.
"""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Sequence
from typing import Final

from lading.supply_chain.secrets.form import MOST_REACH, NEAR, Form, Found
from lading.supply_chain.secrets.forms import FORMS
from lading.supply_chain.secrets.places import examples_expected
from lading.supply_chain.secrets.prefilter import Prefilter

_HEAD: Final = 8_000
_ENOUGH: Final = 1 << 18
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
# Of one kind in one file.
MOST_FOUND: Final = 20
# What one reading may spend: places where a form has to be tried, and bytes that it is tried on. A layer with 270 MB of
# source code takes 25,000 of the first and 3 MB of the second.
MOST_STRIKES: Final = 1_000_000
MOST_TRIED: Final = 512 << 20


class Search:
    """Searches the files of one layer. Of one thread.

    `exhausted` says that the layer made it work more than any layer is worth, and that it stopped.
    """

    def __init__(self, forms: Sequence[Form] = FORMS, *, strikes: int = MOST_STRIKES, tried: int = MOST_TRIED) -> None:
        self._forms = forms
        self._prefilter = Prefilter(forms)
        self._strikes = strikes
        self._tried = tried
        self.exhausted = False

    def file(self, path: str) -> FileSearch:
        """Begin with a file."""
        return FileSearch(self, path)

    def look(self, content: bytes, path: str) -> list[tuple[int, Form]]:
        """Offsets of what is found in a stretch of text, with their forms."""
        if self.exhausted:
            return []
        found: list[tuple[int, Form]] = []
        windows = self._prefilter.windows(content, self._strikes)
        self.exhausted = self._prefilter.strikes > self._strikes
        expected = bool(windows) and examples_expected(path)
        for number, stretches in windows.items():
            form = self._forms[number]
            if (expected and not form.sure) or (form.wants is not None and not form.wants(path)):
                continue
            for low, high in stretches:
                self._tried -= min(high, len(content)) - low
                if self._tried < 0:
                    self.exhausted = True
                    return found
                found += [(at, form) for at in form.found(content, low, high, path)]
        return found


class FileSearch:
    """One file in pieces: `feed` each, then `finish`."""

    def __init__(self, search: Search, path: str) -> None:
        self._search = search
        self._path = path
        self._begun = False
        self._waiting = b""
        # What was looked at last, as far as it is needed again; `_decided` bytes of it are only for looking around.
        self._kept = b""
        self._decided = 0
        self._line = 1
        self._decoder: codecs.IncrementalDecoder | None = None
        self._found: dict[int, set[tuple[int, str]]] = {}
        self._told: Counter[str] = Counter()
        self.text = False

    def feed(self, piece: bytes) -> bool:
        """Take the next piece; whether more of the file is of interest."""
        if not self._begun:
            self._waiting += piece
            if len(self._waiting) < _HEAD:
                return True
            self._begin()
        elif self.text:
            self._waiting += self._decoded(piece)
        if self.text and len(self._waiting) >= _ENOUGH:
            self._look(last=False)
        return self.text

    def finish(self) -> tuple[Found, ...]:
        """The places, by line; nothing for what is no text."""
        if not self._begun:
            self._begin()
        if self.text:
            self._look(last=True)
        return tuple(
            Found(kind, line)
            for line, kinds in sorted(self._found.items())
            for general, kind in sorted(kinds)
            if general == min(kinds)[0]
        )

    def _begin(self) -> None:
        self._begun = True
        head = self._waiting
        if head.startswith(_UTF16):
            self._decoder = codecs.getincrementaldecoder("utf-16")("replace")
            self._waiting = self._decoded(head)
        self.text = self._decoder is not None or (bool(head) and b"\0" not in head[:_HEAD])
        if not self.text:
            self._waiting = b""

    def _decoded(self, piece: bytes) -> bytes:
        return self._decoder.decode(piece).encode() if self._decoder is not None else piece

    def _look(self, *, last: bool) -> None:
        content, self._waiting = self._kept + self._waiting, b""
        # What begins in the last stretch is left for the next time, when all of it is there.
        end = len(content) if last else max(self._decided, len(content) - MOST_REACH)
        for at, form in self._search.look(content, self._path):
            if self._decided <= at < end and self._told[form.kind.id] < MOST_FOUND:
                self._told[form.kind.id] += 1
                line = self._line + content.count(b"\n", 0, at)
                self._found.setdefault(line, set()).add((form.general, form.kind.id))
        if last:
            return
        cut = max(0, end - NEAR)
        self._line += content.count(b"\n", 0, cut)
        self._kept = content[cut:]
        self._decided = end - cut
