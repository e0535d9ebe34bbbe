#!/usr/bin/env bash
# Install Lading into .venv from hash-pinned requirements. Usage: scripts/setup.sh run|dev
set -euo pipefail
cd "$(dirname "$0")/.."
set_name=${1:?say run or dev}

say() { printf '\033[2m[set-up]\033[0m %s\n' "$*"; }
fail() { printf '[set-up] %s\n' "$*" >&2; exit 1; }

find_python() {
  for candidate in python3.11 python3 python3.12 python3.13; do
    if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"; return
    fi
  done
  fail "Python 3.11 or newer was not found. On Debian 12: apt-get install python3 python3-venv"
}

python=$(find_python)
if [ ! -x .venv/bin/python ]; then
  say "creating .venv with $("$python" --version)"
  if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] || fail "Python has no ensurepip. Install it first: apt-get install python3-venv"
    say "installing python3-venv from Debian packages"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null \
      || fail "apt-get could not install python3-venv; see its message above."
  fi
  "$python" -m venv .venv || fail "The virtual environment could not be made; is the disk full?"
fi
if [ ! -x .venv/bin/uv ]; then
  say "installing the installer (uv), pinned by hash"
  .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt \
    || fail "The Python package index did not answer. Check the network, proxy and CA settings of pip, then run again."
fi
files=(-r requirements/run.txt -r requirements/web.txt)
[ "$set_name" = dev ] && files=(-r requirements/dev.txt)
say "installing $(grep -c '==' "requirements/$set_name.txt") pinned packages ($set_name)"
.venv/bin/uv pip install -q --python .venv/bin/python --require-hashes "${files[@]}" \
  || fail "Some packages could not be installed; see the message above, then run the same command again."
.venv/bin/uv pip install -q --python .venv/bin/python --no-deps -e . \
  || fail "Lading itself could not be installed; see the message above."
say "ready"
