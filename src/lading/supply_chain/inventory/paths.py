"""Names in a layer, as a runtime would resolve them below the root, and what is wrong with them."""

from __future__ import annotations


def clean(raw: str) -> tuple[str, str]:
    """The path below the root, without leading or trailing slashes, and a complaint: empty when there is none.

    The path is empty for the root itself and for names that climb out of the root.
    """
    complaint = ""
    try:
        raw.encode()
    except UnicodeEncodeError:
        raw, complaint = raw.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"), "name-not-text"
    if raw.startswith("/"):
        complaint = "absolute-name"
    path = raw.strip("/")
    while path.startswith("./"):
        path = path[2:].lstrip("/")
    if path in ("", "."):
        return "", complaint
    if ".." not in path and "//" not in path and "/." not in path:
        return path, complaint
    return _lexical(path, complaint)


def _lexical(path: str, complaint: str) -> tuple[str, str]:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if not parts:
                return "", "path-traversal"
            parts.pop()
            complaint = "path-traversal"
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts), complaint


def escapes(path: str, target: str) -> bool:
    """Whether a relative link at `path` to `target` climbs above the root."""
    if target.startswith("/") or ".." not in target:
        return False
    depth = path.count("/")
    for part in target.split("/"):
        depth += -1 if part == ".." else part not in ("", ".")
        if depth < 0:
            return True
    return False


def pointed(path: str, target: str) -> str:
    """Where a symbolic link at `path` to `target` leads, by the words alone; empty when it climbs out of the root."""
    base = "" if target.startswith("/") else path.rpartition("/")[0]
    return _lexical(f"{base}/{target}".strip("/"), "")[0]


def resolve(directory: str, links: dict[str, str]) -> str:
    """`directory` with the symbolic links among its ancestors followed inside the root; unchanged when they loop."""
    parts = directory.split("/")
    done: list[str] = []
    followed = 0
    while parts:
        part = parts.pop(0)
        if part in ("", "."):
            continue
        if part == "..":
            if done:
                done.pop()
            continue
        target = links.get("/".join((*done, part)))
        if target is None:
            done.append(part)
            continue
        followed += 1
        if followed > 40:
            return directory
        if target.startswith("/"):
            done = []
        parts = target.split("/") + parts
    return "/".join(done)
