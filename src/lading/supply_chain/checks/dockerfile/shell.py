"""Read the commands of a shell text: enough of the grammar to know which programs are called with which words.

Quotes, escapes, comments, redirections, pipelines, substitutions and here-documents are understood; nothing is expanded
or run. Source: POSIX shell command language ("Quoting", "Token recognition", "Redirection", "Command substitution"),
and `<( )` of bash.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

_MOST_DEPTH: Final = 12
_RESERVED: Final = frozenset({
    "if", "then", "elif", "else", "fi", "do", "done", "while", "until", "for", "case", "esac", "in", "{", "}", "!",
    "time",
})  # fmt: skip
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*\+?=")
SHELLS: Final = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})
# Programs that run the program named after them, with the options of theirs that take a word.
_WRAPPERS: Final = {
    "sudo": "-u -g -h -p -C -D -R -T", "env": "-u -C -S", "exec": "-a", "command": "", "nice": "-n", "nohup": "",
    "timeout": "-s -k", "time": "-o -f", "chroot": "", "gosu": "", "su-exec": "", "eatmydata": "", "setarch": "",
}  # fmt: skip
_TAKES_ONE_MORE: Final = frozenset({"timeout", "chroot", "gosu", "su-exec", "setarch"})


@dataclass(slots=True)
class Command:
    """One simple command. `words` are without quotes, variables as they stand; `line` is where it begins.

    `assigned` are the assignments before it. `piped` says that it reads what the command before it writes. `inner`
    are the commands whose output stands in its words.
    """

    line: int
    words: list[str] = field(default_factory=list)
    assigned: list[str] = field(default_factory=list)
    piped: bool = False
    inner: list[Command] = field(default_factory=list)

    @property
    def called(self) -> list[str]:
        """Program and arguments without what only wraps them: `sudo -u x env A=b apt-get` calls `apt-get`."""
        words = self.words
        while words and (name := _base(words[0])) in _WRAPPERS:
            words = _past_options(words[1:], _WRAPPERS[name].split(), name in _TAKES_ONE_MORE)
        return [_base(words[0]), *words[1:]] if words else []

    @property
    def program(self) -> str:
        """The name of the program, without its directory."""
        return next(iter(self.called), "")

    def has(self, *options: str) -> bool:
        """Whether one of the options is among the words: as it is, with `=`, or a letter among others (`-xk`)."""
        letters = {option[1] for option in options if len(option) == 2}
        for word in self.called[1:]:
            if word in options or word.partition("=")[0] in options:
                return True
            if letters and re.fullmatch(r"-[A-Za-z]+", word) and letters & set(word[1:]):
                return True
        return False


@dataclass(frozen=True, slots=True)
class Script:
    """A text with the line that each of its parts stands on: pairs of line and text, joined by `joint`."""

    parts: Sequence[tuple[int, str]]
    joint: str

    def commands(self) -> list[Command]:
        """Every command, also those inside substitutions and `sh -c`, in order of appearance."""
        starts, offset = [], 0
        for _, text in self.parts:
            starts.append(offset)
            offset += len(text) + len(self.joint)
        lines = [line for line, _ in self.parts]
        reader = _Reader(self.joint.join(text for _, text in self.parts), starts, lines)
        return list(flat(reader.read("", 0)))


def flat(commands: Sequence[Command], depth: int = 0) -> Iterator[Command]:
    """Commands with those inside them."""
    for command in commands:
        yield command
        if depth < _MOST_DEPTH:
            yield from flat([*command.inner, *_handed(command)], depth + 1)


def _handed(command: Command) -> list[Command]:
    """The commands that a shell is handed as a text: `sh -ec 'text'`."""
    called = command.called
    if not called or called[0] not in SHELLS:
        return []
    for place, word in enumerate(called[1:-1], 1):
        if re.fullmatch(r"-[a-z]*c[a-z]*", word):
            return _Reader(called[place + 1], [0], [command.line]).read("", 1)
        if not word.startswith("-") and word not in ("pipefail", "errexit"):
            return []
    return []


class _Reader:
    def __init__(self, text: str, starts: Sequence[int], lines: Sequence[int]) -> None:
        self._text = text
        self._starts = starts
        self._lines = lines
        self._at = 0
        self._documents: list[str] = []

    def read(self, end: str, depth: int) -> list[Command]:
        """Commands up to `end`: a closing bracket, a backquote, or nothing for the end of the text."""
        found: list[Command] = []
        command, piped = Command(self._line()), False
        while self._at < len(self._text):
            char = self._text[self._at]
            if char == end:
                self._at += 1
                break
            if char in " \t\r":
                self._at += 1
            elif char == "#":
                self._skip_to("\n")
            elif char in "\n;&|()":
                self._close(command, found)
                piped = self._operator()
                command = Command(self._line(), piped=piped)
            elif char in "<>" and not self._text.startswith(("<(", ">("), self._at):
                self._redirection(command, depth)
            else:
                self._take(command, depth)
        self._close(command, found)
        return found

    def _line(self) -> int:
        return self._lines[max(0, bisect.bisect_right(self._starts, self._at) - 1)] if self._lines else 0

    def _close(self, command: Command, found: list[Command]) -> None:
        if command.words or command.assigned or command.inner:
            found.append(command)

    def _operator(self) -> bool:
        """Pass an operator; whether it is a pipe."""
        for operator in ("&&", "||", ";;", "|&"):
            if self._text.startswith(operator, self._at):
                self._at += 2
                return operator == "|&"
        char = self._text[self._at]
        self._at += 1
        if char == "\n":
            for word in self._documents:
                self._skip_document(word)
            self._documents = []
        return char == "|"

    def _skip_document(self, word: str) -> None:
        while self._at < len(self._text):
            line, _, _ = self._text[self._at :].partition("\n") if len(self._text) < 4096 else self._partition()
            self._at += len(line) + 1
            if line.strip("\t\r ") == word:
                return

    def _partition(self) -> tuple[str, str, str]:
        end = self._text.find("\n", self._at)
        return (self._text[self._at : end if end >= 0 else len(self._text)], "\n", "")

    def _skip_to(self, mark: str) -> None:
        end = self._text.find(mark, self._at)
        self._at = end if end >= 0 else len(self._text)

    def _redirection(self, command: Command, depth: int) -> None:
        document = self._text.startswith("<<", self._at) and not self._text.startswith("<<<", self._at)
        while self._at < len(self._text) and self._text[self._at] in "<>&|-":
            self._at += 1
        while self._at < len(self._text) and self._text[self._at] in " \t":
            self._at += 1
        # Inner commands of the target are still commands of this one.
        word, inner = self._word(depth)
        command.inner += inner
        if document and word:
            self._documents.append(word)

    def _take(self, command: Command, depth: int) -> None:
        if not command.words and not command.assigned:
            command.line = self._line()
        begun = self._at
        word, inner = self._word(depth)
        if self._at == begun:
            self._at += 1
            return
        command.inner += inner
        following = self._text[self._at : self._at + 1]
        if word.isdigit() and following and following in "<>":
            return
        if not command.words and word in _RESERVED:
            return
        if not command.words and _ASSIGNMENT.match(word):
            command.assigned.append(word)
        else:
            command.words.append(word)

    def _word(self, depth: int) -> tuple[str, list[Command]]:
        pieces: list[str] = []
        inner: list[Command] = []
        while self._at < len(self._text):
            char = self._text[self._at]
            if char == "'":
                end = self._text.find("'", self._at + 1)
                end = end if end >= 0 else len(self._text)
                pieces.append(self._text[self._at + 1 : end])
                self._at = end + 1
            elif char == '"':
                self._at += 1
                self._quoted(pieces, inner, depth)
            elif self._substitution(pieces, inner, depth):
                continue
            elif char in " \t\r\n;&|()<>`":
                break
            else:
                self._plain(pieces)
        return "".join(pieces), inner

    def _quoted(self, pieces: list[str], inner: list[Command], depth: int) -> None:
        while self._at < len(self._text):
            char = self._text[self._at]
            if char == '"':
                self._at += 1
                return
            if self._substitution(pieces, inner, depth):
                continue
            self._plain(pieces)

    def _plain(self, pieces: list[str]) -> None:
        if self._text[self._at] == "\\" and self._at + 1 < len(self._text):
            self._at += 1
            if self._text[self._at] != "\n":
                pieces.append(self._text[self._at])
        else:
            pieces.append(self._text[self._at])
        self._at += 1

    def _substitution(self, pieces: list[str], inner: list[Command], depth: int) -> bool:
        """Pass `$( )`, a pair of backquotes, `<( )` or `${ }` when one stands here."""
        text, at = self._text, self._at
        if text.startswith("${", at):
            end = text.find("}", at)
            end = end + 1 if end >= 0 else len(text)
            pieces.append(text[at:end])
            self._at = end
            return True
        opened = next((mark for mark in ("$(", "<(", ">(", "`") if text.startswith(mark, at)), "")
        if not opened or depth >= _MOST_DEPTH:
            return False
        self._at += len(opened)
        inner += self.read("`" if opened == "`" else ")", depth + 1)
        pieces.append("$(…)")
        return True


def _base(word: str) -> str:
    return word.rpartition("/")[2]


def _past_options(words: Sequence[str], with_word: Sequence[str], one_more: bool) -> list[str]:
    at = 0
    while at < len(words):
        word = words[at]
        if word in with_word:
            at += 2
        elif word.startswith("-") or _ASSIGNMENT.match(word):
            at += 1
        else:
            break
    return list(words[at + one_more :])
