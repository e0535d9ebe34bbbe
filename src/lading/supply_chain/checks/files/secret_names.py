"""Which names of variables, arguments and keys say that their value is a secret. No value leaves this module."""

from __future__ import annotations

import itertools
import re
from typing import Final

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# A word of a name that makes it a secret by itself.
_SECRET: Final = frozenset({
    "password", "passwd", "passphrase", "pwd", "pass", "secret", "secrets", "token", "tokens", "apikey", "credential",
    "credentials", "privatekey", "secretkey", "accesskey", "authtoken",
})  # fmt: skip
# Pairs of words that follow each other.
_PAIRS: Final = frozenset(
    {("api", "key"), ("private", "key"), ("secret", "key"), ("access", "key"), ("encryption", "key"),
     ("signing", "key"), ("auth", "key"), ("account", "key"), ("master", "key"), ("license", "key"),
     ("shared", "key"), ("storage", "key"), ("deploy", "key"), ("ssh", "key")}
)  # fmt: skip
# What stands at the end when the value only says where the secret is, or something about it.
_ABOUT: Final = frozenset({
    "file", "files", "path", "dir", "directory", "name", "names", "ref", "arn", "uri", "url", "location", "id", "ids",
    "type", "length", "size", "policy", "expiry", "expires", "expiration", "ttl", "timeout", "lifetime", "age",
    "duration", "enabled", "disabled", "required", "min", "max", "header", "prefix", "mount", "field", "key_id",
    "algorithm", "provider", "manager", "store", "backend", "class", "env", "var", "reset",
})  # fmt: skip
# Keys that are no secrets: public, and those of caches and data.
_PUBLIC: Final = frozenset({"public", "pub"})
_PLACEHOLDER: Final = re.compile(
    r"\$\{?\w|\$\(|<[^>]+>$|\{\{|^/run/secrets/|^(?:file|vault|ref|secretref|awssm|op)[:+]"
)
_NOT_A_SECRET: Final = frozenset({"", "true", "false", "yes", "no", "on", "off", "none", "null", "0", "1"})


def is_secret_name(name: str) -> bool:
    """Whether a name says that its value is a secret: `DB_PASSWORD`, `apiKey`; not `PASSWORD_FILE`, `TOKEN_TTL`."""
    words = [word.lower() for word in _WORDS.findall(name[:200])]
    if not words or words[-1] in _ABOUT or _PUBLIC & set(words):
        return False
    if _SECRET & set(words):
        # "pass" and "tokens" alone are too common in other meanings: BYPASS, MAX_TOKENS.
        return not ({"max", "min", "allow", "require", "no", "skip", "bypass", "limit"} & set(words))
    return any(pair in _PAIRS for pair in itertools.pairwise(words))


def is_literal(value: str) -> bool:
    """Whether a value could be the secret itself, and is no reference to one, no switch and nothing."""
    text = value.strip().strip("'\"")
    return text.lower() not in _NOT_A_SECRET and _PLACEHOLDER.search(text) is None
