"""What a file is: told by its name first, by what it looks like inside second. Nothing is parsed here."""

from __future__ import annotations

import re
from typing import Final, Literal

FileKind = Literal["dockerfile", "compose", "kubernetes"]
FILE_KINDS: Final[tuple[FileKind, ...]] = ("dockerfile", "compose", "kubernetes")
_DOCKERFILE: Final = re.compile(
    r"(?:Dockerfile|dockerfile|Containerfile|containerfile)(?:[._-](?P<more>.+))?|.+\.(?:[Dd]ockerfile|[Cc]ontainerfile)"
)
_COMPOSE: Final = re.compile(r"(?:(?:docker|podman|container)-)?compose(?:[._-].+)?\.(?:ya?ml)", re.IGNORECASE)
# Endings of files that are about Dockerfiles, and are none.
_NO_DOCKERFILE: Final = frozenset({
    "dockerignore", "containerignore", "md", "rst", "adoc", "html", "py", "pyi", "go", "ts", "tsx", "js", "mjs", "cjs",
    "rb", "rs", "java", "kt", "c", "h", "cs", "php", "lua", "json", "yaml", "yml", "toml", "xml", "lock", "png", "svg",
    "sh", "vim", "el", "tmlanguage", "sublime-syntax", "txt", "patch", "diff", "orig", "rej", "swp", "bak", "css",
})  # fmt: skip
_TEMPLATE: Final = re.compile(
    r"\.(?:j2|jinja2?|tmpl|tpl|template|gotmpl|erb|mustache|hbs|in|ejs|m4|dot)$", re.IGNORECASE
)
_YAML: Final = (".yaml", ".yml", ".json")
_VERSION: Final = re.compile(rb"^[ \t{-]*[\"']?apiVersion[\"']?[ \t]*:", re.MULTILINE)
_KIND: Final = re.compile(rb"^[ \t{-]*[\"']?kind[\"']?[ \t]*:", re.MULTILINE)
_ON_ONE_LINE: Final = re.compile(rb"\"apiVersion\"\s*:\s*\"")
_SERVICES: Final = re.compile(rb"^[\"']?services[\"']?[ \t]*:", re.MULTILINE)
_IMAGE: Final = re.compile(rb"^[ \t]+[\"']?(?:image|build)[\"']?[ \t]*:", re.MULTILINE)
_INSTRUCTION: Final = re.compile(rb"^(?:FROM|from)[ \t]+\S", re.MULTILINE)
_BRACES: Final = re.compile(r"\{\{-?\s*[.$/\w\"(]")
KUSTOMIZATIONS: Final = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})


def kind_by_name(name: str) -> FileKind | None:
    """The kind that a name alone tells."""
    match = _DOCKERFILE.fullmatch(name)
    if match is not None and (match["more"] or "").rpartition(".")[2].lower() not in _NO_DOCKERFILE:
        return "dockerfile"
    return "compose" if _COMPOSE.fullmatch(name) else None


def may_be_kind(name: str) -> bool:
    """Whether a file of this name is worth a look inside."""
    return kind_by_name(name) is not None or name.lower().endswith(_YAML)


def kind_by_content(content: bytes) -> FileKind | None:
    """The kind that a file looks like inside."""
    if _VERSION.search(content) and _KIND.search(content):
        return "kubernetes"
    if content.lstrip()[:1] in (b"{", b"[") and _ON_ONE_LINE.search(content) and b'"kind"' in content:
        return "kubernetes"
    if _SERVICES.search(content) and _IMAGE.search(content):
        return "compose"
    return None


def looks_like_dockerfile(content: bytes) -> bool:
    """Whether a file without a telling name has a FROM; asked only of files that somebody named."""
    return _INSTRUCTION.search(content) is not None


def is_template(name: str) -> bool:
    """Whether the name says that the file becomes what it is by a template engine."""
    return _TEMPLATE.search(name) is not None


def has_placeholders(text: str) -> bool:
    """Whether a text has the braces of template engines."""
    return _BRACES.search(text) is not None
