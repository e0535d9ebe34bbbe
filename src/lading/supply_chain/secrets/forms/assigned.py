"""The rule without a form: a value that looks like chance behind a name that says it is secret."""

from __future__ import annotations

import re
from typing import Final

from lading.kernel.severity import Severity
from lading.supply_chain.secrets.form import Candidate, Form
from lading.supply_chain.secrets.forms.writing import ASSIGNS, kind
from lading.supply_chain.secrets.plausibility import entropy, mixed, placeholder, weak

_KEYWORDS: Final = (
    rb"pass(?:word|wd|phrase)|passwd|pwd|secret|token|api[_.-]?key|access[_.-]?key|private[_.-]?key|auth[_.-]?key|"
    rb"encryption[_.-]?key|signing[_.-]?key|master[_.-]?key|credentials?|client[_.-]?secret"
)
# What may follow within the name without turning it into the name of something else (`token_type`, `password_file`).
_TAIL: Final = rb"(?:[_.-]?(?:key|value|base|b64|base64|prod|production|live|staging|root|admin|old|new|[0-9]{1,2}))?"
# Code, where a value without quotes is an expression.
_QUOTED: Final = re.compile(
    r"\.(?:[cm]?[jt]sx?|pyi?|rb|php|p[lm]|go|java|kts?|scala|groovy|cs|vb|swift|rs|c|cc|cpp|cxx|h|hpp|lua|r|exs?|erl"
    r"|clj|dart|mm?|vue|svelte|html?|s?css|sql|tcl|el|jl|hs|ml)$"
)
_URL_OR_PATH: Final = re.compile(rb"^(?:[a-z][a-z0-9+.-]{1,20}:|/|\./|\.\./|~/|[A-Za-z]:\\|sha(?:256|384|512)[-:])")
# Words joined by dots, underscores, dashes or capitals: a name, not a value.
_NAME: Final = re.compile(rb"^[A-Za-z_][A-Za-z]{0,30}(?:[._:/-]{1,2}[A-Za-z]{1,30}[0-9]{0,3}){1,12}$")
_HEX: Final = re.compile(rb"[0-9a-fA-F]+")
_LONG_HEX: Final = 24
_HUMAN: Final = re.compile(rb"(?i)pass|pwd")

SECRET_NAME: Final = re.compile(rb"(?i)(?:^|[^a-z]|[a-z](?=[A-Z]))(?:" + _KEYWORDS + rb")" + _TAIL + rb"$")


def plausible(name: bytes, value: bytes) -> bool:
    """Whether a value could be the secret that the name says it is.

    A password that a person made up has less chance in it than a token, so less is asked of it.
    """
    if placeholder(value) or weak(value) or _URL_OR_PATH.search(value) or _NAME.search(value):
        return False
    if _HUMAN.search(name):
        return len(value) >= 8 and _kinds(value) >= 3 and entropy(value) >= 2.75
    return len(value) >= (_LONG_HEX if _HEX.fullmatch(value) else 16) and mixed(value, 3.3)


def set_by_name(name: bytes, value: bytes) -> bool:
    """Whether a variable of an image has a real value where its name says that it is secret.

    Nobody sets such a variable for nothing, so less is asked of the value than in a file of any kind.
    """
    if not SECRET_NAME.search(name) or placeholder(value) or weak(value) or _URL_OR_PATH.search(value):
        return False
    if _HUMAN.search(name):
        return len(value) >= 6 and _kinds(value) >= 2
    return len(value) >= 8 and mixed(value, 2.5)


def _kinds(value: bytes) -> int:
    """How many kinds of characters there are: small and capital letters, digits, and others."""
    kinds = (rb"[a-z]", rb"[A-Z]", rb"[0-9]", rb"[^A-Za-z0-9]")
    return sum(re.search(kind, value) is not None for kind in kinds)


def _genuine(candidate: Candidate) -> bool:
    match = candidate.match
    if _QUOTED.search(candidate.path) and not match["quote"]:
        return False
    return plausible(match["name"], candidate.value)


ASSIGNED: Final = "secret-assigned"

FORMS: Final = (
    Form(
        kind=kind(
            "assigned",
            "A value that looks like a secret behind a name that says so",
            Severity.MEDIUM,
            "If it is one: change it, and hand it over when the container starts.",
        ),
        trigger=rb"(?i)(?:" + _KEYWORDS + rb")" + _TAIL + ASSIGNS + rb"[^\s\"'$<{(\[]{8}",
        pattern=re.compile(
            # A first letter of a keyword, asked before all of them: most places end here.
            rb"(?P<name>(?=[acempstACEMPST])(?i:" + _KEYWORDS + rb"))(?i:" + _TAIL + rb")"
            rb"[\"']?\]?[ \t]{0,4}(?:=>|:=|[:=])[ \t]{0,4}(?P<quote>[\"'])?(?P<value>[^\s\"'\\]{8,200}?)"
            rb"(?(quote)(?P=quote)|(?=[,;]?(?:[\s\"'\\&]|$)))"
        ),
        genuine=_genuine,
        general=2,
        back=64,
        reach=224,
    ),
)
