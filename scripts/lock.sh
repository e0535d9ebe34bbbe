#!/usr/bin/env bash
# Pin every dependency by hash. The lock files carry no index address: they install from whatever index pip is set to.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() { .venv/bin/uv pip compile -q --generate-hashes --no-header --no-emit-index-url --python-version 3.11 "$@"; }
compile requirements/bootstrap.in -o requirements/bootstrap.txt
compile --group dev pyproject.toml -o requirements/dev.txt
compile pyproject.toml -o requirements/run.txt -c requirements/dev.txt
compile requirements/web.in -o requirements/web.txt -c requirements/dev.txt
