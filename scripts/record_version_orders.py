"""Ask the ecosystems' own tools how they order versions, and write their answers down for the tests.

    python scripts/record_version_orders.py [ECOSYSTEM...]

Needs what it asks: java and Maven, go, cargo, node, ruby, and Debian's php-cli with php-composer-semver. An ecosystem
whose tool is missing is left as it was recorded, and the script says so. The pairs follow from a fixed seed.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import zstandard

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "scripts" / "version_orders"
RECORDED = ROOT / "tests" / "unit" / "supply_chain" / "match" / "recorded_orders.json.zst"
PAIRS = 3_000
SEED = 20_261_125
MAVEN = "3.9.14"
GO_MOD = "v0.30.0"
CRATE = "1.0.27"

NUMBERS = ["0", "0", "1", "1", "2", "3", "9", "10", "11", "00", "01", "20", "100", "2023", "20240131", "4294967296"]
WORDS = {
    "Maven": ["alpha", "beta", "a", "b", "m", "milestone", "rc", "RC", "cr", "SNAPSHOT", "final", "Final", "ga", "GA",
              "RELEASE", "sp", "SP", "jre", "android", "x", "incubating", "redhat", "jbossorg", "v", "0000000000",
              "12345678901234567890"],
    "Go": ["alpha", "beta", "rc", "pre", "20240101120000-abcdefabcdef", "0.20240101120000-abcdefabcdef", "x-y", "a1"],
    "RubyGems": ["a", "b", "pre", "rc", "RC", "beta", "alpha", "x", "Z"],
    "Packagist": ["alpha", "beta", "b", "a", "RC", "rc", "dev", "p", "pl", "patch", "stable", "Beta"],
    "npm": ["alpha", "beta", "rc", "x-y", "next", "canary", "A", "0a", "-"],
    "crates.io": ["alpha", "beta", "rc", "pre", "x-y", "A", "0a", "-"],
}  # fmt: skip
JOINTS = {
    "Maven": [".", ".", ".", "-", "-", "", "", "--", ".-"],
    "Go": [".", ".", ".", ".", "-", "-", "+"],
    "RubyGems": [".", ".", ".", ".", "-", ""],
    "Packagist": [".", "-", "-", "", "_"],
    "npm": [".", ".", ".", "-", "-", "+", ""],
    "crates.io": [".", ".", ".", "-", "-", "+"],
}
STARTS = {"Maven": ["", "", "", "v", "-"], "Go": ["", "v"], "npm": ["", "", "", "v", "="]}


def version(ecosystem: str, chance: random.Random) -> str:
    """A text that looks like a version of the ecosystem; some of them are none."""
    if ecosystem == "Packagist":
        return composer_version(chance)
    strict = ecosystem in ("Go", "npm", "crates.io")
    out = chance.choice(STARTS.get(ecosystem, [""]))
    out += ".".join(
        chance.choice(NUMBERS[:9] if strict else NUMBERS)
        for _ in range(3 if strict else chance.choice([1, 2, 2, 3, 3, 4]))
    )
    joint = "-" if strict else ""
    for _ in range(chance.choice([0, 0, 1, 1, 2, 2, 3, 4])):
        joint = joint or chance.choice(JOINTS[ecosystem])
        out += joint + chance.choice(WORDS[ecosystem] if chance.random() < 0.6 else NUMBERS)
        joint = ""
    return out


def composer_version(chance: random.Random) -> str:
    """Composer knows few forms: numbers, at most one stability with a number, `-dev`, a build, a flag."""
    if chance.random() < 0.1:
        return ".".join([*(chance.choice(NUMBERS[:9]) for _ in range(chance.randrange(1, 4))), "x-dev"])
    out = chance.choice(["", "", "", "v"])
    out += ".".join(chance.choice(NUMBERS) for _ in range(chance.choice([1, 2, 3, 3, 3, 4])))
    if chance.random() < 0.6:
        out += chance.choice(JOINTS["Packagist"]) + chance.choice(WORDS["Packagist"])
        out += chance.choice(["", "", "1", ".2", "-3", "10", "1.2"])
    return out + chance.choice(["", "", "", "", "-dev", ".dev", "+build.5", "@dev"])


def near(text: str, ecosystem: str, chance: random.Random) -> str:
    """A version that differs little: most orders are decided at the end."""
    kind = chance.randrange(5)
    if kind == 0:
        return text + chance.choice(JOINTS[ecosystem]) + chance.choice(WORDS[ecosystem])
    if kind == 1:
        return text + chance.choice([".0", "-0", ".1", "-1", "0", ".0.0", "1"])
    if kind == 2:
        at = chance.randrange(len(text))
        return text[:at] + text[at + 1 :] or "0"
    if kind == 3:
        return text.swapcase()
    at = chance.randrange(len(text))
    return text[:at] + chance.choice("0129.-a") + text[at + 1 :]


def pairs(ecosystem: str) -> list[tuple[str, str]]:
    """The pairs that are asked for, always the same."""
    chance = random.Random(f"{SEED} {ecosystem}")  # noqa: S311 - the pairs must be the same every time
    found = []
    while len(found) < PAIRS:
        left = version(ecosystem, chance)
        right = near(left, ecosystem, chance) if chance.random() < 0.6 else version(ecosystem, chance)
        if left and right:
            found.append((left, right))
    return found


def maven(scratch: Path) -> list[str]:
    """Maven's artifact library, from wherever Maven fetches."""
    artifact = f"org.apache.maven:maven-artifact:{MAVEN}"
    subprocess.run(
        ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={scratch}"], check=True
    )
    return ["java", "-cp", str(scratch / f"maven-artifact-{MAVEN}.jar"), str(PROGRAMS / "ComparePairs.java")]


