#!/usr/bin/env bash
# Every test, in three processes at once: over the real engine one by one, over servers and networks, and all others.
# What a process said is shown when it ended; the last one is shown as it goes.
set -uo pipefail
cd "$(dirname "$0")/.."
logs=$(mktemp -d)
trap 'jobs -p | xargs -r kill 2>/dev/null; rm -rf "$logs"' EXIT

run() { .venv/bin/python -m pytest -q --durations=15 "$@"; }
run -m docker tests >"$logs/engine" 2>&1 &
engine=$!
run -m "not docker" tests/integration tests/e2e >"$logs/servers" 2>&1 &
servers=$!
run -m "not docker" tests --ignore=tests/integration --ignore=tests/e2e
worst=$?

ended() {  # NAME PID: show what it said, and keep the worst exit code
  echo "waiting for the tests over $1"
  wait "$2"
  local code=$?
  cat "$logs/$1"
  [ "$code" -le "$worst" ] || worst=$code
}
ended engine "$engine"
ended servers "$servers"
exit "$worst"
