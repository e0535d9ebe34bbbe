"""The health check that runs inside the container: exit code 0 when /health answers 200. Standard library only."""

from __future__ import annotations

import http.client
import sys


def main() -> int:
    """Ask the service on this machine once."""
    connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=2)
    try:
        connection.request("GET", "/health")
        return 0 if connection.getresponse().status == 200 else 1
    except OSError:
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
