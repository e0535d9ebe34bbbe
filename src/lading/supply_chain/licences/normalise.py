"""From what packages declare to expressions of SPDX ids, the declared texts kept beside.

First a text is read as an expression, then as a name, then as names between operators. A part that nobody knows becomes
a `LicenseRef-` of its own words. An exception without an id is left out: it only adds permissions, so the licence
counts as it is without it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import msgspec

from lading.supply_chain.licences import ids, names
from lading.supply_chain.licences.expression import (
    OWN,
    Expression,
    Malformed,
    Operator,
    Term,
    joined,
    judged,
    parse,
    terms,
)
from lading.supply_chain.licences.ids import RANKS, Category

MOST_TEXTS: Final = 50
_MOST_TEXT: Final = 1_000
_MOST_WORDS: Final = 6
_MOST_REF: Final = 60
_NOT_IN_IDS: Final = re.compile(r"[^A-Za-z0-9.]+")
_REF: Final = re.compile(r"(?:DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+")
_OPERATORS: Final = re.compile(
    r"(?P<open>[(\[])|(?P<close>[)\]])|(?P<word>\band/or\b|\band\b|\bor\b|\bwith\b|\bplus\b)"
    r"|(?P<sign>&&?|\|\|?|/|,|;|(?<= )\+(?= ))",
    re.IGNORECASE,
)
# Operators as SPDX writes them: nobody writes prose so.
_STATED: Final = re.compile(r" (?:AND|OR) ")
_SIGNS: Final = dict.fromkeys(("and", "plus", "&", "&&", "+", ",", ";"), "AND") | {"with": "WITH"}
# Of several licences of one package, their packagers say that one may choose.
_CHOICES: Final = frozenset({"npm", "Packagist", "Maven"})
_UNSAID: Final = frozenset({"", "noassertion", "none", "unknown", "n/a", "null", "other", "custom", "see license"})


class Licence(msgspec.Struct, frozen=True, kw_only=True):
    """What a package is licensed under.

    `expression` is a valid SPDX expression, empty where nothing is declared; `declared` what was declared, as it was;
    `ids` the licences in it, each once; `known` whether the kind of each of them is known.
    """

    expression: str
    declared: str = ""
    known: bool = False
    ids: tuple[str, ...] = ()
    category: Category = Category.UNKNOWN


def licence_of(texts: Sequence[str], ecosystem: str = "") -> Licence:
    """The licence of a package from its declared texts; never raises. Several texts are a choice where the packagers of
    the ecosystem say so, and hold together elsewhere."""
    said = tuple(text[:_MOST_TEXT] for text in texts[:MOST_TEXTS] if text.strip())
    return _licence(said, "OR" if ecosystem.partition(":")[0] in _CHOICES else "AND")


def normalised(text: str) -> Expression | None:
    """One declared text as an expression; None when it says nothing. Never raises."""
    return _normalised(text[:_MOST_TEXT])


def category_of(term: Term) -> Category:
    """The kind of one licence; an exception that is known for it makes strong copyleft weak."""
    licence = term.licence
    found = ids.find(licence) or ids.find(licence.removesuffix("+"))
    category = found.category if found is not None and not found.is_exception else Category.UNKNOWN
    if category is Category.STRONG_COPYLEFT and term.exception.lower() in ids.exceptions():
        return Category.WEAK_COPYLEFT
    return category


def category(expression: Expression) -> Category:
    """The kind of an expression: of a choice the mildest, of what holds together the severest."""
    return tuple(Category)[judged(expression, lambda term: RANKS[category_of(term)])]


@lru_cache(maxsize=16_384)
def _licence(texts: tuple[str, ...], operator: Operator) -> Licence:
    parts = [part for part in map(_normalised, texts) if part is not None]
    declared = "; ".join(dict.fromkeys(texts))[:_MOST_TEXT]
    if not parts:
        return Licence(expression="", declared=declared)
    whole = joined(operator, parts)
    found = tuple(dict.fromkeys(terms(whole)))
    return Licence(
        expression=str(whole),
        declared=declared,
        known=all(category_of(term) is not Category.UNKNOWN for term in found),
        ids=tuple(dict.fromkeys(term.licence for term in found)),
        category=category(whole),
    )


@lru_cache(maxsize=16_384)
def _normalised(text: str) -> Expression | None:
    said = " ".join(text.split())
    if said.lower().strip(" .") in _UNSAID:
        return None
    for reading in (_strict, _named, _lenient, _family):
        found = reading(said)
        if found is not None:
            return found
    return Term(_reference(said))


def _strict(text: str) -> Expression | None:
    try:
        return parse(text, _sure)
    except Malformed:
        return None


def _named(text: str) -> Expression | None:
    """The text as the name of one licence, also with its initials in brackets."""
    found = names.licence_named(text)
    if not found and text.endswith(")"):
        found = names.licence_named(text.rpartition("(")[0])
    return _term(found) if found else None


def _lenient(text: str) -> Expression | None:
    """The text as names between operators of all kinds; None where that makes no sense of it."""
    words = names.said_later(text.replace("_", " ")) if " " not in text and "_" in text else names.said_later(text)
    made: list[str] = []
    parts: dict[str, str] = {}
    at = 0
    for operator in (*_OPERATORS.finditer(words), None):
        between = words[at : operator.start() if operator else len(words)].strip(" .\"'")
        if between:
            parts[str(len(parts))] = between
            made.append(str(len(parts) - 1))
        if operator is None:
            break
        made += _operator(operator, made)
        at = operator.end()
    if len(parts) < 2 or any(len(part.split()) > _MOST_WORDS for part in parts.values()):
        return None
    try:
        found = parse(" ".join(_without_trailing(made)), lambda licence, extra: _guessed(parts, licence, extra))
    except (Malformed, KeyError):
        return None
    meant = _STATED.search(text) or any(category_of(term) is not Category.UNKNOWN for term in terms(found))
    return found if meant else None


def _family(text: str) -> Expression | None:
    found = names.family_named(text)
    return Term(found) if found else None


def _operator(found: re.Match[str], before: list[str]) -> list[str]:
    sign = found[0].lower()
    if found["open"]:
        return ["("]
    if found["close"]:
        return [")"]
    word = _SIGNS.get(sign, "OR")
    # `GPL, and MIT` has one operator, not two.
    if before and before[-1] in ("AND", "OR"):
        before.pop()
    return [word] if before and before[-1] != "(" else []


def _without_trailing(made: list[str]) -> list[str]:
    while made and made[-1] in ("AND", "OR", "WITH"):
        made.pop()
    return made


def _sure(licence: str, exception: str) -> Expression:
    """A term whose licence and exception are SPDX ids or a LicenseRef; raises Malformed."""
    if licence.lower() in ids.JOINED and not exception:
        return Term(*ids.JOINED[licence.lower()])
    if _REF.fullmatch(licence):
        return Term(_own(licence))
    found = ids.find(licence)
    base = licence.removesuffix("+")
    if found is None and base != licence and (below := ids.find(base)) is not None:
        # "This version or later, or later" is said once.
        found = below if below.id.endswith("-or-later") else msgspec.structs.replace(below, id=f"{below.id}+")
    if found is None or found.is_exception:
        raise Malformed(f"{licence[:80]!r} is no id of a licence.")
    extra = ids.find_exception(exception) if exception else None
    if exception and extra is None:
        raise Malformed(f"{exception[:80]!r} is no id of an exception.")
    return Term(found.id, extra.id if extra else "")


def _guessed(parts: dict[str, str], licence: str, extra: str) -> Expression:
    text = parts[licence]
    found = _strict(text) or _named(text) or _family(text)
    if found is None:
        return Term(_reference(text))
    if extra and isinstance(found, Term):
        return Term(found.licence, names.exception_named(parts[extra], found.licence))
    return found


def _term(identity: str) -> Term:
    return Term(*ids.JOINED.get(identity.lower(), (identity,)))


def _own(reference: str) -> str:
    """A LicenseRef of our own table as it is written there."""
    known = ids.table().get(reference.lower())
    return known.id if known else reference


def _reference(text: str) -> str:
    """A LicenseRef of the words of a text."""
    return _own(f"{OWN}{_NOT_IN_IDS.sub('-', text).strip('-.')[:_MOST_REF].strip('-.') or 'unnamed'}")