def go(scratch: Path) -> list[str]:
    """A module of one file."""
    shutil.copy(PROGRAMS / "compare_pairs.go", scratch / "main.go")
    (scratch / "go.mod").write_text(f"module compare\n\ngo 1.23\n\nrequire golang.org/x/mod {GO_MOD}\n")
    subprocess.run(["go", "mod", "tidy"], cwd=scratch, check=True)
    subprocess.run(["go", "build", "-o", "compare", "."], cwd=scratch, check=True)
    return [str(scratch / "compare")]


def cargo(scratch: Path) -> list[str]:
    """A crate of one file."""
    (scratch / "src").mkdir()
    shutil.copy(PROGRAMS / "compare_pairs.rs", scratch / "src" / "main.rs")
    (scratch / "Cargo.toml").write_text(
        f'[package]\nname = "compare"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\nsemver = "={CRATE}"\n'
    )
    subprocess.run(["cargo", "build", "-q"], cwd=scratch, check=True)
    return [str(scratch / "target" / "debug" / "compare")]


def node(scratch: Path) -> list[str]:
    """The semver that npm itself carries."""
    del scratch
    npm = subprocess.run(["npm", "root", "-g"], capture_output=True, text=True, check=True).stdout.strip()
    return ["node", str(PROGRAMS / "compare_pairs.js"), f"{npm}/npm/node_modules/semver"]


TOOLS: dict[str, tuple[str, Callable[[Path], list[str]]]] = {
    "Maven": ("mvn", maven),
    "Go": ("go", go),
    "RubyGems": ("ruby", lambda _: ["ruby", str(PROGRAMS / "compare_pairs.rb")]),
    "Packagist": ("php", lambda _: ["php", str(PROGRAMS / "compare_pairs.php")]),
    "npm": ("node", node),
    "crates.io": ("cargo", cargo),
}


def answers(ecosystem: str, asked: list[tuple[str, str]]) -> list[str]:
    """What the tool says to each pair: -1, 0, 1, or x where one of them is no version."""
    with tempfile.TemporaryDirectory() as scratch:
        command = TOOLS[ecosystem][1](Path(scratch))
        lines = "".join(f"{left}\t{right}\n" for left, right in asked)
        said = subprocess.run(command, input=lines, capture_output=True, text=True, check=True).stdout.split("\n")[:-1]
    if len(said) != len(asked) or not set(said) <= {"-1", "0", "1", "x"}:
        raise SystemExit(f"{ecosystem}: {len(said)} answers to {len(asked)} pairs: {sorted(set(said))[:10]}")
    return said


def main(chosen: list[str]) -> None:
    """Record what the chosen tools, or all, say."""
    recorded = json.loads(zstandard.decompress(RECORDED.read_bytes())) if RECORDED.is_file() else {}
    for ecosystem in chosen or TOOLS:
        if shutil.which(TOOLS[ecosystem][0]) is None:
            sys.stderr.write(f"{ecosystem}: {TOOLS[ecosystem][0]} is not installed; left as it was.\n")
            continue
        asked = pairs(ecosystem)
        recorded[ecosystem] = [[*pair, said] for pair, said in zip(asked, answers(ecosystem, asked), strict=True)]
        sys.stdout.write(f"{ecosystem}: {len(asked)} pairs\n")
    body = json.dumps(recorded, separators=(",", ":"), sort_keys=True).encode()
    RECORDED.write_bytes(zstandard.compress(body, 19))


if __name__ == "__main__":
    main(sys.argv[1:])
