"""Read a file into the form that its rules want, or say why not. Nothing is raised for what a file holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lading.kernel.errors import LadingError
from lading.supply_chain.checks.compose.file import ComposeFile, read_compose
from lading.supply_chain.checks.declared.kinds import (
    KUSTOMIZATIONS,
    FileKind,
    has_placeholders,
    is_template,
    kind_by_content,
    kind_by_name,
    looks_like_dockerfile,
)
from lading.supply_chain.checks.declared.source import Source
from lading.supply_chain.checks.dockerfile.file import BuildFile, read_build_file
from lading.supply_chain.checks.files.documents import MOST_BYTES, Unreadable, read_documents
from lading.supply_chain.checks.files.node import Node
from lading.supply_chain.checks.kubernetes.objects import ManifestFile, Object, objects_of

_KUSTOMIZE: Final = "kustomize.config.k8s.io"
_RENDER_CHART: Final = "it is a template of a Helm chart: render it first (helm template CHART | lading check -)"
_RENDER_KUSTOMIZATION: Final = "it is a kustomization: render it first (kustomize build DIR | lading check -)"
_RENDER: Final = "it is a template: render it first, and check what comes out"


@dataclass(frozen=True, slots=True)
class Read:
    """A file as it was read: at most one form, and sentences about what could not be read. `text` is for comments."""

    source: Source
    kind: FileKind | None = None
    text: str = ""
    form: BuildFile | ComposeFile | ManifestFile | None = None
    gaps: tuple[str, ...] = ()


def read_source(source: Source, kind: FileKind | None = None) -> Read:
    """Read a file; `kind` is what somebody says that it is. Without a kind and gaps it is none of ours."""
    if source.trouble:
        return _gap(source, kind, source.trouble)
    if kind is None:
        kind = kind_by_name(source.name) or kind_by_content(source.content)
        if kind is None and source.named and looks_like_dockerfile(source.content):
            kind = "dockerfile"
        if source.name in KUSTOMIZATIONS:
            # In a directory it was told already.
            return _gap(source, None, _RENDER_KUSTOMIZATION) if source.named else Read(source)
        if kind is None or source.part_of == "patch":
            return Read(source)
    if len(source.content) > MOST_BYTES:
        return _gap(source, kind, f"it has more than {MOST_BYTES >> 20} MiB")
    if source.part_of == "chart":
        return _gap(source, kind, _RENDER_CHART)
    if is_template(source.name):
        return _gap(source, kind, _RENDER)
    try:
        text = source.content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _gap(source, kind, f"it is not UTF-8 (byte {error.start})")
    return _dockerfile(source, text) if kind == "dockerfile" else _documents(source, text, kind)


def _dockerfile(source: Source, text: str) -> Read:
    try:
        form = read_build_file(text, source.path, source.has_ignore_file)
    except LadingError as error:
        why = _RENDER if has_placeholders(text) else error.what.removeprefix(f"{source.path} ").rstrip(".")
        return _gap(source, "dockerfile", why.removeprefix(f"{source.path}:"))
    return Read(source, "dockerfile", text, form)


def _documents(source: Source, text: str, kind: FileKind) -> Read:
    nodes, broken = read_documents(text)
    gaps: list[str] = []
    if broken is not None:
        templated = has_placeholders(text)
        gaps.append(_told(source, _RENDER if templated else str(broken), 0 if templated else broken.line))
        if templated:
            return Read(source, kind, text, gaps=tuple(gaps))
    if kind == "compose":
        return _compose(source, text, nodes, gaps)
    return _manifests(source, text, nodes, gaps)


def _compose(source: Source, text: str, nodes: tuple[Node, ...], gaps: list[str]) -> Read:
    root = nodes[0] if nodes else Node(1)
    if not nodes and gaps:
        return Read(source, "compose", text, gaps=tuple(gaps))
    try:
        form = read_compose(root)
    except Unreadable as error:
        return Read(source, "compose", text, gaps=(*gaps, _told(source, str(error), error.line)))
    gaps += [_told(source, why, line) for line, why in form.gaps]
    return Read(source, "compose", text, form, tuple(gaps))


def _manifests(source: Source, text: str, nodes: tuple[Node, ...], gaps: list[str]) -> Read:
    objects: list[Object] = []
    for node in nodes:
        found = list(objects_of(node))
        if not found and node.there and not _empty_list(node):
            gaps.append(_told(source, "a document is no Kubernetes object: it has no apiVersion and kind", node.line))
        objects += found
    if any(one.group == _KUSTOMIZE for one in objects):
        gaps.append(_told(source, _RENDER_KUSTOMIZATION))
    return Read(source, "kubernetes", text, ManifestFile(source.path, tuple(objects)), tuple(gaps))


def _empty_list(node: Node) -> bool:
    return node["kind"].text.endswith("List") and node["items"].items == []


def _gap(source: Source, kind: FileKind | None, why: str) -> Read:
    return Read(source, kind, gaps=(_told(source, why),))


def _told(source: Source, why: str, line: int = 0) -> str:
    place = f"{source.path}:{line}" if line else source.path
    return f"file-not-checked: {place}: {why}"
