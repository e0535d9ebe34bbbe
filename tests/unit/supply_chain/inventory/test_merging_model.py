"""Merging against the plainest model there is: a tree of dictionaries that layers are applied to one entry at a time."""

import io
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lading.supply_chain.inventory.layers import read_layer
from lading.supply_chain.inventory.merge import merged_files
from tar_layers import directory, tar

NAME = st.sampled_from(["a", "b", "c"])
PATH = st.lists(NAME, min_size=1, max_size=3).map("/".join)
FILE = st.tuples(st.just("file"), PATH, st.sampled_from([b"1", b"22"]))
DIRECTORY = st.tuples(st.just("directory"), PATH, st.just(b""))
WHITEOUT = st.tuples(st.just("whiteout"), PATH, st.just(b""))
OPAQUE = st.tuples(st.just("opaque"), st.one_of(st.just(""), PATH), st.just(b""))
Step = tuple[str, str, bytes]
LAYER = st.lists(st.one_of(FILE, DIRECTORY, WHITEOUT, OPAQUE), max_size=4, unique_by=lambda step: step[1])


def consistent(layer: list[Step]) -> bool:
    """Whether a real layer can look like that: nothing lies below one of its own files."""
    files = [path for kind, path, _ in layer if kind == "file"]
    others = [path for kind, path, _ in layer if kind in ("file", "directory")]
    return not any(other.startswith(file + "/") for file in files for other in others)


def remove(tree: dict[str, Any], path: str) -> None:
    *above, last = path.split("/")
    for part in above:
        tree = tree.get(part, {})
        if not isinstance(tree, dict):
            return
    tree.pop(last, None)


def put(tree: dict[str, Any], path: str, what: Any) -> None:
    *above, last = path.split("/")
    for part in above:
        if not isinstance(tree.get(part), dict):
            tree[part] = {}
        tree = tree[part]
    if what != {} or not isinstance(tree.get(last), dict):
        tree[last] = what


def apply(tree: dict[str, Any], layer: list[Step]) -> None:
    for kind, path, _ in layer:
        if kind == "whiteout":
            remove(tree, path)
        elif kind == "opaque":
            inside: Any = tree
            for part in path.split("/") if path else ():
                inside = inside.get(part, {}) if isinstance(inside, dict) else {}
            if isinstance(inside, dict):
                inside.clear()
    for kind, path, content in layer:
        if kind in ("file", "directory"):
            put(tree, path, content if kind == "file" else {})


def files_of(tree: dict[str, Any], prefix: str = "") -> dict[str, int]:
    found = {}
    for name, what in tree.items():
        if isinstance(what, dict):
            found |= files_of(what, f"{prefix}{name}/")
        else:
            found[prefix + name] = len(what)
    return found


def archive(layer: list[Step]) -> bytes:
    members: list[Any] = []
    for kind, path, content in layer:
        parent, slash, name = path.rpartition("/")
        if kind == "file":
            members.append((path, content))
        elif kind == "directory":
            members.append(directory(path))
        elif kind == "whiteout":
            members.append((f"{parent}{slash}.wh.{name}", b""))
        else:
            members.append((f"{path}/.wh..wh..opq".lstrip("/"), b""))
    return tar(*members)


@settings(max_examples=400, deadline=None)
@given(st.lists(LAYER.filter(consistent), max_size=4))
def test_merging_gives_the_files_of_the_model(layers: list[list[Step]]) -> None:
    tree: dict[str, Any] = {}
    for layer in layers:
        apply(tree, layer)

    merged = merged_files(read_layer("sha256:x", io.BytesIO(archive(layer))) for layer in layers)

    assert {path: entry.size for path, entry in merged.items() if entry.kind == "f"} == files_of(tree)
