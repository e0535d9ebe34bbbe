"""What tells a secret from a placeholder, a variable, a name or a documented example. By the value alone."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Final

_PLACEHOLDER: Final = re.compile(
    rb"example|sample|change.{0,4}me|change.{0,4}it|placeholder|dummy|your|fixme|insert|replace|redacted|hidden|foobar"
    rb"|lorem|xxxx|\*\*\*|\.\.\.|not.?real|invalid|undefined|default|deadbeef|qwerty|s3cr3t|secret|p[a4@]ss-?w"
    rb"|(?<![a-z0-9])(?:test|demo|fake|mock|some|todo|my|null|none)(?![a-z0-9])",
    re.IGNORECASE,
)
# In what is short these are no chance.
_SHORT: Final = re.compile(rb"test|demo|fake|mock|some|todo|null|none", re.IGNORECASE)
_LONG: Final = 20
# Variables of shells, templates and formats; elements and calls.
_VARIABLE: Final = re.compile(
    rb"\$[{(A-Za-z_]|\{\{|\}\}|\{%|%[({]|%[sdr]\b|<[^>]{0,200}>|@[A-Za-z_]{1,80}@|[()\[\]{}]|#\{"
)
# What stands where a password would be, in texts and in files that are to be changed.
_WEAK: Final = frozenset(
    b"admin anonymous db_pass db_password dbpass guest hello letmein mongo mypass mysql pass passwd password postgres "
    b"postgresql pw pwd rabbitmq redis root scott secret test tiger token user username world".split()
)
_ASCENDING: Final = b"01234567890123456789abcdefghijklmnopqrstuvwxyzabcdef"
_FEWEST_KINDS: Final = 6
_RUN: Final = 5
_SEQUENCE: Final = 7


def entropy(value: bytes) -> float:
    """Shannon's entropy of the bytes, in bits for each of them."""
    size = len(value)
    return -sum(count / size * math.log2(count / size) for count in Counter(value).values()) if size else 0.0


def monotonous(value: bytes) -> bool:
    """Whether it repeats itself or counts up: written by a person who needed something of that length."""
    if len(set(value)) < _FEWEST_KINDS or re.search(rb"(.)\1{%d}" % (_RUN - 1), value, re.DOTALL):
        return True
    lower = value.lower()
    return any(lower[at : at + _SEQUENCE] in _ASCENDING for at in range(len(lower) - _SEQUENCE + 1))


def example(value: bytes) -> bool:
    """Whether a token of a fixed form is one that documentation shows: it says so, repeats itself or counts."""
    return b"example" in value.lower() or monotonous(value)


def placeholder(value: bytes) -> bool:
    """Whether it stands for a value that somebody else puts there: a word that says so, or a variable."""
    said = _PLACEHOLDER.search(value) or (len(value) < _LONG and _SHORT.search(value))
    return bool(said or _VARIABLE.search(value)) or monotonous(value)


def weak(value: bytes) -> bool:
    """Whether it is one of the words that everybody takes first: no secret, for anybody knows it."""
    return value.lower().strip(b"\"'") in _WEAK


def mixed(value: bytes, least: float) -> bool:
    """Whether letters and digits are mixed as chance does it, with at least so many bits for each byte."""
    letters = sum(1 for byte in value if chr(byte).isalpha())
    digits = sum(1 for byte in value if 48 <= byte <= 57)
    return letters >= 2 and digits >= 2 and entropy(value) >= least
