"""The story, step by step. Every step uses what users use: the API, the docker command, HTTP."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Console

from lading.bill.bill import Bill
from lading.bill.render_text import render_bill
from lading.entrypoints.cli.client import ApiClient, ServerSaid, keep_token
from lading.entrypoints.cli.demo.load import LightLoad
from lading.entrypoints.cli.demo.screen import Screen
from lading.entrypoints.cli.demo.working_copy import WorkingCopy
from lading.entrypoints.cli.doctor.checks import run_checks
from lading.entrypoints.cli.output import out
from lading.entrypoints.cli.server import server_environment, start_detached
from lading.entrypoints.server.supervisor import running_pid
from lading.identity.token import new_token
from lading.kernel.clock import SystemClock, timestamp
from lading.kernel.errors import ExitCode, LadingError, NotFound
from lading.settings import Settings
from lading.strategy.analyse.coverage import Report
from lading.supply_chain.build.context import describe_source, pack_directory

_BASES: Final = (
    ("base/python:12", ["python3"], True),
    ("base/python-build:12", ["python3", "python3-venv", "ca-certificates"], False),
    ("base/redis:12", ["redis-server"], False),
)
_FLAWED, _MENDED = "gunicorn==21.2.0", "gunicorn==22.0.0"
_ADVISORY: Final = "DEMO-2026-0001"
_QUIET: Final = ("[builder", "[runtime", "ensure ", "pull ")


class Story:
    """Tells the story on the Lading of `settings`."""

    def __init__(self, settings: Settings, example: Path, screen: Screen) -> None:
        self._settings = settings
        self._screen = screen
        self._home = settings.data / "demo"
        self.working_copy = self._home / "shop"
        self._copy = WorkingCopy(example, self.working_copy)
        self._token_file = self._home / "admin-token"
        self._client = ApiClient(settings.api_url)
        self._engine = ""

    def tell(self) -> None:
        """All of it."""
        self._engine_and_server()
        self._teams()
        self._base_images()
        self._ship_flawed()
        self._ordinary_client()
        self._ship_mended()
        self._replace_and_roll_back()
        self._observe()
        self._judge()
        self._new_flaw()
        self._bill()
        self._strategy()

    # 1

    def _engine_and_server(self) -> None:
        with self._screen.step("Engine and server"):
            self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
            if running_pid(self._settings) is None:
                self._token()
                environment = server_environment(self._settings) | {"LADING_ADMIN_TOKEN_FILE": str(self._token_file)}
                start_detached(self._settings, environment)
            keep_token(self._client.api, self._token())
            status = self._client.get("/api/v1/status")
            self._engine = status["engine"]
            self._screen.say(f"Lading {status['version']} runs: console {status['console']}", "done")
            self._screen.say(f"engine {self._engine}")
            results = run_checks(self._settings, server_runs=True)
            troubles = [item for item in results if item.status != "ok"]
            self._screen.say(f"doctor: {len(results) - len(troubles)} of {len(results)} checks are fine")
            for item in troubles:
                self._screen.say(f"{item.name}: {item.found}", "warning")

    def _token(self) -> str:
        if not self._token_file.exists():
            descriptor = os.open(self._token_file, os.O_WRONLY | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as handle:
                handle.write(new_token() + "\n")
        return self._token_file.read_text(encoding="ascii").strip()

    def _teams(self) -> None:
        known = {row["team"] for row in self._client.get("/api/v1/teams")}
        for team in ("platform", "shop"):
            if team not in known:
                self._client.post("/api/v1/teams", {"team": team})
        # A demo that ran before left its advisory: it is taken back, so that the story can be told again.
        if self._client.get("/api/v1/where", q=_ADVISORY)["images"]:
            self._feed(withdrawn=True)

    # 2

    def _base_images(self) -> None:
        with self._screen.step("Base images from distribution packages, one of them built twice"):
            jobs = []
            for tag, include, twice in _BASES:
                body = {"distribution": "debian:12", "include": include, "tag": tag, "team": "platform"}
                jobs.append(
                    (tag, self._client.post("/api/v1/bases", body | {"twice": twice and self._is_new(tag)})["id"])
                )
            for tag, job in jobs:
                result = self._follow(job, ("the same digest again",))
                again = ", the same digest twice" if result["reproduced"] else ""
                kept = ", kept from before" if result["reused"] else f" in {result['seconds']:.1f} s"
                shown = f"{tag}  {result['digest'][:19]}  {result['packages']} packages{kept}{again}"
                self._screen.say(shown, "done")

    def _is_new(self, tag: str) -> bool:
        try:
            self._client.get(f"/api/v1/images/{tag}")
        except LadingError as error:
            return error.exit_code is ExitCode.NOT_FOUND
        return False

    # 3 to 7

    def _ship_flawed(self) -> None:
        with self._screen.step("Ship the shop: build, push, inventory, match, decide"):
            self._copy.begin()
            try:
                self._ship(quiet=False)
            except ServerSaid as refused:
                if refused.exit_code is not ExitCode.REFUSED:
                    raise
                self._screen.say("the shop is refused, as it must be", "done")
                return
            raise LadingError("The shop with a known flaw was not refused.", remedy="Look at `lading policy ls`.")

    def _ordinary_client(self) -> None:
        with self._screen.step("An ordinary Docker client, a robot of the team, and nothing unapproved"):
            name = f"ci-{int(time.time())}"
            token = self._client.post("/api/v1/teams/shop/robots", {"name": name, "days": 1})["token"]
            image = self._newest("shop/web")
            found = self._client.get(f"/api/v1/images/{image}")
            self._screen.say(
                f"shop/web {image[7:19]}: pushed by {found['principal']} of team {found['team']}, {found['state']}"
            )
            document = self._client.get(f"/api/v1/images/{image}/sbom")
            self._screen.say(f"CycloneDX {document['specVersion']}: {len(document['components'])} components")
            answer = self._docker_pull(f"{self._settings.pull_addr}/shop/web@{image}", f"shop/{name}", token)
            self._screen.say("docker pull: " + answer.strip().splitlines()[-1][:220], "error")

    def _docker_pull(self, image: str, user: str, token: str) -> str:
        configuration = self._home / "docker"
        configuration.mkdir(exist_ok=True, mode=0o700)
        environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(configuration),
            "DOCKER_CONFIG": str(configuration), "DOCKER_HOST": self._engine,
        }  # fmt: skip
        registry = image.partition("/")[0]
        login = ["docker", "login", "--username", user, "--password-stdin", registry]
        subprocess.run(login, input=token, env=environment, text=True, capture_output=True, check=False)
        ended = subprocess.run(["docker", "pull", image], env=environment, text=True, capture_output=True, check=False)
        return ended.stdout + ended.stderr or "nothing was said"

    # 8 and 9

    def _ship_mended(self) -> None:
        with self._screen.step(f"Mend and ship again: {_FLAWED} becomes {_MENDED}"):
            self._copy.change("web/requirements.txt", _FLAWED, _MENDED)
            self._copy.commit("Raise gunicorn")
            result = self._ship(quiet=True)
            image = result["images"]["shop/web"]
            for item in self._client.get(f"/api/v1/images/{image}/attestations"):
                verdict = "verified with the public key" if item["holds"] else f"does not hold: {item['problem']}"
                self._screen.say(f"{item['predicate_type']}: {verdict}", "done" if item["holds"] else "error")

    def _replace_and_roll_back(self) -> None:
        with self._screen.step("Replace it under load, and roll a broken version back"):
            with LightLoad("127.0.0.1", 8000, "/") as load:
                self._copy.change("compose.yaml", 'SHOP_VERSION: "1"', 'SHOP_VERSION: "2"')
                self._copy.commit("Version 2")
                self._screen.say(f"version 2: {self._ship(quiet=True)['outcome']}", "done")
                self._copy.change("compose.yaml", 'SHOP_VERSION: "2"', 'SHOP_VERSION: "3"\n      SHOP_BROKEN: "1"')
                self._copy.commit("Version 3, broken")
                result = self._ship(quiet=True)
                self._screen.say(f"version 3: {result['outcome']}: {result.get('reason', '')}", "done")
            answered = f"{load.answered} requests answered meanwhile, {len(load.failures)} failed"
            self._screen.say(
                f"{answered}; versions seen: {', '.join(load.versions)}", "error" if load.failures else "done"
            )
            self._copy.change("compose.yaml", 'SHOP_VERSION: "3"\n      SHOP_BROKEN: "1"', 'SHOP_VERSION: "2"')
            self._copy.commit("Take version 3 back")

    # 10 and 11

    def _observe(self) -> None:
        with self._screen.step("Observe: logs and metrics, also of containers that are gone"):
            rows = self._client.get("/api/v1/containers", all=True, workload="shop/web")
            gone = next((row for row in rows if row["state"] == "gone"), rows[-1])
            lines = self._client.get("/api/v1/logs", subject=gone["id"], limit=10_000)
            self._screen.say(f"{gone['name']} is {gone['state']}; {len(lines)} of its log lines are kept", "done")
            deadline = time.monotonic() + 20
            while not (samples := self._client.get("/api/v1/metrics", subject="shop/web", since="5m", step=5)):
                if time.monotonic() > deadline:
                    raise LadingError("No samples were taken.", remedy="See the server's log.")
                time.sleep(1)
            last = samples[-1]
            used = f"CPU {last['cpu_percent'] or 0:.1f} %, memory {last['memory_mb'] or 0:.1f} MB"
            self._screen.say(f"shop/web: {len(samples)} samples; now {used}, {last['restarts'] or 0} restarts", "done")

    def _judge(self) -> None:
        with self._screen.step("Judge at run time: somebody starts a shell in a container"):
            container = self._client.get("/api/v1/containers", workload="shop/web")[0]
            posture = next(item for item in self._bill_of("shop/web").sections if item.title.startswith("Privileges"))
            beyond = next((line.value for line in posture.lines if line.label.startswith("beyond")), posture.unknown)
            self._screen.say(f"posture: beyond what was allowed: {beyond}")
            before = {row["id"]: row["times"] for row in self._client.get("/api/v1/incidents")}
            environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "DOCKER_HOST": self._engine}
            started = time.monotonic()
            command = ["docker", "exec", container["id"], "sh", "-c", "id"]
            subprocess.run(command, env=environment, capture_output=True, check=False)
            while time.monotonic() - started < 20:
                for row in self._client.get("/api/v1/incidents"):
                    if row["container"] == container["id"] and before.get(row["id"], 0) < row["times"]:
                        seconds = time.monotonic() - started
                        self._screen.say(f"incident after {seconds:.1f} s ({row['severity']}): {row['title']}", "done")
                        return
                time.sleep(0.2)
            raise LadingError("The shell raised no incident.", remedy="See `lading incident ls` and the server's log.")

    # 12

    def _new_flaw(self) -> None:
        with self._screen.step("A new flaw appears: find, plan, rebuild, replace, verify"):
            answer = self._feed(withdrawn=False)
            concerned = ", ".join(answer["workloads"]) or "nothing"
            self._screen.say(f"one advisory taken in; it concerns {concerned}", "warning")
            found = self._client.get("/api/v1/where", q=_ADVISORY)
            for row in found["containers"]:
                what = f"{row['package']} {row['version']}, fixed in {row['fixed']}"
                self._screen.say(f"{row['name']} of team {row['team']}: {what}")
            self._screen.say(f"answered in {found['milliseconds']:.1f} ms, without reading an image")
            job = self._client.post("/api/v1/patches", {"advisory": _ADVISORY, "auto": True})["id"]
            result = self._follow(job, ("came with layer", "->", "running containers have", "may be deployed", "await"))
            self._screen.say(f"{result['outcome']} in {result['seconds']:.1f} s", "done")

    def _feed(self, *, withdrawn: bool) -> Any:
        now = timestamp(SystemClock().now())
        record = {
            "schema_version": "1.7.3",
            "id": _ADVISORY,
            "modified": now,
            "published": now,
            "summary": "A demonstration: no real flaw.",
            "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
            "affected": [
                {
                    "package": {"ecosystem": "PyPI", "name": "packaging"},
                    "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "26.0"}]}],
                }
            ],
        }
        if withdrawn:
            record["withdrawn"] = now
        body = [msgspec.json.encode(record)]
        return self._client.upload("/api/v1/advisories?source=demo", body, "application/json")

    # 13 and 14

    def _bill(self) -> None:
        with self._screen.step("The bill: everything about the running container, on one page"):
            bill = self._bill_of("shop/web")
            if out.is_terminal:
                render_bill(bill, out)
            else:
                render_bill(bill, Console(width=110, highlight=False, file=out.file))

    def _bill_of(self, subject: str) -> Bill:
        return msgspec.convert(self._client.get(f"/api/v1/bill/{subject}"), Bill)

    def _strategy(self) -> None:
        with self._screen.step("Strategy: what is covered, on evidence; and the record that holds it all"):
            report = msgspec.convert(self._client.get("/api/v1/strategy"), Report)
            for coverage in ("covered", "partial", "gap"):
                ids = ", ".join(row.id for row in report.rows if row.coverage == coverage)
                self._screen.say(f"{report.count(coverage):>2} {coverage}: {ids}")
            self._client.post("/api/v1/ledger/checkpoint")
            verified = self._client.post("/api/v1/ledger/verify")
            shown = f"{verified['entries']} entries, {verified['checkpoints']} signed checkpoints"
            self._screen.say(f"ledger intact: {shown}, {verified['seconds']:.2f} s", "done")

    # How it is done

    def _ship(self, *, quiet: bool) -> dict[str, Any]:
        described = describe_source(self._copy.path)
        with pack_directory(self._copy.path) as archive:
            source = self._client.upload("/api/v1/sources", archive.chunks(), "application/x-tar")
        body = {"source": source["digest"], "name": "shop", "commit": described.commit, "dirty": described.dirty}
        job = self._client.post("/api/v1/ships", body | {"team": "shop"})["id"]
        wanted = ("from the cache", "decision", "stop ", "rolling") if quiet else ()
        return self._follow(job, wanted)

    def _follow(self, job: str, wanted: tuple[str, ...]) -> dict[str, Any]:
        """Show what a job says, or only the lines with one of the `wanted` texts; returns its result."""
        for event in self._client.follow(job):
            text = event["text"]
            if any(item in text for item in wanted) if wanted else not text.startswith(_QUIET):
                self._screen.say(text, event.get("level", "info"))
        ended = self._client.get(f"/api/v1/jobs/{job}")
        if ended.get("error"):
            raise ServerSaid(ended["error"])
        return dict(ended.get("result") or {})

    def _newest(self, repository: str) -> str:
        rows = self._client.get("/api/v1/images", repository=repository, limit=1)
        if not rows:
            raise NotFound(f"No image of {repository} was pushed.")
        return str(rows[0]["digest"])
