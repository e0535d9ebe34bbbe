"""`lading login --oidc`: a code to type in at the identity provider, and waiting until that was done."""

from __future__ import annotations

import time
from typing import Any

from lading.entrypoints.cli.client import ApiClient
from lading.entrypoints.cli.output import err
from lading.kernel.errors import Unauthenticated


def oidc_token() -> str:
    """The token of whoever logged in.

    Raises:
        Unauthenticated: nobody did in time.
    """
    client = ApiClient()
    begun: dict[str, Any] = client.post("/api/v1/login/device")
    err.print(f"Open {begun['whole_address'] or begun['address']} in a browser and confirm the code:")
    err.print(f"    {begun['user_code']}", style="bold")
    deadline = time.monotonic() + begun["lasting"]
    while time.monotonic() < deadline:
        time.sleep(begun["interval"])
        answer = client.post("/api/v1/login/device/token", {"kept": begun["kept"]})
        if answer:
            return str(answer["token"])
    raise Unauthenticated("Nobody confirmed the code in time.", remedy="Run `lading login --oidc` again.")
