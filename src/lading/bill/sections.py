"""The sections of a bill, one function each, from what is known to lines and rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from lading.bill.bill import Line, Section
from lading.bill.details import Details, RuntimeDetails
from lading.kernel.errors import LadingError

Known = Mapping[str, Any]
_MOST_FINDINGS: Final = 12
_MOST_LINES: Final = 8


def short(digest: str) -> str:
    """Twelve digits of a digest."""
    return digest.rpartition(":")[2][:12]


def guarded(title: str, make: Callable[[], Section]) -> Section:
    """The section, or the reason why it cannot be made: a bill never has a silent hole."""
    try:
        return make()
    except LadingError as error:
        return Section(title=title, unknown=str(error))


def source(image: Known, ship: Known) -> Section:
    """Where it comes from."""
    built = image.get("image.built")
    if built is None:
        made = image.get("image.base-made")
        if made is None:
            return Section(title="Source", unknown="Lading did not build this image; it was pushed")
        lines = [
            Line(label="made from", value=f"{made['packages']} packages of {made['distribution']}"),
            Line(label="snapshot", value=short(made["snapshot"])),
            Line(label="reproduced", value=_yes(made.get("reproduced")), state="ok" if made.get("reproduced") else ""),
        ]
        return Section(title="Source", lines=tuple(lines))
    dirty = " with uncommitted changes" if built["dirty"] else ""
    commit = built["commit"][:12] + dirty if built["commit"] else "not from a repository"
    lines = [
        Line(label="commit", value=commit, state="warn" if built["dirty"] or not built["commit"] else "ok"),
        Line(label="source", value=short(built["source"])),
        Line(label="Dockerfile", value=short(built["dockerfile"])),
        Line(label="shipped by", value=str(ship.get("ship.started", {}).get("actor", "")) or "not shipped"),
    ]
    return Section(title="Source", lines=tuple(lines))


def build(image: Known) -> Section:
    """How it was built, and on what."""
    built = image.get("image.built")
    if built is None:
        return Section(title="Build", unknown="no build is recorded")
    lines = [
        Line(label="builder", value=built["builder"]),
        Line(
            label="steps", value=f"{built['steps']}, {built['cached_steps']} from the cache, {built['seconds']:.1f} s"
        ),
        *(Line(label="base", value=f"{name} = {short(digest)}") for name, digest in built["bases"].items()),
    ]
    return Section(title="Build", lines=tuple(lines))


def base(digest: str, details: Details) -> Section:
    """What its layers say that it is built on, and what is built on it."""
    found = details.lineage(digest)
    lines = [line for one in found["line"] for line in _base_lines(one)]
    if count := found["built_on_it"]:
        lines.append(Line(label="built on it", value=f"{count} images"))
    if not lines:
        return Section(title="Base", unknown="it begins with no image that is known here")
    return Section(title="Base", lines=tuple(lines))


def _base_lines(one: Known) -> list[Line]:
    if one["word"] == "contradicted":
        said = Line(label="says", value=f"built on {one['said']}, which its layers contradict", state="bad")
    else:
        said = Line(label="says", value=f"built on {one['said']}, which is not known here", state="warn")
    lines = [said] if one["said"] and one["word"] != "verified" else []
    if one["digest"]:
        age = f", {one['age_days']} days old" if one["age_days"] >= 0 else ""
        verified = ", as it says" if one["word"] == "verified" else ""
        name = f"{one['name']} = " if one["name"] else ""
        lines.insert(0, Line(label="built on", value=f"{name}{short(one['digest'])}{age}{verified}"))
    if one["moved_to"]:
        newer = f"{one['name']} is {short(one['moved_to'])} since {one['moved_at'][:10]}"
        lines.append(Line(label="newer", value=newer, state="warn"))
    return lines


def image_facts(image: Known, digest: str, details: Details) -> Section:
    """What it is and in which state."""
    pushed, moved = image.get("image.pushed", {}), image.get("image.moved", {})
    state = moved.get("after", "unknown")
    until = f" until {moved['until'][:10]}" if moved.get("until") else ""
    lines = [
        Line(label="image", value=f"{pushed.get('repository', '?')}@{digest}"),
        Line(
            label="state", value=f"{state}{until}: {moved.get('why', '')}", state="ok" if state == "approved" else "bad"
        ),
        Line(label="pushed", value=f"{pushed.get('at', '')[:19]} by {pushed.get('principal', '?')}"),
        Line(label="size", value=f"{pushed.get('size', 0) / 1e6:.1f} MB"),
        _attribution(image),
    ]
    rows = tuple(
        (short(item["digest"]), f"{item['size'] / 1e6:.1f} MB", item["team"] or "nobody", item["origin"])
        for item in details.layers(digest)
    )
    return Section(title="Image", lines=tuple(lines), columns=("layer", "size", "owner", "came with"), rows=rows)


def _attribution(image: Known) -> Line:
    """Whether its push said where it comes from; a finding when not."""
    pushed, said = image.get("image.pushed", {}), image.get("image.unattributed")
    if said is not None:
        return Line(
            label="attribution", value=f"its push did not say its {' and '.join(said['missing'])}", state="warn"
        )
    origin = ", ".join(filter(None, (pushed.get("commit", "")[:12], pushed.get("pipeline", ""))))
    return Line(label="attribution", value=origin or "made by Lading", state="ok")


def packages(digest: str, details: Details) -> Section:
    """What is inside."""
    found = details.packages(digest)
    counted = ", ".join(f"{count} {name}" for name, count in sorted(found.get("ecosystems", {}).items()))
    lines = [Line(label="packages", value=f"{found.get('total', 0)} ({counted or 'none'})")]
    lines += [Line(label="gap", value=gap, state="bad") for gap in found.get("gaps", [])]
    lines += [
        Line(label="not judged", value=f"{one['packages']} of {one['ecosystem']}: no advisory is known", state="bad")
        for one in found.get("unspoken", [])
    ]
    return Section(title="Packages", lines=tuple(lines))


def findings(digest: str, details: Details) -> Section:
    """What is known to be wrong with it."""
    found = details.findings(digest)
    old = tuple(
        Line(label="stale feed", value=f"{one['source']} is {one['age_days']:.0f} days old", state="warn")
        for one in details.stale_feeds()
    )
    if not found:
        return Section(title="Findings", lines=(Line(label="findings", value="none known", state="ok"), *old))
    rows = tuple(
        (item["severity"], item["id"], f"{item['package']} {item['version']}", item["fixed"] or "no fix",
         item["owner"] or "nobody", short(item["layer"]))
        for item in found[:_MOST_FINDINGS]
    )  # fmt: skip
    columns = ("severity", "flaw", "package", "fixed in", "owner", "layer")
    more = max(len(found) - _MOST_FINDINGS, 0)
    return Section(title="Findings", lines=old, columns=columns, rows=rows, more=more)


def weaknesses(digest: str, details: Details) -> Section:
    """What is weak about it by rules of ours: secrets, settings, licences, ends of support."""
    found = details.weaknesses(digest)
    if not found:
        return Section(title="Weaknesses", lines=(Line(label="weaknesses", value="none found", state="ok"),))
    rows = tuple(
        (item["severity"], item["rule"], item["message"], item["file"], item["owner"] or "nobody")
        for item in found[:_MOST_FINDINGS]
    )
    columns = ("severity", "rule", "what is so", "file", "owner")
    return Section(title="Weaknesses", columns=columns, rows=rows, more=max(len(found) - _MOST_FINDINGS, 0))


def set_aside(digest: str, details: Details) -> Section:
    """What is known to be wrong with it but does not count, and who answers for that."""
    found = details.set_aside(digest)
    rows = tuple(
        (item["severity"], item["id"], f"{item['package']} {item['version']}", item["vex"]["status"],
         item["vex"].get("justification") or item["vex"].get("impact", ""), item["vex"]["author"],
         item["vex"]["until"][:10])
        for item in found[:_MOST_FINDINGS]
    )  # fmt: skip
    columns = ("severity", "flaw", "package", "status", "because", "says", "until")
    return Section(title="Set aside", columns=columns, rows=rows, more=max(len(found) - _MOST_FINDINGS, 0))


def attestations(digest: str, details: Details) -> Section:
    """What is proven about it."""
    found = details.attestations(digest)
    if not found:
        return Section(title="Attestations", unknown="nothing is signed")
    rows = tuple(
        (item["predicate_type"], short(item["key_id"]), item["until"][:10] or "–", item["problem"] or "holds")
        for item in found
    )
    return Section(title="Attestations", columns=("statement", "key", "until", "verified"), rows=rows)


def reports(digest: str, details: Details) -> Section:
    """What other tools said about it."""
    found = [one for one in details.reports(digest) if one["current"]]
    if not found:
        return Section(title="Reports", lines=(Line(label="reports", value="none of another tool was handed in"),))
    rows = tuple(
        (f"{item['tool']} {item['version']}".strip(), item["kind"], item["said"], item["at"][:19]) for item in found
    )
    return Section(title="Reports", columns=("tool", "looks at", "said", "at"), rows=rows)


def decisions(subjects: list[str], details: Details) -> Section:
    """What the rules said."""
    found = details.decisions(subjects)
    if not found:
        return Section(title="Decisions", unknown="nothing was decided about it")
    rows = tuple(
        (item["at"][:19], item["stage"], "allowed" if item["allowed"] else "refused", "; ".join(item["reasons"]) or "–",
         item["id"][:13])
        for item in found
    )  # fmt: skip
    return Section(title="Decisions", columns=("at", "stage", "verdict", "because", "decision"), rows=rows)


def placement(workload: str, known: Known, runtime: RuntimeDetails) -> Section:
    """Where it runs."""
    containers = runtime.containers(workload)
    relaxed = ", ".join(known.get("workload.declared", {}).get("relaxations", ())) or "none: hardened by default"
    running = [item for item in containers if item["state"] == "running"]
    lines = [
        Line(label="running", value=f"{len(running)} of {known.get('workload.declared', {}).get('replicas', 1)}",
             state="ok" if running else "bad"),
        Line(label="relaxations", value=relaxed, state="warn" if not relaxed.startswith("none") else "ok"),
    ]  # fmt: skip
    rows = tuple(
        (item["name"], item["state"], item["health"] or "–", item["node"], str(item["restarts"]), item["started"][:19])
        for item in containers[:6]
    )
    columns = ("container", "state", "health", "node", "restarts", "since")
    return Section(title="Placement", lines=tuple(lines), columns=columns, rows=rows, more=max(len(containers) - 6, 0))


def posture(container: Known) -> Section:
    """What it really has."""
    assessed = container.get("container.posture-assessed")
    if assessed is None:
        return Section(title="Privileges and posture", unknown="no running container was looked at yet")
    lines = [Line(label=key, value=value) for key, value in sorted(assessed["privileges"].items())]
    beyond = assessed["deviations"]
    lines.append(
        Line(label="beyond what was allowed", value="; ".join(beyond) or "nothing", state="bad" if beyond else "ok")
    )
    return Section(title="Privileges and posture", lines=tuple(lines))


def drift(workload: str, runtime: RuntimeDetails) -> Section:
    """What it did that it must not."""
    found = runtime.incidents(workload)
    if not found:
        return Section(title="Drift and incidents", lines=(Line(label="incidents", value="none", state="ok"),))
    rows = tuple((item["severity"], item["state"], item["title"], item["opened"][:19]) for item in found[:10])
    columns = ("severity", "state", "incident", "opened")
    return Section(title="Drift and incidents", columns=columns, rows=rows, more=max(len(found) - 10, 0))


def logs(workload: str, runtime: RuntimeDetails) -> Section:
    """What it said last."""
    found = runtime.logs(workload)[-_MOST_LINES:]
    if not found:
        return Section(title="Recent logs", unknown="no line was collected")
    rows = tuple((item["at"][11:19], item["container"][:24], item["line"][:200]) for item in found)
    return Section(title="Recent logs", columns=("at", "container", "line"), rows=rows)


def metrics(workload: str, runtime: RuntimeDetails) -> Section:
    """What it uses."""
    found = runtime.metrics(workload)
    if not found:
        return Section(title="Metrics", unknown="no sample was taken yet")
    rows = tuple(
        (item["container"][:24], _number(item["cpu_percent"], "%"), _number(item["memory_mb"], "MB"),
         _number(item["rx_kb_s"], "kB/s"), _number(item["tx_kb_s"], "kB/s"), _number(item["restarts"], ""))
        for item in found
    )  # fmt: skip
    return Section(title="Metrics", columns=("container", "CPU", "memory", "in", "out", "restarts"), rows=rows)


def _number(value: float | None, unit: str) -> str:
    return "–" if value is None else f"{round(value, 1):g} {unit}".strip()


def _yes(value: bool | None) -> str:
    return "not tried" if value is None else "yes, byte for byte" if value else "no"
