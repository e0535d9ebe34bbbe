#!/usr/bin/env bash
# Every test, in four processes at once: over the real engine one by one, over many hosts, over one server, and all
# others. What a process said is shown when it ended; the last one is shown as it goes.
set -uo pipefail
cd "$(dirname "$0")/.."
logs=$(mktemp -d)
trap 'jobs -p | xargs -r kill 2>/dev/null; rm -rf "$logs"' EXIT
hosts=(tests/integration/{hosts,replication,continuity,mirroring})

run() { .venv/bin/python -m pytest -q --durations=15 "$@"; }
declare -A started
start() {  # NAME ARGUMENTS: run some tests in the background
  run "${@:2}" >"$logs/$1" 2>&1 &
  started[$1]=$!
}
start engine -m docker tests
start hosts -m "not docker" "${hosts[@]}"
start server -m "not docker" tests/integration tests/e2e "${hosts[@]/#/--ignore=}"
run -m "not docker" tests --ignore=tests/integration --ignore=tests/e2e
worst=$?
for name in engine server hosts; do
  echo "waiting for the tests over: $name"
  wait "${started[$name]}"
  code=$?
  cat "$logs/$name"
  [ "$code" -le "$worst" ] || worst=$code
done
exit "$worst"
