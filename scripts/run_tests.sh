#!/usr/bin/env bash
# Every test, in two processes at once: those over the real engine one by one, and all others.
set -uo pipefail
cd "$(dirname "$0")/.."
engine_log=$(mktemp)
trap 'rm -f "$engine_log"' EXIT

.venv/bin/python -m pytest -q -m docker >"$engine_log" 2>&1 &
engine=$!
.venv/bin/python -m pytest -q -m "not docker"
others=$?
echo "waiting for the tests over the real engine"
wait "$engine"
with_engine=$?
cat "$engine_log"
exit $((others > with_engine ? others : with_engine))
